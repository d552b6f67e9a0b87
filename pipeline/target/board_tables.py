"""Writes the tables of boards in ``tflm_app/boards/README.md``."""

from collections.abc import Iterable

from pipeline.core import markdown
from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target.board_types import Board
from pipeline.target.boards import FILE_BOARDS, INSTRUMENT_BOARDS, WASM

README = APP_DIR / "boards" / "README.md"


def readme_text() -> str:
    """Returns the README with current tables between its marker lines.

    A table follows the line ``<!-- table: files -->`` or ``<!-- table: instruments -->``, and ends
    with ``<!-- end -->``.

    Raises:
        UserError: The README lacks the marker lines of a table.
    """
    text = README.read_text()
    tables = {
        "files": _file_table(FILE_BOARDS.values()),
        "instruments": _instrument_table(INSTRUMENT_BOARDS.values()),
    }
    for name, table in tables.items():
        begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, found_begin, after = text.partition(begin)
        _, found_end, after = after.partition(end)
        if not (found_begin and found_end):
            raise UserError(
                f"{README} lacks the lines {begin.strip()} and {end} around a table: restore them"
            )
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def _file_table(boards: Iterable[Board]) -> str:
    head = ["folder", "core", "machine", "RAM", "sound input", "instructions counted by"]
    rows = []
    for board in boards:
        machine = f"QEMU `{board.machine}`" if board.machine else _runtime(board)
        steps = f"SysTick, steps of {10**9 // board.clock_hz}" if board.clock_hz else "—"
        ram = _kibibytes(board.ram.n_bytes) if board.ram else "—"
        rows.append([f"`{board.name}`", board.core, machine, ram, _input(board), steps])
    return markdown.table(head, rows)


def _runtime(board: Board) -> str:
    return "Node.js" if board.processor is WASM else "POSIX"


def _instrument_table(boards: Iterable[Board]) -> str:
    head = ["folder", "board", "chip, core, clock", "flash, RAM", "voices", "reverb"]
    head += ["sound input", "tested by"]
    rows = []
    for board in boards:
        assert board.flash is not None and board.ram is not None
        memories = f"{_kibibytes(board.flash.n_bytes)}, {_kibibytes(board.ram.n_bytes)}"
        rows.append(
            [
                f"[`{board.name}`]({board.name}/README.md)",
                board.title,
                f"{board.chip}, {_cores(board)}, {board.clock_hz / 1e6:.0f} MHz",
                memories,
                f"{board.n_voices}, tiny: {board.n_tiny_voices}",
                f"up to {board.reverb_seconds:g} s" if board.reverb_seconds else "no FPU",
                _input(board),
                _tested_by(board),
            ]
        )
    return markdown.table(head, rows)


def _cores(board: Board) -> str:
    return board.core if board.n_cores == 1 else f"{board.n_cores} × {board.core}"


def _input(board: Board) -> str:
    return "yes" if board.has_input else "—"


def _tested_by(board: Board) -> str:
    emulator = f"QEMU's `{board.machine}`" if board.machine else board.image_emulator
    return f"the image itself, in {emulator}"


def _kibibytes(n_bytes: int) -> str:
    return f"{n_bytes / 1024:g} KiB"
