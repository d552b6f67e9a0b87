"""The report of a board: what is written, and what is refused in one line."""

import json
import re
import sys
from pathlib import Path

import pytest
from support.fake_board import printing, report_lines, text_of
from support.refusals import refusal
from support.replacing import replaced

from pipeline import board_report
from pipeline.core.paths import MODEL_DIR
from pipeline.evaluation.board_estimates import estimate_report
from pipeline.target.selftest import model_checksum


def run(port: str, out: Path, *options: object) -> None:
    board_report.main(["--port", port, "--out", str(out), *map(str, options)])


def test_report_of_a_board_that_nobody_knows_is_written(tmp_path, capsys):
    with printing(text_of(report_lines())) as port:
        run(port, tmp_path)
    printed = capsys.readouterr().out.splitlines()
    worst = (
        "900 blocks with 2 voices on 1 core: mean 1 500, worst 3 000 cycles in block 7, 75.0 % of "
        "the time; 0 late."
    )
    assert printed[1:] == [
        "stranger: 6 checks",
        "flute_tiny: 1 010 cycles per block, 25.2 % of 4 ms",
        worst,
        "Stack: 700 bytes.",
        "MIDI to sound: minimum 4.10, median 6.00, maximum 7.99 ms.",
        "stranger is not a board of this project",
        f"all checks passed; report in {tmp_path / 'board_report.md'}",
        f"next: send {tmp_path / 'board_report.json'} to the project",
    ]
    text = (tmp_path / "board_report.md").read_text()
    assert text.startswith("# stranger, XY1\n")
    assert "| CPUID | `0x410cc601` | Cortex-M0+ r0p1 | manual 2.4 |\n" in text
    row = "| flute_tiny | fm | 1 000 | 1 010 | 1 020 | 25.2 % | 1 510 | 1 520 | — | — |\n"
    assert row in text
    assert "| TIMER | manual 4 | 1000 | 999.0 | -999 |\n" in text
    assert "| DWT_CPICNT | manual 5 | present |\n" in text
    assert "| flute_tiny | fm | 40 000 | 20.0 % | 10.0 % | 0.0 % | 5.0 % | 1.0 % |\n" in text
    assert "fm of flute_tiny: 3 of 200 stretches were longer than 255 cycles" in text
    assert "minimum 4.10, median 6.00, maximum 7.99 ms over 32 notes at all phases" in text
    assert f"\n{worst}\nStack: 700 bytes.\n" in text
    assert "stranger is not a board of this project" in text
    figures = json.loads((tmp_path / "board_report.json").read_text())
    assert figures["lines"] == list(map(json.loads, report_lines()))
    assert figures["failed"] == [] and figures["estimates"] == {}


def test_failed_check_is_named_after_the_report_is_written(tmp_path, capsys):
    lines = report_lines({"flash": {"found": "0x2", "ok": False}})
    with printing(text_of(lines)) as port:
        line = refusal(capsys, board_report.main, "--port", port, "--out", tmp_path)
    report = tmp_path / "board_report.md"
    wrong = "flash: checksum 0x2 instead of 0x1"
    assert line == f"error: failed: {wrong} (report in {report})"
    assert f"| {wrong} | **failed** |\n" in report.read_text()
    assert json.loads(report.with_suffix(".json").read_text())["failed"] == [wrong]


def test_report_is_written_without_the_tools_for_estimates(tmp_path, capsys, monkeypatch):
    checksum = model_checksum(MODEL_DIR / "flute" / "tiny" / "decoder_int8.tflite")
    changes = {"begin": {"board": "pico", "cores": 2}, "model": {"tflite": f"{checksum:#010x}"}}
    monkeypatch.setenv("PATH", str(tmp_path))
    with printing(text_of(report_lines(changes))) as port:
        run(port, tmp_path / "report")
    printed = capsys.readouterr().out
    remark = re.search(
        "^no estimate for flute_tiny: cmake is not installed: .*", printed, re.MULTILINE
    )
    assert remark is not None and "all checks passed" in printed
    text = (tmp_path / "report" / "board_report.md").read_text()
    assert f"\n{remark[0]}\n" in text and "\nStack of the first core: 700 bytes.\n" in text
    assert "| flute_tiny | fm | 1 000 | 1 010 | 1 020 | 25.2 % | 1 510 | 1 520 | — | — |" in text


def test_report_stays_when_the_estimates_are_interrupted(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with (
        replaced(estimate_report, interrupt),
        printing(text_of(report_lines())) as port,
        pytest.raises(KeyboardInterrupt),
    ):
        run(port, tmp_path)
    assert (tmp_path / "board_report.md").read_text().startswith("# stranger, XY1\n")


def test_damaged_report_leaves_an_earlier_one_alone(tmp_path, capsys):
    (tmp_path / "board_report.md").write_text("earlier")
    lines = report_lines()
    with printing(text_of([*lines[:4], "garbage", *lines[4:]])) as port:
        line = refusal(capsys, board_report.main, "--port", port, "--out", tmp_path)
    assert line.startswith("error: line 5 of the report is damaged, 'garbage'")
    assert (tmp_path / "board_report.md").read_text() == "earlier"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "the following arguments are required: --port"),
        (["--port", "nowhere"], "nowhere cannot be used (No such file or directory)"),
        (["--port", "nowhere", "--wait", "4"], "--wait: '4' is not a number from 5 to 600"),
    ],
)
def test_bad_option_is_refused(options, reason, tmp_path, capsys):
    line = refusal(capsys, board_report.main, *options, "--out", tmp_path)
    assert line.startswith(f"error: {reason}")


def test_missing_pyserial_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    line = refusal(capsys, board_report.main, "--port", "x", "--out", tmp_path)
    assert line == "error: pyserial is not installed: pip install pyserial"
