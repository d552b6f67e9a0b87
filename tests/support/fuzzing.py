"""Sends random bytes to the player and to the USB device: libFuzzer, with sanitizers.

``make fuzz`` runs this module with ten million inputs for each of them.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from support import small_player, usb_bus

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target.tools import require_tools

TARGET = Path(__file__).parents[1] / "target" / "fuzz_play.c"
COMMANDS = ("help", "stats", "clear", "notes", "program", "channel", "live", "demo", "panic")
CONSOLE = ("console.c", "demo_phrase.c")
BYTES = (r"\x90<", r"\xb0", r"\xc0", r"\xf9")


def _compile(fuzzer: Path, sources: Sequence[Path], include_dir: Path) -> Path:
    require_tools("clang")
    command = ["clang", "-std=gnu99", "-g", "-O1", "-DPLAYER_N_VOICES=2"]
    command += ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-I{APP_DIR}", f"-I{include_dir}"]
    done = subprocess.run(
        [*command, "-o", str(fuzzer), *map(str, sources)], capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"the fuzzer does not compile: {done.stderr.strip().splitlines()[-1]}")
    return fuzzer


def build_player(folder: Path) -> Path:
    """Builds the fuzzer of the MIDI input and the console: two voices, three small instruments."""
    small_player.generate(folder)
    sources = [TARGET, *sorted(folder.glob("*.c"))]
    sources += [*small_player.SOURCES, *(APP_DIR / "player" / name for name in CONSOLE)]
    return _compile(folder / "fuzz_play", sources, folder)


def build_usb(folder: Path) -> Path:
    """Builds the fuzzer of the USB device: control requests, event packets, console text."""
    sources = [usb_bus.FOLDER / "fuzz_usb.c", usb_bus.FOLDER / "bus.c", *usb_bus.DEVICE_SOURCES]
    return _compile(folder / "fuzz_usb", sources, usb_bus.FOLDER)


FUZZERS: dict[str, tuple[Callable[[Path], Path], int]] = {  # the most bytes of an input
    "player": (build_player, 96),
    "usb": (build_usb, 300),
}


def run(fuzzer: Path, *, runs: int, seed: int = 1, max_bytes: int = 96) -> int:
    """Runs the fuzzer; returns the number of inputs that it executed.

    Raises:
        UserError: An input crashed the program. The message ends with that input in hexadecimal.
    """
    dictionary = fuzzer.with_name("words")
    dictionary.write_text("".join(f'"{word}"\n' for word in (*COMMANDS, *BYTES)))
    command = [str(fuzzer), f"-runs={runs}", f"-seed={seed}", f"-max_len={max_bytes}"]
    done = subprocess.run(
        [
            *command,
            f"-dict={dictionary}",
            "-print_final_stats=1",
            f"-artifact_prefix={fuzzer.parent}/",
        ],
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        crashes = sorted(fuzzer.parent.glob("crash-*"))
        content = crashes[-1].read_bytes().hex() if crashes else "unknown"
        summary = re.search(r"SUMMARY: (.*)", done.stderr)
        raise UserError(
            f"{fuzzer.name} crashed: {summary[1] if summary else 'no report'}; {content}"
        )
    executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    assert executed is not None
    return int(executed[1])


def main() -> None:
    """Runs the fuzzer from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m support.fuzzing", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=10_000_000,
        help="number of inputs for each fuzzer (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the random inputs (default: %(default)s)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, (build, max_bytes) in FUZZERS.items():
            fuzzer = build(Path(folder))
            n_inputs = run(fuzzer, runs=args.runs, seed=args.seed, max_bytes=max_bytes)
            print(f"{name}: {n_inputs:,} inputs, no crash")


if __name__ == "__main__":
    run_main(main)
