"""Builds instruments for a board and writes them to the board's flash.

    python -m pipeline.flash --board pico --run data/models/flute/reduced_cd

``--run`` or ``--instrument`` may be repeated; MIDI's program change then selects the instrument,
and the first one is program 0. A board whose boot loader appears as a drive is flashed through the
drive (UF2) if it is mounted. Any other board is flashed with the first installed tool of
``openocd``, ``st-flash`` and ``pyocd``. ``--selftest`` flashes a program that checks the board
instead; `pipeline.board_report` reads what it finds.
"""

import argparse
import shutil
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.markdown import counted
from pipeline.core.options import add_board
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.emit.presets import load_preset
from pipeline.target import firmware, selftest, sources
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.build import OverflowingError
from pipeline.target.emulator import EMULATOR
from pipeline.target.flashing import DRIVE_PLACES, convert, find_drive, flash, flasher
from pipeline.target.voices import default_voices


def main(argv: Sequence[str] | None = None) -> None:
    """Builds instruments, by default the flute, and writes them to a board's flash."""
    parser = Parser("flash", main.__doc__)
    add_board(parser, INSTRUMENT_BOARDS, help="board to build for and flash")
    sources.add_source_arguments(parser, required=False)
    parser.add_argument(
        "--drive",
        type=Path,
        metavar="DIR",
        help="folder where the boot loader's drive is mounted (default: the usual places)",
    )
    parser.add_argument(
        "--selftest",
        action="store_true",
        help="flash a program that checks the board and these instruments, and measures what they "
        "take (default: the player)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="build, but only print the command that flashes the board (default: flash it)",
    )
    args = parser.parse_args(argv)
    board, how = args.board, flasher(args.board)

    drive = None
    if how.drive:
        mounted = (path for place in DRIVE_PLACES for path in Path("/").glob(place[1:]))
        drive = find_drive(how.drive, [args.drive] if args.drive else mounted)
    if args.drive and drive is None:
        raise UserError(f"{args.drive} is not the drive of a {board}: {how.remedy}")
    if not (args.run or args.instrument or args.generated):
        args.instrument = ["flute"]
    for line in sources.select_models(args):
        print(line, flush=True)
    options = sources.build_options(args)
    built = (_build_selftest if args.selftest else _build_player)(args, options)
    files = {name: shown(path) for name, path in convert(built.program.elf, board).items()}
    print(f"{board}: flash {built.flash_bytes} bytes, RAM {built.ram_bytes} bytes with the stack")
    print(f"written: {', '.join(map(str, files.values()))}")
    command = flash(board, files, drive=drive, dry_run=args.dry_run)
    print(f"{'to flash it' if args.dry_run else 'flashed'}: {command}")
    wiring = f"tflm_app/boards/{INSTRUMENT_BOARDS[board].wiring}/README.md"
    if args.selftest:
        print(
            f"next: connect its console (see {wiring}), and "
            "python -m pipeline.board_report --port /dev/ttyACM0"
        )
    else:
        print(f"next: wire it as in {wiring}, and play")


def _build_player(args: argparse.Namespace, options: Mapping[str, str]) -> firmware.Firmware:
    generated = sources.generate_source(args)
    print(f"building for {args.board}, and estimating what its voices take", flush=True)
    try:
        built = firmware.build(args.board, generated, options=options)
    except OverflowingError as error:
        n_fitting = _count_fitting_models(args, options)
        if n_fitting == len(args.run or ()):  # voices are too many; the message says how many fit
            raise
        fitting = _describe_fitting(args, options, n_fitting)
        raise OverflowingError(error.what, error.regions, fitting) from None
    print(_describe_voices(args, generated))
    return built


def _count_fitting_models(args: argparse.Namespace, options: Mapping[str, str]) -> int:
    """Returns how many models, from the first on, fit with a voice; all if there is only one."""
    run_dirs = args.run or ()
    if len(run_dirs) < 2:
        return len(run_dirs)
    print("finding how many of the models fit", flush=True)

    def overflows(n_models: int) -> bool:
        try:
            one_voice = {**options, "PLAYER_VOICES": "1"}
            firmware.build(args.board, _generate_first(n_models, args), options=one_voice)
        except OverflowingError:
            return True
        return False

    return bisect_left(range(1, len(run_dirs) + 1), True, key=overflows)


def _describe_fitting(args: argparse.Namespace, options: Mapping[str, str], n_fitting: int) -> str:
    """Says with how many voices, up to the wanted number, the models fit that do so with one."""
    models = f"of the {len(args.run)} models"
    if not n_fitting:
        return f"not even the first {models} fits: take smaller models"
    generated = _generate_first(n_fitting, args)
    board = INSTRUMENT_BOARDS[args.board]
    n_voices = int(options.get("PLAYER_VOICES", 0)) or default_voices(board, generated)
    try:
        firmware.build(args.board, generated, options=options)
        option = ""
    except OverflowingError as error:
        n_voices = error.n_voices or 1
        option = f": --voices {n_voices}"
    fitting = (
        f"only the first {models} fits" if n_fitting == 1 else f"the first {n_fitting} {models} fit"
    )
    return f"with {counted(n_voices, 'voice')}, {fitting}{option}"


def _generate_first(n_models: int, args: argparse.Namespace) -> Path:
    """Generates the C of the first models alone; returns the folder with it."""
    return sources.generate_source(argparse.Namespace(**{**vars(args), "run": args.run[:n_models]}))


def _build_selftest(args: argparse.Namespace, options: Mapping[str, str]) -> firmware.Firmware:
    """Builds the self-test; it needs the models themselves, for what their reference plays."""
    if args.generated or args.reverb != 0:
        option = "--generated" if args.generated else "--reverb"
        raise UserError(f"the self-test plays models of run folders, dry: leave out {option}")
    print(f"building the self-test for {args.board}", flush=True)
    generated = sources.generate_source(args)
    presets = [load_preset(run_dir, fmt=args.format) for run_dir in args.run]
    return selftest.build(args.board, generated, presets, options=options)


def _describe_voices(args: argparse.Namespace, generated: Path) -> str:
    """Says how many voices there are and which share of the time they take, if it can be measured.

    Without ``--voices``, a board is flashed without an emulator, too.
    """
    if args.voices or shutil.which(EMULATOR):
        return sources.describe_time(args, generated)
    n_voices = default_voices(INSTRUMENT_BOARDS[args.board], generated)
    return f"{n_voices} voices; {EMULATOR} is not installed, with which their time is estimated"


if __name__ == "__main__":
    run_main(main)
