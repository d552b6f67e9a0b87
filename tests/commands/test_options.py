"""The options of all commands: their help, and the one-line messages that refuse bad values."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from support.refusals import refusal

import pipeline
from pipeline.core import options, paths
from pipeline.core.files import to_toml
from pipeline.core.parser import Parser

COMMANDS = sorted(p.stem for p in Path(pipeline.__file__).parent.glob("[a-z]*.py"))


class ParsedError(Exception):
    """Ends a command when it is about to parse its options."""


def parser_of(command: str, monkeypatch) -> argparse.ArgumentParser:
    """Returns the parser that a command creates."""
    found = []

    def parse(parser, *arguments):
        found.append(parser)
        raise ParsedError

    with monkeypatch.context() as patch:
        patch.setattr(Parser, "parse_args", parse)
        with pytest.raises(ParsedError):
            importlib.import_module(f"pipeline.{command}").main([])
    return found[0]


def refuse(command: str, words, capsys) -> str:
    """Runs a command, which must end with status 2 and a single line; returns that line."""
    return refusal(capsys, importlib.import_module(f"pipeline.{command}").main, *words)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_option_states_its_default(command, monkeypatch):
    parser = parser_of(command, monkeypatch)
    groups = [group for group in parser._mutually_exclusive_groups if group.required]
    one_of = [action for group in groups for action in group._group_actions]
    assert parser.prog == f"python -m pipeline.{command}"
    assert parser.description.endswith(".") and "\n" not in parser.description
    for action in parser._actions:
        is_optional = action.option_strings and not (action.required or action in one_of)
        if is_optional and action.dest != "help" and action.help != argparse.SUPPRESS:
            assert "default" in (action.help or ""), action.option_strings
        assert action.help, action.option_strings


@pytest.mark.parametrize("command", ["train", "distill", "run"])
def test_help_says_which_steps_each_profile_takes(command, monkeypatch):
    helps = {action.dest: action.help for action in parser_of(command, monkeypatch)._actions}
    tiny = "" if command == "train" else "10000 for a tiny model, "
    assert helps["steps"] == (
        "optimizer steps (default: 5000 in the profile laptop, 8000 in the profile shipped, "
        f"{tiny}120000 in a profile without it)"
    )
    assert "seed" not in helps or helps["seed"].endswith("(default: 0)")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_number_is_checked_against_its_range(command, monkeypatch):
    parser = parser_of(command, monkeypatch)
    for action in parser._actions:
        assert action.type not in (int, float), action.option_strings
        is_path = action.type in (Path, options.new_file, options.new_wav, options.new_folder)
        if callable(action.type) and not is_path and not action.choices:
            for text in ("nan", "1e99", "-1e99", "some"):
                with pytest.raises(argparse.ArgumentTypeError):
                    action.type(text)


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_is_refused_in_one_line(command, monkeypatch, capsys):
    parser = parser_of(command, monkeypatch)
    required = []
    for action in parser._actions:
        if action.required:
            word = "x.wav" if action.type is options.new_wav else "x"
            value = next(iter(action.choices), word) if action.choices else word
            required += [*action.option_strings[:1], *([] if action.nargs == 0 else [value])]
    for group in parser._mutually_exclusive_groups:
        if group.required:  # one of several options
            required += [group._group_actions[0].option_strings[0], "x.wav"]
    line = refuse(command, [*required, "--no-such-option"], capsys)
    assert line == (f"error: unrecognized arguments: --no-such-option (see {parser.prog} --help)")


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("render", "--midi x.mid --instrument flute --out x.wav", "x.mid is missing"),
        ("transfer", "--audio x.wav --instrument flute --out x.wav", "x.wav"),
        ("firmware", "--generated x", "run python -m pipeline.codegen"),
        ("firmware", "--run x --frames x.npy", "--frames and --out belong together"),
        ("codegen", "--run x --out y", "x does not exist: run"),
        ("convert", "--run x", "x does not exist: run"),
        ("quantize", "--run x", "x does not exist: run"),
        ("bench", "--run x", "x does not exist: run"),
        ("bench", "--boards --run x --run y", "--boards measures one model"),
        ("bench_report", "x.json", "x.json cannot be read (No such file or directory)"),
        ("listening_test", "x.csv --out x.png", "x.csv is missing"),
        ("flash", "--board pico --drive x", "x is not the drive of a pico"),
        ("flash", "--board pico --run x", "x does not exist: run"),
        ("run", "--instrument flute --audio x", "x does not exist: give a folder"),
        ("page", "--audio x", "x holds no folder named flute"),
        ("page", "--variants --mcu", "give --variants or --mcu"),
        ("evaluate", "--instrument flute --audio x --out y", "x"),
        ("data", "--instrument flute --no-corpus", "give --audio DIR"),
        ("expression", "--instrument oboe", "unknown instrument 'oboe'"),
    ],
)
def test_missing_file_is_named(command, words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refuse(command, words.split(), capsys)
    assert not list(tmp_path.iterdir())


COMMANDS_THAT_WRITE = {
    "ablate": "x.toml",
    "board_report": "--port x",
    "codegen": "--run x",
    "demo": "",
    "evaluate": "--instrument flute --audio x",
    "export": "--for arduino --run x",
    "firmware": "--run x --frames x.npy",
    "inspect": "--audio x",
    "listening_test": "x.csv",
    "page": "",
    "patch": "--fit --audio x",
    "release": "",
    "render": "--midi x.mid --instrument flute",
    "site": "",
    "transfer": "--audio x --instrument flute",
    "web": "",
}


def test_all_commands_that_write_are_known(monkeypatch):
    found = [
        name
        for name in COMMANDS
        if any("--out" in a.option_strings for a in parser_of(name, monkeypatch)._actions)
    ]
    assert sorted(found) == sorted(COMMANDS_THAT_WRITE)


@pytest.mark.parametrize("command", COMMANDS_THAT_WRITE)
def test_a_file_is_no_folder_and_a_folder_no_file_to_write(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    suffix = {"listening_test": ".png"}.get(command, ".wav")
    needed = COMMANDS_THAT_WRITE[command].split()
    if command in ("firmware", "listening_test", "render", "transfer"):
        bad = {"folder": "is a folder: give the name of a file"}
        if suffix == ".wav":
            bad["x.flac"] = "would be a WAV file: give a name that ends with .wav"
    else:
        bad = {"file": "is a file: give a folder"}
        suffix = ""
    for name, message in bad.items():
        line = refuse(command, [*needed, "--out", name], capsys)
        assert line.startswith(f"error: --out: '{name}' {message}")
    line = refuse(command, [*needed, "--out", f"file/new{suffix}"], capsys)
    assert f"{tmp_path}/file is a file: give another folder" in line
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


COMMANDS_OF_AN_INSTRUMENT = ("data", "train", "distill", "run", "evaluate", "transfer")
BAD_ENTRIES = (
    ({"reduced": {"n_blocks": 3, "hidden_channels": "32"}}, "reduced.hidden_channels = '32'"),
    ({"data": {"f0_min_hz": 40, "f0_max_hz": 900.0}}, "data.f0_min_hz = 40: give a number from"),
    ({"patch": "flutes"}, "patch = 'flutes': give one of flute,"),
)


@pytest.mark.parametrize(
    ("command", "entry", "message"),
    [(command, *bad) for command in COMMANDS_OF_AN_INSTRUMENT for bad in BAD_ENTRIES],
)
def test_bad_entry_of_an_instrument_is_named(
    command, entry, message, capsys, tmp_path, monkeypatch, replace
):
    monkeypatch.chdir(tmp_path)
    table = {
        "instrument": "kazoo",
        "patch": "flute",
        "data": {"f0_min_hz": 200.0, "f0_max_hz": 900.0},
        "corpus": {"gm_program": 78, "lowest_note": 60, "highest_note": 84},
    }
    (tmp_path / "kazoo.toml").write_text(to_toml(table | entry))
    replace(paths.INSTRUMENT_DIR, tmp_path)
    words = ["--instrument", "kazoo"]
    words += {
        "distill": ["--method", "audio"],
        "evaluate": ["--audio", "x", "--out", "y"],
        "transfer": ["--audio", "x", "--out", "y.wav"],
    }.get(command, [])
    assert f"{tmp_path}/kazoo.toml: {message}" in refuse(command, words, capsys)


def test_process_writes_one_line_to_stderr_and_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.flash", "--board", "pico", "--reverb", "nan"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: --reverb: 'nan' is not a number from 0 to 10 "
        "(see python -m pipeline.flash --help)\n"
    )
