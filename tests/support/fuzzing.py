"""Sends random input to the player, the USB device, the loader of models: libFuzzer, sanitizers.

``make fuzz`` runs this module with ten million inputs for the player and for each controller of
the USB device, and half a million files of models, which take longer.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support import small_player, usb_bus

from pipeline.core.cli import run_main
from pipeline.core.constants import FORMATS
from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR, MODEL_DIR
from pipeline.emit.model_file import model_bytes
from pipeline.emit.presets import load_preset, write_firmware_source
from pipeline.emit.weight_packing import Layout
from pipeline.target.tools import require_tools

TESTS = Path(__file__).parents[1]
TARGET = TESTS / "target" / "fuzz_play.c"
CONSOLE = ("console.c", "demo_phrase.c")
BYTES = (r"\x90<", r"\xb0", r"\xc0", r"\xf9", r"\xb0e\x00\xb0d\x06\xb0\x06\x03")  # a zone
CORPUS = "corpus"
MAX_FILE_BYTES = 16_384


def console_commands() -> list[str]:
    """Returns the commands of the console, as its table lists them."""
    table = (APP_DIR / "player" / "console.c").read_text(encoding="utf-8")
    return re.findall(r'\{"(\w+)", \w+, [A-Z]+\}', table)


def _compile(fuzzer: Path, sources: Sequence[Path], include_dir: Path, *options: str) -> Path:
    require_tools("clang")
    command = ["clang", "-std=gnu99", "-g", "-O1", "-DPLAYER_N_VOICES=2", *options]
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


def build_usb(folder: Path, controller: str) -> Path:
    """Builds the fuzzer of the USB device: control requests, event packets, console text.

    Args:
        folder: Where the fuzzer is made.
        controller: One of `usb_bus.CONTROLLERS`.
    """
    sources, include_dirs, defines = usb_bus.sources_of(controller)
    options = [*(f"-I{path}" for path in include_dirs), *(f"-D{name}" for name in defines)]
    sources = [usb_bus.FOLDER / "fuzz_usb.c", *sources]
    return _compile(folder / f"fuzz_usb_{controller}", sources, usb_bus.FOLDER, *options)


def build_models(folder: Path, layout: Layout) -> Path:
    """Builds the fuzzer of the loader of models, and files of tiny instruments to begin with.

    Args:
        folder: Where a folder for the fuzzer is made.
        layout: Order of the weights of the library and of the files.
    """
    folder /= layout
    tiny = {
        f"{name}-{fmt}": load_preset(MODEL_DIR / name / "tiny", fmt=fmt)
        for name in ("flute", "piano")  # the piano's partials are stretched
        for fmt in FORMATS
    }
    write_firmware_source([tiny["flute-int8"], tiny["piano-int8"]], folder)
    corpus = folder / CORPUS
    corpus.mkdir()
    for name, preset in tiny.items():
        (corpus / name).write_bytes(model_bytes(preset, layout))
    sources = [TESTS / "library" / "fuzz_model.c", *folder.glob("*.c"), *small_player.SOURCES]
    sources += [APP_DIR / "ddx7" / f"{name}.c" for name in ("ddx7_model", "ddx7_decoder")]
    sources.append(APP_DIR / "crc32" / "crc32.c")
    has_dsp = f"-DDECODER_KERNEL_DSP={int(layout == 'dsp')}"
    return _compile(folder / "fuzz_model", sources, folder, has_dsp)


@dataclass(frozen=True)
class Fuzzer:
    """A fuzzer of ``make fuzz``.

    Attributes:
        build: Builds the program in a folder.
        max_bytes: The most bytes of an input.
        divisor: Its inputs are so many times fewer.
    """

    build: Callable[[Path], Path]
    max_bytes: int
    divisor: int = 1


FUZZERS = {
    "player": Fuzzer(build_player, 96),
    "usb": Fuzzer(partial(build_usb, controller=usb_bus.ANY), 300),
    "usb, stm32": Fuzzer(partial(build_usb, controller="stm32f4_discovery"), 300),
    "models, armv6m": Fuzzer(partial(build_models, layout="armv6m"), MAX_FILE_BYTES, 40),
    "models, dsp": Fuzzer(partial(build_models, layout="dsp"), MAX_FILE_BYTES, 40),
}


def run(fuzzer: Path, *, runs: int, seed: int = 1, max_bytes: int = 96) -> int:
    """Runs the fuzzer; returns the number of inputs that it executed.

    It begins with the files of a folder `CORPUS` beside it, if there is one.

    Raises:
        UserError: An input crashed the program. The message ends with that input in hexadecimal.
    """
    dictionary = fuzzer.with_name("words")
    dictionary.write_text("".join(f'"{word}"\n' for word in (*console_commands(), *BYTES)))
    command = [str(fuzzer), f"-runs={runs}", f"-seed={seed}", f"-max_len={max_bytes}"]
    command += [str(corpus) for corpus in fuzzer.parent.glob(CORPUS)]
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
        help="number of inputs; for files of models a fortieth (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the random inputs (default: %(default)s)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=tuple(FUZZERS),
        default=tuple(FUZZERS),
        metavar="NAME",
        help=f"which to run: {'; '.join(FUZZERS)} (default: all)",
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            fuzzer = FUZZERS[name]
            n_inputs = run(
                fuzzer.build(Path(folder)),
                runs=args.runs // fuzzer.divisor,
                seed=args.seed,
                max_bytes=fuzzer.max_bytes,
            )
            print(f"{name}: {n_inputs:,} inputs, no crash")


if __name__ == "__main__":
    run_main(main)
