"""Writes what a board has measured as a table for readers and as JSON."""

from collections.abc import Mapping
from typing import Any

from pipeline.core import markdown
from pipeline.core.markdown import counted, thousands
from pipeline.evaluation.board_estimates import Estimates
from pipeline.evaluation.chip_revisions import describe_register
from pipeline.evaluation.selftest_report import SelftestReport, describe_check, measured_hz
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.selftest_lines import STALLS, Line


def report_json(report: SelftestReport, estimates: Estimates) -> dict[str, Any]:
    """Returns the JSON of a report: all that the board has sent, and the estimates."""
    return {
        "lines": list(report.lines),
        "messages": list(report.messages),
        "estimates": {name: dict(costs) for name, costs in estimates.costs.items()},
        "remarks": list(estimates.remarks),
        "failed": report.failed,
    }


def report_text(report: SelftestReport, estimates: Estimates) -> str:
    """Returns the report in Markdown."""
    board = ALL_BOARDS.get(report.head["board"])
    title = board.title if board else report.head["board"]
    sections = {
        "Identity": _identity(report),
        "Checks": _checks(report),
        "Clocks": _clocks(report),
        "Costs": _costs(report, estimates),
        "Stalls": _stalls(report),
        "Worst block": _worst_block(report),
        "From MIDI to sound": _latency(report),
    }
    sections = {heading: text for heading, text in sections.items() if text}
    if report.messages:
        sections["Messages of the board"] = "".join(f"- {text}\n" for text in report.messages)
    body = "\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# {title}, {report.head['chip']}\n\n{body}"


def _identity(report: SelftestReport) -> str:
    rows = [
        (
            line["name"],
            f"`{line['value']}`",
            describe_register(line["name"], int(line["value"], 16)),
            line["section"],
        )
        for line in report.of("register")
    ]
    return markdown.table(["register", "value", "chip and revision", "manual"], rows)


def _checks(report: SelftestReport) -> str:
    rows = []
    for line in report.lines:
        if "ok" in line:
            rows.append((describe_check(line), "passed" if line["ok"] else "**failed**"))
    return markdown.table(["check", ""], rows)


def _clocks(report: SelftestReport) -> str:
    head = report.head
    rows = []
    for line in report.of("clock"):
        hz = measured_hz(line)
        ppm = f"{1e6 * (hz / line['hz'] - 1):+.0f}"
        rows.append((line["name"], line["section"], str(line["hz"]), f"{hz:.1f}", ppm))
    titles = ["clock", "manual", "Hz, nominal", f"by {head['counter']}", "ppm"]
    return markdown.table(titles, rows, n_numeric=3)


def _share(counts: float, head: Line) -> str:
    block = head["counts_per_block"]
    return f"{100 * counts / block:.1f} %" if block else "—"


def _costs(report: SelftestReport, estimates: Estimates) -> str:
    head = report.head
    cold = {(line["model"], line["stage"]): line for line in report.of("cost") if _is_cold(line)}
    rows = []
    for line in report.of("cost"):
        if not _is_cold(line):
            others = cold.get((line["model"], line["stage"]), {})
            rows.append(_cost_row(line, others, estimates, head))
    titles = ["model", "stage", "min", "median", "max", "share", "cold, median", "cold, max"]
    table = markdown.table([*titles, "estimate", "measured / estimate"], rows, n_numeric=8)
    unit = f"{head['unit'].capitalize()} per block of 4 ms, by {head['counter']}"
    text = f"{unit} ({head['section']}), at {thousands(head['counter_hz'])} Hz.\n\n{table}"
    return text + "".join(f"\n{remark}\n" for remark in estimates.remarks)


def _is_cold(line: Line) -> bool:
    return bool(line["caches"] == "cold")


def _cost_row(
    line: Line, cold: Mapping[str, Any], estimates: Estimates, head: Line
) -> tuple[str, ...]:
    estimate = estimates.costs.get(line["model"], {}).get(line["stage"])
    return (
        line["model"],
        line["stage"],
        *(thousands(line[name]) for name in ("min", "median", "max")),
        _share(line["median"], head),
        *(thousands(cold[name]) if cold else "—" for name in ("median", "max")),
        thousands(estimate) if estimate else "—",
        f"{line['median'] / estimate:.2f}" if estimate else "—",
    )


def _worst_block(report: SelftestReport) -> str:
    head = report.head
    text = ""
    for line in report.of("worst_block"):
        text += (
            f"{counted(line['blocks'], 'block')} with {counted(line['voices'], 'voice')} on "
            f"{counted(head['cores'], 'core')}: mean {thousands(line['mean'])}, worst "
            f"{thousands(line['max'])} {head['unit']} in block {line['at_block']}, "
            f"{_share(line['max'], head)} of the time; {line['late']} late.\n"
        )
    stack = "Stack" if head["cores"] == 1 else "Stack of the first core"
    for line in report.of("stack"):
        text += f"{stack}: {counted(line['bytes'], 'byte')}.\n"
    return text


def _stalls(report: SelftestReport) -> str:
    rows = []
    for line in report.of("counter"):
        rows.append((line["name"], line["section"], "present" if line["present"] else "absent"))
    text = markdown.table(["counter", "manual", ""], rows) if rows else ""
    rows = []
    for line in report.of("stalls"):
        shares = (f"{100 * line[name] / line['cycles']:.1f} %" for name in STALLS)
        rows.append((line["model"], line["stage"], thousands(line["cycles"]), *shares))
        if line["long"]:
            text += (
                f"\n{line['stage']} of {line['model']}: {line['long']} of {line['stretches']} "
                "stretches were longer than 255 cycles, so counts may be missing.\n"
            )
    if rows:
        text += (
            "\nShares of the cycles of all frames, counted in stretches of about 128 cycles, with "
            "the interrupt that ends each of them; `nop` of `none` shows what that interrupt takes."
            "\n\n"
        )
        text += markdown.table(["model", "stage", "cycles", *STALLS], rows, n_numeric=6)
    return text


def _latency(report: SelftestReport) -> str:
    return "".join(
        f"From the last byte of a note-on, handed on as the receive interrupt does, until the half "
        f"of the output with its first sample begins to play: {_spread_ms(line, report.head)} over "
        f"{counted(line['notes'], 'note')} at all phases of a block. The three bytes take 0.96 ms "
        "on the wire before, and the converter delays what follows.\n"
        for line in report.of("latency")
    )


def _spread_ms(line: Line, head: Line) -> str:
    per_ms = head["counter_hz"] / 1000
    ms = [f"{line[name] / per_ms:.2f}" for name in ("min", "median", "max")]
    return f"minimum {ms[0]}, median {ms[1]}, maximum {ms[2]} ms"


def summary_lines(report: SelftestReport) -> list[str]:
    """Returns what a block of each model takes, the worst block, and how soon a note sounds."""
    head = report.head
    lines = [
        f"{line['model']}: {thousands(line['median'])} {head['unit']} per block, "
        f"{_share(line['median'], head)} of 4 ms"
        for line in report.of("cost")
        if line["stage"] == "block" and not _is_cold(line)
    ]
    lines += _worst_block(report).splitlines()
    return lines + [f"MIDI to sound: {_spread_ms(line, head)}." for line in report.of("latency")]
