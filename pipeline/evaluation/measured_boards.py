"""What real boards have measured, as far as somebody has sent a report (``data/boards``)."""

from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import BOARD_REPORT_DIR
from pipeline.evaluation.selftest_report import load_report
from pipeline.target.selftest_lines import Line


def measured_text(board: str, folder: Path = BOARD_REPORT_DIR) -> str:
    """Returns what a real board takes of its time, and how soon it sounds, as a phrase.

    Args:
        board: Name of the board.
        folder: Folder of reports; a report is named after its board.

    Returns:
        The phrase; nothing if there is no report of the board.

    Raises:
        UserError: The report is one that `pipeline.board_report` refuses, or that of another board,
            or a check failed on the board.
    """
    path = folder / f"{board}.json"
    if not path.is_file():
        return ""
    report = load_report(path)
    head = report.head
    if head["board"] != board:
        raise UserError(f"{path} is the report of another board, {head['board']}: rename it")
    if not (head["counts_per_block"] and report.of("latency")):
        raise UserError(f"{path} is the report of a board that does not play in time: remove it")
    if report.failed:
        raise UserError(f"{path} says what failed, {report.failed[0]}: remove it")
    block = next(filter(_is_warm_block, report.lines))
    worst, latency = report.of("worst_block")[0], report.of("latency")[0]
    return (
        f"one voice of {block['model']} {_percent(block['median'], head['counts_per_block'])}, "
        f"worst block {_percent(worst['max'], head['counts_per_block'])} with {worst['voices']}, "
        f"MIDI to sound at most {1000 * latency['max'] / head['counter_hz']:.1f} ms"
    )


def _is_warm_block(line: Line) -> bool:
    is_cost: bool = line["part"] == "cost"
    return is_cost and line["stage"] == "block" and line["caches"] == "warm"


def _percent(counts: int, counts_per_block: int) -> str:
    return f"{100 * counts / counts_per_block:.1f} %"
