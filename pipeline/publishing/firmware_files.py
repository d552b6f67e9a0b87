"""The files that put all instruments on a board: UF2, Intel HEX and binary, and its wiring."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files import atomic_write
from pipeline.core.markdown import without_relative_links
from pipeline.core.paths import APP_DIR
from pipeline.target import firmware
from pipeline.target.board_types import Board
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.flashing import convert
from pipeline.target.voices import default_voices


@dataclass(frozen=True)
class FirmwareFiles:
    """What a board is flashed with.

    Attributes:
        board: The board.
        n_voices: Voices of its player.
        paths: The files; the one that is flashed most easily comes first.
        wiring: A file that shows what to connect to the board, Markdown.
    """

    board: Board
    n_voices: int
    paths: Sequence[Path]
    wiring: Path


def build_firmware_files(board_name: str, generated: Path, out: Path) -> FirmwareFiles:
    """Builds the firmware for a board and writes its files into a folder.

    Args:
        board_name: One of `INSTRUMENT_BOARDS`.
        generated: Output of `pipeline.codegen`.
        out: The folder, created if needed.

    Raises:
        UserError: A tool is missing, or the firmware does not compile or fit.
    """
    board = INSTRUMENT_BOARDS[board_name]
    built = firmware.build(board_name, generated)
    paths = []
    for suffix, source in sorted(convert(built.program.elf, board_name).items(), reverse=True):
        path = out / f"{board_name}.{suffix}"
        with atomic_write(path) as temporary:
            shutil.copyfile(source, temporary)
        paths.append(path)
    wiring = out / f"{board_name}.md"
    readme = (APP_DIR / "boards" / board.wiring / "README.md").read_text()
    with atomic_write(wiring) as temporary:
        temporary.write_text(without_relative_links(readme))
    return FirmwareFiles(board, default_voices(board, generated), paths, wiring)
