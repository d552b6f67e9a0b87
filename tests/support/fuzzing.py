"""Sends random bytes to the player's MIDI input and console: libFuzzer, with sanitizers.

``make fuzz`` runs this module with ten million inputs.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

from support import small_player

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target.tools import require_tools

TARGET = Path(__file__).parents[1] / "target" / "fuzz_play.c"
COMMANDS = ("help", "stats", "clear", "notes", "program", "channel", "live", "demo", "panic")
CONSOLE = ("console.c", "demo_phrase.c")
BYTES = (r"\x90<", r"\xb0", r"\xc0", r"\xf9")


def build(folder: Path) -> Path:
    """Builds the fuzzer in `folder`: a player with two voices and three small instruments."""
    require_tools("clang")
    small_player.generate(folder)
    sources = [TARGET, *sorted(folder.glob("*.c"))]
    sources += [*small_player.SOURCES, *(APP_DIR / "player" / name for name in CONSOLE)]
    command = ["clang", "-std=gnu99", "-g", "-O1", "-DPLAYER_N_VOICES=2"]
    command += ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-I{APP_DIR}", f"-I{folder}"]
    fuzzer = folder / "fuzz_play"
    done = subprocess.run(
        [*command, "-o", str(fuzzer), *map(str, sources)], capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"the fuzzer does not compile: {done.stderr.strip().splitlines()[-1]}")
    return fuzzer


def run(fuzzer: Path, *, runs: int, seed: int = 1) -> int:
    """Runs the fuzzer; returns the number of inputs that it executed.

    Raises:
        UserError: An input crashed the player. The message ends with that input in hexadecimal.
    """
    dictionary = fuzzer.with_name("words")
    dictionary.write_text("".join(f'"{word}"\n' for word in (*COMMANDS, *BYTES)))
    command = [str(fuzzer), f"-runs={runs}", f"-seed={seed}", "-max_len=96", f"-dict={dictionary}"]
    done = subprocess.run(
        [*command, "-print_final_stats=1", f"-artifact_prefix={fuzzer.parent}/"],
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        crashes = sorted(fuzzer.parent.glob("crash-*"))
        content = crashes[-1].read_bytes().hex() if crashes else "unknown"
        summary = re.search(r"SUMMARY: (.*)", done.stderr)
        raise UserError(f"the player crashed: {summary[1] if summary else 'no report'}; {content}")
    executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    assert executed is not None
    return int(executed[1])


def main() -> None:
    """Runs the fuzzer from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m support.fuzzing", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--runs", type=int, default=10_000_000, help="number of inputs (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the random inputs (default: %(default)s)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{run(build(Path(folder)), runs=args.runs, seed=args.seed):,} inputs, no crash")


if __name__ == "__main__":
    run_main(main)
