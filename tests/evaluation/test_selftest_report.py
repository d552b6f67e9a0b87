"""A report of a self-test is complete and well-formed, or it is refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_board import report_lines

from pipeline.core.errors import UserError
from pipeline.evaluation.board_estimates import Estimates, estimate_report
from pipeline.evaluation.board_report import report_json, report_text
from pipeline.evaluation.chip_revisions import describe_register
from pipeline.evaluation.selftest_report import parse_report


def test_messages_are_set_apart():
    lines = report_lines()
    report = parse_report([*lines[:4], "error 4: the codec does not answer", "", *lines[4:]])
    assert report.messages == ["error 4: the codec does not answer"]
    assert list(report.lines) == list(map(json.loads, lines))
    assert report.head["board"] == "stranger" and report.failed == []


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("flash", {"found": "0x2"}, "flash: checksum 0x2 instead of 0x1"),
        ("memory", {"fault": "0x2010"}, "RAM: fault at 0x2010"),
        ("model", {"first_wrong_frame": 17}, "fm of flute_tiny: differs from frame 17"),
        ("worst_block", {"late": 3, "max": 4001}, "worst block: 3 of 900 blocks take over 4 ms"),
        ("clock", {"found": 8000}, "clock TIMER: 1250.0 Hz instead of 1000 Hz"),
        ("clock", {"found": 0}, "clock TIMER: 0.0 Hz instead of 1000 Hz"),
        ("latency", {"sounded": 31}, "MIDI to sound: 31 of 32 notes sounded in time"),
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
        (1, "begin", {"counter_hz": 0, "counts_per_block": 0}),
        (1, "begin", {"models": 0}),
        (2, "register", {"value": "12"}),
        (3, "flash", {"ok": 1}),
        (4, "memory", {"ok": False, "fault": 3}),
        (4, "memory", {"bytes": 0}),
        (5, "cost", {"min": 0}),
        (5, "cost", {"min": 0, "median": 0, "max": 0}),
        (5, "cost", {"min": None}),
        (5, "cost", {"stage": None}),
        (5, "cost", {"caches": "lukewarm"}),
        (5, "cost", {"min": -5, "median": -4, "max": -3}),
        (5, "cost", {"max": 1 << 32}),
        (15, "model", {"tflite": "0xg1"}),
        (15, "model", {"tflite": ""}),
        (15, "model", {"model": "\0a_tiny"}),
        (15, "model", {"model": "a" * 400 + "_tiny"}),
        (15, "model", {"ok": False, "first_wrong_frame": "3"}),
        (15, "model", {"comment": 3}),
        (15, "model", {"frames": 0}),
        (17, "worst_block", {"late": -1}),
        (17, "worst_block", {"blocks": 0}),
        (17, "worst_block", {"mean": 0}),
        (17, "worst_block", {"mean": 0, "max": 0}),
        (19, "clock", {"hz": 0}),
        (19, "clock", {"hz": 10**400}),
        (19, "clock", {"expected": 0, "found": 0}),
        (20, "latency", {"notes": 0}),
        (21, "counter", {"present": 1}),
        (22, "stalls", {"cycles": 0}),
        (22, "stalls", {"lsu": None}),
        (23, "end", {"lines": 22.0}),
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
        ({"lines": 18}, "has 22 lines, and the board has sent 18"),
        ({"checks": 7}, "has 6 checks, and the board has sent 7"),
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
    lines = report_lines({"begin": {"format": 1, "engine": "aot"}})  # which had other entries
    with pytest.raises(UserError, match="has format 1, and this version reads 2: flash the self"):
        parse_report(lines)


CONTRADICTIONS = [
    (1, "begin", {"counts_per_block": 3990}, "3990 counts per block are not 4 ms at 1000000 Hz"),
    (1, "begin", {"counter_hz": 1000250}, "4000 counts per block are not 4 ms at 1000250 Hz"),
    (3, "flash", {"found": "0x2"}, "ok is true, and 0x2 was found in 9 bytes"),
    (3, "flash", {"ok": False}, "ok is false, and 0x1 was found in 9 bytes"),
    (4, "memory", {"ok": False}, "ok is false, and no fault"),
    (4, "memory", {"fault": "0x2010"}, "ok is true, and the fault is at 0x2010"),
    (4, "memory", {"fault": "0x2040", "ok": False}, "the fault at 0x2040 is outside of it"),
    (5, "cost", {"min": 1011}, "min 1011, median 1010 and max 1020 are not in order"),
    (5, "cost", {"median": 1021}, "min 1000, median 1021 and max 1020 are not in order"),
    (5, "cost", {"max": 250001}, "250001 cycles are over 250 ms at 1000000 Hz"),
    (5, "cost", {"max": (1 << 32) - 1}, "4294967295 cycles are over 250 ms at 1000000 Hz"),
    (15, "model", {"first_wrong_frame": 3}, "ok is true, and the first wrong frame is 3"),
    (15, "model", {"ok": False, "first_wrong_frame": 132}, "frame 132 of 132 is wrong"),
    (16, "progress", {"block": 901}, "block 901 of 900"),
    (17, "worst_block", {"late": 3}, "ok is true, and 3 blocks are late"),
    (17, "worst_block", {"late": 3, "ok": False}, "3 blocks are late, and the worst takes 3000"),
    (17, "worst_block", {"max": 4001}, "0 blocks are late, and the worst takes 4001 of 4000"),
    (17, "worst_block", {"at_block": 900}, "there are only 900 blocks"),
    (17, "worst_block", {"mean": 3001}, "the mean of 900 blocks is 3001, and the worst takes 3000"),
    (17, "worst_block", {"mean": 2}, "the mean of 900 blocks is 2, and the worst takes 3000"),
    (
        17,
        "worst_block",
        {"max": 250001, "late": 1, "ok": False},
        "250001 cycles are over 250 ms at",
    ),
    (17, "worst_block", {"voices": 3}, "3 voices play, and the board has 2"),
    (19, "clock", {"found": 10021}, "ok is true, and 10021 counts of 10000 were found"),
    (19, "clock", {"expected": 9999}, "10 ticks at 1000 Hz are not 9999 at 1000000 Hz"),
    (19, "clock", {"hz": 500}, "10 ticks at 500 Hz are not 10000 at 1000000 Hz"),
    (20, "latency", {"max": 4000}, "min 4100, median 6000 and max 4000 are not in order"),
    (20, "latency", {"sounded": 33}, "ok is true, and 33 of 32 notes sounded"),
    (22, "stalls", {"long": 201}, "201 of 200 stretches are long"),
    (22, "stalls", {"lsu": 40001}, "lsu counts 40001 in 40000 cycles"),
]


def change_line(number: int, change: dict) -> list[str]:
    lines = report_lines()
    changed = json.loads(lines[number - 1]) | change
    lines[number - 1] = json.dumps(changed)
    end = json.loads(lines[-1])
    lines[-1] = json.dumps(end | {"failed": int(changed.get("ok") is False)})
    return lines


@pytest.mark.parametrize(("number", "part", "change", "words"), CONTRADICTIONS)
def test_line_that_contradicts_itself_is_refused(number, part, change, words):
    lines = change_line(number, change)
    assert json.loads(lines[number - 1])["part"] == part
    with pytest.raises(UserError, match=f"^line {number} contradicts itself: {re.escape(words)}"):
        parse_report(lines)


def test_more_late_blocks_than_there_is_time_for_are_refused():
    """900 blocks of 1 500 cycles are the time of 337 blocks of 4 000."""
    change = {"late": 338, "max": 4001, "ok": False}
    with pytest.raises(UserError, match="338 late blocks take more time than all 900: read the"):
        parse_report(change_line(17, change))
    assert parse_report(change_line(17, change | {"late": 337})).failed


def test_stage_that_takes_longer_than_its_block_is_refused():
    with pytest.raises(UserError, match=r"^lines 7 and 9 contradict: fm takes longer than the"):
        parse_report(change_line(7, {"max": 1021}))


@pytest.mark.parametrize(
    ("worst", "is_possible"),
    [({"mean": 900, "max": 1010}, True), ({"mean": 900, "max": 1009}, False)],
)
def test_voice_that_takes_longer_than_the_worst_block_of_all_is_refused(worst, is_possible):
    lines = report_lines({"worst_block": worst})
    if is_possible:
        assert not parse_report(lines).failed
        return
    contradiction = (
        "^lines 9 and 17 contradict: a voice of flute_tiny takes 1010, and the worst block with 2 "
        "takes 1009: read the report again$"
    )
    with pytest.raises(UserError, match=contradiction):
        parse_report(lines)


def test_model_that_the_score_does_not_reach_may_take_longer_than_the_worst_block():
    """Each of the score's turns has 24 blocks and plays the next model."""
    slow = report_lines({"cost": {"min": 3000, "median": 3001, "max": 3002}})[4:15]
    of_slow = [line.replace("flute_tiny", "slow") for line in slow]
    for blocks, is_possible in ((24, True), (25, False)):
        changes = {"begin": {"models": 2}, "worst_block": {"blocks": blocks}}
        lines = [*report_lines(changes)[:15], *of_slow, *report_lines(changes)[15:-1]]
        end = {"part": "end", "lines": len(lines), "checks": 7, "failed": 0}
        lines.append(json.dumps(end))
        if is_possible:
            assert not parse_report(lines).failed
        else:
            with pytest.raises(UserError, match=r"^lines 20 and 28 contradict: a voice of slow"):
                parse_report(lines)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (3, "no line is about flash"),
        (9, "no line says what a block of flute_tiny takes"),
        (17, "no line is about worst_block"),
        (18, "no line is about stack"),
    ],
)
def test_report_without_what_every_board_reports_is_refused(number, words):
    lines = report_lines()
    removed = json.loads(lines.pop(number - 1))
    end = json.loads(lines[-1])
    end |= {"lines": end["lines"] - 1, "checks": end["checks"] - ("ok" in removed)}
    with pytest.raises(UserError, match=f"^{words}: read the report again$"):
        parse_report([*lines[:-1], json.dumps(end)])


