"""A report of a self-test is complete and well-formed, or it is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_board import report_lines

from pipeline.core.errors import UserError
from pipeline.evaluation.board_estimates import Estimates, estimate_report
from pipeline.evaluation.board_report import report_json, report_text
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


@pytest.mark.parametrize("nested", ["[" * 900, '{"a":' * 200])
def test_deeply_nested_line_is_refused(nested):
    lines = report_lines()
    with pytest.raises(UserError, match=r"^line 4 of the report is damaged, '"):
        parse_report([*lines[:3], nested, *lines[3:]])


@pytest.mark.parametrize(
    ("number", "part", "change"),
    [
        (1, "begin", {"format": True}),
        (1, "begin", {"board": "../pico"}),
        (1, "begin", {"chip": "\ud800"}),
        (1, "begin", {"chip": "two\nlines"}),
        (1, "begin", {"chip": "a | b"}),
        (1, "begin", {"unit": "seconds"}),
        (1, "begin", {"voices": 0}),
        (1, "begin", {"cores": 0}),
        (1, "begin", {"counter_hz": -3}),
        (2, "register", {"value": "12"}),
        (3, "flash", {"ok": 1}),
        (4, "memory", {"ok": False, "fault": 3}),
        (5, "cost", {"min": None}),
        (5, "cost", {"stage": None}),
        (5, "cost", {"caches": "lukewarm"}),
        (5, "cost", {"min": -5, "median": -4, "max": -3}),
        (5, "cost", {"min": 9, "median": 8, "max": 9}),
        (5, "cost", {"max": 1 << 32}),
        (15, "model", {"tflite": "0xg1"}),
        (15, "model", {"tflite": ""}),
        (15, "model", {"model": "\0a_tiny"}),
        (15, "model", {"model": "a" * 400 + "_tiny"}),
        (15, "model", {"ok": False, "first_wrong_frame": "3"}),
        (15, "model", {"comment": 3}),
        (17, "worst_block", {"late": -1}),
        (17, "worst_block", {"blocks": 0}),
        (19, "clock", {"hz": 0}),
        (19, "clock", {"hz": 10**400}),
        (20, "end", {"lines": 19.0}),
    ],
)
def test_value_that_the_firmware_cannot_print_is_refused(number, part, change):
    with pytest.raises(UserError, match=f"^line {number} of the report is damaged"):
        parse_report(report_lines({part: change}))


def test_repeated_entry_is_refused():
    lines = report_lines()
    lines[2] = lines[2].replace('"ok": true', '"ok": true, "ok": false')
    with pytest.raises(UserError, match=r"^line 3 of the report is damaged"):
        parse_report(lines)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lines": 18}, "has 19 lines, and the board has sent 18"),
        ({"checks": 6}, "has 5 checks, and the board has sent 6"),
        ({"failed": 5}, "has 0 failed checks, and the board has sent 5"),
    ],
)
def test_counts_of_the_board_must_agree(change, words):
    with pytest.raises(UserError, match=f"^the report {words}: read it again"):
        parse_report(report_lines({"end": change}))


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
        assert report_text(report, Estimates({}, [])).startswith("# ")
        figures = report_json(report, estimate_report(report))
        assert json.loads(json.dumps(figures).encode())["lines"][-1]["part"] == "end"


@pytest.mark.parametrize("lines", [[], report_lines()[1:], report_lines()[:-1]])
def test_report_without_beginning_or_end_is_refused(lines):
    with pytest.raises(UserError, match="has no beginning or no end"):
        parse_report(lines)


def test_report_of_another_format_is_refused():
    with pytest.raises(UserError, match="has format 2, and this version reads 1: flash the self"):
        parse_report(report_lines({"begin": {"format": 2}}))
