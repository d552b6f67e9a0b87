"""A report of a self-test is complete and well-formed, or it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_board import report_lines

from pipeline.core.errors import UserError
from pipeline.evaluation.selftest_report import parse_report


def test_messages_and_progress_are_set_apart():
    lines = report_lines()
    report = parse_report([*lines[:4], "error 4: the codec does not answer", "", *lines[4:]])
    assert report.messages == ["error 4: the codec does not answer"]
    assert report.of("progress") == [] and len(report.lines) == len(lines) - 1
    assert report.head["board"] == "stranger" and report.failed == []


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("flash", {"found": "0x2"}, "flash: checksum 0x2 instead of 0x1"),
        ("memory", {"fault": "0x2010"}, "RAM: fault at 0x2010"),
        ("model", {"first_wrong_frame": 17}, "fm of flute_tiny: differs from frame 17"),
        ("worst_block", {"late": 3}, "worst block: 3 of 900 blocks take over 4 ms"),
        ("clock", {"found": 8000}, "clock TIMER: 1250.0 Hz instead of 1000 Hz"),
        ("clock", {"found": 0}, "clock TIMER: 0.0 Hz instead of 1000 Hz"),
    ],
)
def test_failed_check_is_named(part, change, words):
    report = parse_report(report_lines({part: change | {"ok": False}}))
    assert report.failed == [words]


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"part": "what"}', '{"part": []}', "neural FM"])
def test_line_of_another_kind_is_refused(text):
    lines = report_lines()
    with pytest.raises(UserError, match=r"^line 4 of the report is damaged, '"):
        parse_report([*lines[:3], text, *lines[3:]])


@pytest.mark.parametrize("name", ["min", "stage"])
def test_line_with_a_value_of_another_type_is_refused(name):
    with pytest.raises(UserError, match=r"^line 5 of the report is damaged"):
        parse_report(report_lines({"cost": {name: None}}))


@given(st.integers(1, len(report_lines()) - 2))
def test_missing_line_is_noticed(number):
    lines = report_lines()
    del lines[number]
    with pytest.raises(UserError, match=r"^the report has \d+ lines, and the board has sent \d+"):
        parse_report(lines)


@given(st.integers(0, len(report_lines()) - 1), st.data())
def test_damaged_byte_is_refused_or_only_changes_a_value(number, data):
    lines = report_lines()
    line = lines[number]
    at = data.draw(st.integers(0, len(line) - 1))
    lines[number] = line[:at] + data.draw(st.characters(codec="ascii")) + line[at + 1 :]
    try:
        report = parse_report(lines)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert [each["part"] for each in report.lines][-1] == "end"


@pytest.mark.parametrize("lines", [[], report_lines()[1:], report_lines()[:-1]])
def test_report_without_beginning_or_end_is_refused(lines):
    with pytest.raises(UserError, match="has no beginning or no end"):
        parse_report(lines)


def test_report_of_another_format_is_refused():
    with pytest.raises(UserError, match="has format 2, and this version reads 1: flash the self"):
        parse_report(report_lines({"begin": {"format": 2}}))