@pytest.mark.parametrize(
    ("possible", "impossible"), [({"min": 2000}, {"min": 1999}), ({"max": 52000}, {"max": 52001})]
)
def test_latency_that_no_board_can_measure_is_refused(possible, impossible):
    assert not parse_report(change_line(20, possible)).failed
    with pytest.raises(UserError, match=r"^lines 1 and 20 contradict: notes sound after \d+ to \d"):
        parse_report(change_line(20, impossible))


@pytest.mark.parametrize(
    ("part", "late"),
    [
        ("clock", {"found": 80000, "ok": False}),
        ("worst_block", {"late": 3, "max": 4001, "ok": False}),
    ],
)
def test_latency_of_a_board_that_is_late_may_be_long_but_not_nothing(part, late):
    changes = {part: late, "latency": {"min": 33000, "median": 48000, "max": 64000}}
    assert len(parse_report(report_lines(changes)).failed) == 1
    changes["latency"] |= {"min": 0}
    with pytest.raises(UserError, match="lines 1 and 20 contradict: notes sound after 0 to 64000"):
        parse_report(report_lines(changes))


def test_latency_is_nothing_if_no_note_sounds():
    silent = {"sounded": 0, "min": 0, "median": 0, "max": 0, "ok": False}
    (failed,) = parse_report(report_lines({"latency": silent})).failed
    assert failed == "MIDI to sound: 0 of 32 notes sounded in time"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (4, 5, "memory RAM"),
        (7, 9, "cost flute_tiny fm warm"),
        (17, 19, "worst_block"),
        (19, 22, "clock TIMER"),
    ],
)
def test_repeated_line_is_refused(first, second, words):
    lines = report_lines()
    lines[second - 1] = lines[first - 1]
    checks = [json.loads(line).get("ok") for line in lines[:-1]]
    end = json.loads(lines[-1])
    lines[-1] = json.dumps(end | {"checks": sum(ok is not None for ok in checks)})
    with pytest.raises(UserError, match=f"^lines {first} and {second} are both about {words}: "):
        parse_report(lines)


def test_number_of_models_must_agree():
    with pytest.raises(UserError, match=r"^line 1 announces 2 models, and 1 follow: read the rep"):
        parse_report(report_lines({"begin": {"models": 2}}))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CPUID", 0x410CC601, "Cortex-M0+ r0p1"),
        ("CPUID", 0x411FC271, "Cortex-M7 r1p1"),
        ("CHIP_ID", 0x10002927, "RP2040, revision 1"),
        ("CHIP_ID", 0x20004927, "RP2350, revision 2"),
        ("DBGMCU_IDCODE", 0x20036450, "STM32H742/743/753, revision V"),
        ("DBGMCU_IDCODE", 0x10076413, "STM32F405/407, revision 2"),
        ("DBGMCU_IDCODE", 0x12340999, "device 0x999, revision 0x1234"),
        ("DBGMCU_IDCODE", 0, "—"),
    ],
)
def test_identity_names_chip_and_revision(name, value, words):
    assert describe_register(name, value) == words
