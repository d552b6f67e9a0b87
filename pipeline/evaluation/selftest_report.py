"""The report of a self-test (``tflm_app/apps/selftest``): reads its lines and checks their form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.evaluation.selftest_consistency import find_contradiction
from pipeline.target.selftest_lines import Line, format_of, parse_line, parse_object

FORMAT = 2
_COUNTED = {"lines": "lines", "checks": "checks", "failed": "failed checks"}
_MESSAGES = ("error ", "fault")  # what the firmware prints when something is missing on the board


@dataclass(frozen=True)
class SelftestReport:
    """What a board has reported.

    Attributes:
        lines: The lines of the report, from the first to the last.
        messages: What the firmware has printed about missing parts of the board.
    """

    lines: Sequence[Line]
    messages: Sequence[str]

    @property
    def head(self) -> Line:
        """The first line, which says what the board is."""
        return self.lines[0]

    def of(self, part: str) -> list[Line]:
        """Returns the lines about one part."""
        return [line for line in self.lines if line["part"] == part]

    @property
    def failed(self) -> list[str]:
        """What failed, in words."""
        return [describe_check(line) for line in self.lines if line.get("ok") is False]


def measured_hz(line: Line) -> float:
    """Returns the frequency of a clock by the board's counter; 0 if the clock stands still."""
    return float(line["hz"] * line["expected"] / line["found"]) if line["found"] else 0.0


def describe_check(line: Line) -> str:
    """Returns what a line checks and, if it failed, what is wrong."""
    part, is_passed = line["part"], line["ok"]
    if part == "flash":
        wrong = f"checksum {line['found']} instead of {line['expected']}"
        return "flash" if is_passed else f"flash: {wrong}"
    if part == "memory":
        return line["name"] if is_passed else f"{line['name']}: fault at {line.get('fault')}"
    if part == "model":
        name = f"{line['stage']} of {line['model']}"
        return name if is_passed else f"{name}: differs from frame {line.get('first_wrong_frame')}"
    if part == "clock":
        wrong = f"{measured_hz(line):.1f} Hz instead of {line['hz']} Hz"
        return f"clock {line['name']}" if is_passed else f"clock {line['name']}: {wrong}"
    if part == "latency":
        wrong = f"{line['sounded']} of {line['notes']} notes sounded in time"
        return "MIDI to sound" if is_passed else f"MIDI to sound: {wrong}"
    wrong = f"{line['late']} of {line['blocks']} blocks take over 4 ms"
    return "worst block" if is_passed else f"worst block: {wrong}"


def parse_report(texts: Sequence[str]) -> SelftestReport:
    """Reads a report.

    Args:
        texts: Its lines, from the first to the last.

    Raises:
        UserError: It has another format, lines are missing, damaged or contradictory, or there is
            other text.
    """
    found_format = format_of(texts[0]) if texts else None
    if found_format is not None and found_format != FORMAT:
        raise UserError(
            f"the report has format {found_format}, and this version reads {FORMAT}: flash the "
            "self-test of this version"
        )
    lines: list[Line] = []
    messages = []
    for number, text in enumerate(texts, 1):
        if text.startswith(_MESSAGES):
            messages.append(text)
        elif text:
            lines.append(_parse_line(text, number))
    if not lines or lines[0]["part"] != "begin" or lines[-1]["part"] != "end":
        raise UserError("the report has no beginning or no end: read it again")
    end = lines[-1]
    checks = [line["ok"] for line in lines if "ok" in line]
    counts = {"lines": len(lines) - 1, "checks": len(checks), "failed": checks.count(False)}
    for name, n_found in counts.items():
        if end[name] != n_found:
            raise UserError(
                f"the report has {n_found} {_COUNTED[name]}, and the board has sent {end[name]}: "
                "read it again"
            )
    contradiction = find_contradiction(lines)
    if contradiction:
        raise UserError(f"{contradiction}: read the report again")
    return SelftestReport(lines, messages)


def load_report(path: Path) -> SelftestReport:
    """Reads a report that `pipeline.board_report` has written as JSON.

    Raises:
        UserError: It is no such file, or `parse_report` refuses what it contains.
    """
    try:
        content = parse_object(path.read_text())
        lines, messages = content["lines"], content["messages"]
        if not all(isinstance(text, str) for text in messages) or isinstance(messages, str):
            raise ValueError(messages)
        texts = [*map(json.dumps, lines), *messages]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path} is no report of python -m pipeline.board_report") from None
    try:
        return parse_report(texts)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _parse_line(text: str, number: int) -> Line:
    try:
        return parse_line(text)
    except ValueError:
        raise UserError(
            f"line {number} of the report is damaged, {text[:60]!r}: check the wiring of the "
            "console, and read it again"
        ) from None
