"""What real boards have measured stands in the README and in the report of the benchmark."""

import json

import pytest
from support.fake_board import report_lines

from pipeline.core.errors import UserError
from pipeline.core.paths import BOARD_REPORT_DIR, REPOSITORY
from pipeline.evaluation.measured_boards import measured_text
from pipeline.evaluation.selftest_report import parse_report
from pipeline.target.boards import INSTRUMENT_BOARDS


def write_report(folder, changes=None, board="pico"):
    lines = parse_report(report_lines({"begin": {"board": "pico"}, **(changes or {})})).lines
    (folder / f"{board}.json").write_text(json.dumps({"lines": list(lines), "messages": []}))


def test_column_of_the_readme_is_what_boards_have_measured():
    readme = (REPOSITORY / "README.md").read_text()
    table = readme[readme.index("| board | instructions per block |") :].split("\n\n")[0]
    head, _, *rows = ([cell.strip() for cell in row.split("|")] for row in table.splitlines())
    assert head[-2] == "measured on a board"
    found = {row[1].partition(",")[0]: row[-2] for row in rows}
    assert found == {name: measured_text(name) for name in INSTRUMENT_BOARDS}


def test_folder_holds_reports_of_known_boards_alone():
    names = {path.stem for path in BOARD_REPORT_DIR.glob("*.json")}
    assert names <= INSTRUMENT_BOARDS.keys()


def test_report_is_one_phrase_and_none_is_nothing(tmp_path):
    assert measured_text("pico", tmp_path) == ""
    write_report(tmp_path)
    assert measured_text("pico", tmp_path) == (
        "one voice of flute_tiny 25.2 %, worst block 75.0 % with 2, MIDI to sound at most 8.0 ms"
    )


@pytest.mark.parametrize(
    ("board", "changes", "reason"),
    [
        ("pico2", {}, "is the report of another board, pico: rename it"),
        (
            "pico",
            {"begin": {"board": "pico", "counts_per_block": 0}},
            "is the report of a board th",
        ),
        ("pico", {"flash": {"found": "0x2", "ok": False}}, "says what failed, flash: checksum"),
    ],
)
def test_report_that_says_nothing_about_the_board_is_refused(tmp_path, board, changes, reason):
    write_report(tmp_path, changes, board)
    with pytest.raises(UserError, match=f"{board}.json {reason}"):
        measured_text(board, tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"lines": []}', '{"lines": [{"part": "end"}]}', '{"lines":' + "[" * 100_000],
)
def test_damaged_report_is_refused(tmp_path, text):
    (tmp_path / "pico.json").write_text(text)
    with pytest.raises(UserError, match=r"is no report of python -m pipeline\.board_report"):
        measured_text("pico", tmp_path)


def test_report_without_the_cost_of_a_block_is_refused(tmp_path):
    write_report(tmp_path)
    content = json.loads((tmp_path / "pico.json").read_text())
    lines = [line for line in content["lines"] if line.get("stage") != "block"]
    (tmp_path / "pico.json").write_text(json.dumps(content | {"lines": lines}))
    with pytest.raises(UserError, match=r"pico.json is no report of python -m pipeline\.board_rep"):
        measured_text("pico", tmp_path)


@pytest.mark.parametrize("messages", [5, "error", [3], None])
def test_messages_that_are_no_texts_are_refused(tmp_path, messages):
    write_report(tmp_path)
    content = json.loads((tmp_path / "pico.json").read_text())
    (tmp_path / "pico.json").write_text(json.dumps(content | {"messages": messages}))
    with pytest.raises(UserError, match=r"pico.json is no report of python -m pipeline\.board_rep"):
        measured_text("pico", tmp_path)


def test_report_that_contradicts_itself_is_refused(tmp_path):
    write_report(tmp_path)
    text = (tmp_path / "pico.json").read_text()
    (tmp_path / "pico.json").write_text(text.replace('"mean": 1500', '"mean": 3500'))
    with pytest.raises(UserError, match="line 16 contradicts itself: the mean of 900 blocks"):
        measured_text("pico", tmp_path)
