"""Builds instruments for a board, converts them, and writes them to the board's flash.

    python -m pipeline.flash --board pico --run data/models/flute/reduced_cd

`--run` may be repeated: MIDI's program change selects among the instruments, the first one being 0.
It goes by the board's drive where it has one and that is mounted (UF2), else by the first tool that
is installed: ``openocd``, ``st-flash`` or ``pyocd``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.target import firmware, sources
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.flashing import DRIVE_PLACES, TARGETS, convert, find_drive, flash


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.flash",
        description="Builds instruments for a board, the pretrained flute by default, and writes "
        "them to the board's flash.",
    )
    parser.add_argument("--board", choices=INSTRUMENT_BOARDS, required=True)
    sources.add_source_arguments(parser, required=False)
    parser.add_argument("--drive", type=Path, help="where the boot loader's drive is mounted")
    parser.add_argument("--dry-run", action="store_true", help="build, and only tell the command")
    arguments = parser.parse_args(argv)
    board, target = arguments.board, TARGETS[arguments.board]

    drive = None
    if target.drive:
        mounted = (path for place in DRIVE_PLACES for path in Path("/").glob(place[1:]))
        drive = find_drive(target.drive, [arguments.drive] if arguments.drive else mounted)
    if arguments.drive and drive is None:
        raise UserError(f"{arguments.drive} is not the drive of a {board}: {target.remedy}")
    if not (arguments.run or arguments.generated):
        arguments.run = [MODEL_DIR / "flute" / "reduced_cd"]
    generated = sources.generate_source(arguments)
    built = firmware.build(board, generated, options=dict(arguments.option))
    files = convert(built.program.elf, board)
    print(f"{board}: flash {built.flash_bytes} bytes, RAM {built.ram_bytes} bytes with the stack")
    print(f"written: {', '.join(str(path) for path in files.values())}")
    command = flash(board, files, drive=drive, dry_run=arguments.dry_run)
    print(f"{'to flash it' if arguments.dry_run else 'flashed'}: {command}")
    print(f"next: wire it as in tflm_app/boards/{board}/README.md, and play")


if __name__ == "__main__":
    run_main(main)
