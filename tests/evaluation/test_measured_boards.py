"""What real boards have measured stands in the README and in the report of the benchmark."""

import json

import pytest
from support.fake_board import report_lines

from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.paths import BOARD_REPORT_DIR, REPOSITORY
from pipeline.evaluation.board_estimates import Estimates
from pipeline.evaluation.board_report import report_json
from pipeline.evaluation.measured_boards import measured_text
from pipeline.evaluation.selftest_report import load_report, parse_report
from pipeline.target.boards import INSTRUMENT_BOARDS


def lines_of(changes=None):
    return report_lines({"begin": {"board": "pico"}, **(changes or {})})


def write_report(folder, changes=None, board="pico"):
    """Writes a report as `pipeline.board_report` does."""
    content = report_json(parse_report(lines_of(changes)), Estimates({}, []))
    write_json(folder / f"{board}.json", content)


def write_content(folder, lines, messages=()):
    content = {"lines": list(map(json.loads, lines)), "messages": list(messages)}
    (folder / "pico.json").write_text(json.dumps(content))


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
    ["", "[]", "{}", '{"lines": []}', '{"lines": 3, "messages": []}', '{"lines":' + "[" * 100_000],
)
def test_file_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / "pico.json").write_text(text)
    with pytest.raises(UserError, match=r"is no report of python -m pipeline\.board_report"):
        measured_text("pico", tmp_path)


LINES = lines_of()
REFUSED = {
    "no lines": ([], []),
    "no beginning": (LINES[1:], []),
    "no last line": (LINES[:-1], []),
    "a line is missing": ([*LINES[:8], *LINES[9:]], []),
    "another format": (lines_of({"begin": {"board": "pico", "format": 1}}), []),
    "a format of the future": (lines_of({"begin": {"board": "pico", "format": 3}}), []),
    "counts of the board": (lines_of({"end": {"checks": 7}}), []),
    "hidden failure": (lines_of({"end": {"failed": 1}}), []),
    "damaged line": ([*LINES[:3], '"error"', *LINES[4:]], []),
    "nothing costs": (lines_of({"cost": {"min": 0, "median": 0, "max": 0}}), []),
    "out of order": (lines_of({"cost": {"median": 3000}}), []),
    "longer than possible": (lines_of({"cost": {"max": 1_000_000}}), []),
    "contradiction": (lines_of({"worst_block": {"mean": 3500}}), []),
    "message of another kind": (LINES, ["neural FM"]),
    "message that is a line": (LINES, [LINES[1]]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_for_the_same_reason_as_what_a_board_sends(tmp_path, name):
    lines, messages = REFUSED[name]
    with pytest.raises(UserError) as sent:
        parse_report([*lines, *messages])
    write_content(tmp_path, lines, messages)
    with pytest.raises(UserError) as kept:
        measured_text("pico", tmp_path)
    assert str(kept.value) == f"{tmp_path / 'pico.json'}: {sent.value}"


def test_repeated_entry_is_refused(tmp_path):
    write_report(tmp_path)
    text = (tmp_path / "pico.json").read_text()
    (tmp_path / "pico.json").write_text(text.replace('"ok": true', '"ok": true, "ok": false', 1))
    with pytest.raises(UserError, match=r"pico.json is no report of python -m pipeline\.board_rep"):
        measured_text("pico", tmp_path)


def test_messages_of_the_board_are_kept(tmp_path):
    write_content(tmp_path, LINES, ["error 4: the codec does not answer"])
    assert load_report(tmp_path / "pico.json").messages == ["error 4: the codec does not answer"]
    assert measured_text("pico", tmp_path).startswith("one voice of flute_tiny 25.2 %")


def test_report_without_the_time_from_midi_to_sound_is_refused(tmp_path):
    lines = [line for line in LINES if '"latency"' not in line]
    lines[-1] = json.dumps({"part": "end", "lines": len(lines) - 1, "checks": 5, "failed": 0})
    write_content(tmp_path, lines)
    with pytest.raises(UserError, match=r"pico.json is the report of a board that does not play"):
        measured_text("pico", tmp_path)


@pytest.mark.parametrize("messages", [5, "error", [3], None])
def test_messages_that_are_no_texts_are_refused(tmp_path, messages):
    write_report(tmp_path)
    content = json.loads((tmp_path / "pico.json").read_text())
    (tmp_path / "pico.json").write_text(json.dumps(content | {"messages": messages}))
    with pytest.raises(UserError, match=r"pico.json is no report of python -m pipeline\.board_rep"):
        measured_text("pico", tmp_path)
