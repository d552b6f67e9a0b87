"""Builds instruments for a board and writes them to the board's flash.

    python -m pipeline.flash --board pico --run data/models/flute/reduced_cd

``--run`` or ``--instrument`` may be repeated; MIDI's program change then selects the instrument,
and the first one is program 0. A board whose boot loader appears as a drive is flashed through the
drive (UF2) if it is mounted. Any other board is flashed with the first installed tool of
``openocd``, ``st-flash`` and ``pyocd``.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.options import add_board
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.target import firmware, sources
from pipeline.target.boards import INSTRUMENT_BOARDS
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
    generated = sources.generate_source(args)
    print(f"building for {board}, and estimating what its voices take", flush=True)
    built = firmware.build(board, generated, options=options)
    print(_describe_voices(args, generated))
    files = convert(built.program.elf, board)
    print(f"{board}: flash {built.flash_bytes} bytes, RAM {built.ram_bytes} bytes with the stack")
    print(f"written: {', '.join(str(shown(path)) for path in files.values())}")
    command = flash(board, files, drive=drive, dry_run=args.dry_run)
    print(f"{'to flash it' if args.dry_run else 'flashed'}: {command}")
    wiring = INSTRUMENT_BOARDS[board].wiring
    print(f"next: wire it as in tflm_app/boards/{wiring}/README.md, and play")


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
