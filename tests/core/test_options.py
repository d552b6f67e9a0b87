"""Shared options: numbers are range-checked, and former names are refused with the current ones."""

import errno
import math
import shlex
import sys
from pathlib import Path

import pytest

from pipeline.core.cli import command_line, run_main
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TrainConfig, load_instrument
from pipeline.core.options import add_json, add_models
from pipeline.core.parser import Parser, real, whole
from pipeline.core.recording_options import add_sources, check_out, chosen_sound_sets
from pipeline.core.schema import fields_of
from pipeline.core.training_options import add_training_arguments, training_changes


def parse(*words, options):
    parser = Parser("some", "Does something.")
    for name, kind in options.items():
        parser.add_argument(name, type=kind)
    return parser.parse_args(words)


@pytest.mark.parametrize("text", ["0", "6", "2.5", "", "two", "nan", "1e1", "9" * 5000])
def test_whole_number_outside_its_range_is_refused(text):
    assert parse("--voices", "5", options={"--voices": whole(1, 5)}).voices == 5
    with pytest.raises(
        UserError, match=f"^--voices: '{text[:9]}.* is not a whole number from 1 to 5"
    ):
        parse("--voices", text, options={"--voices": whole(1, 5)})


@pytest.mark.parametrize("text", ["-0.1", "1.01", "nan", "inf", "-inf", "1e999", "a third"])
def test_number_outside_its_range_is_refused(text):
    assert parse("--reverb", "0.25", options={"--reverb": real(0, 1)}).reverb == 0.25
    with pytest.raises(UserError, match=f"--reverb: '{text}' is not a number from 0 to 1"):
        parse(f"--reverb={text}", options={"--reverb": real(0, 1)})


def test_file_for_results_is_checked_before_they_are_made(unprivileged):
    parser = Parser("some", "Does something.")
    add_json(parser, "the results")
    target = unprivileged / "new" / "folder" / "out.json"
    assert parser.parse_args(["--json", str(target)]).json == target
    assert not (unprivileged / "new").exists()
    (unprivileged / "file").touch()
    (unprivileged / "locked").mkdir(mode=0o500)
    for name, reason in (
        ("", "is a folder: give the name of a file"),
        ("file/out.json", "file is a file: give another folder"),
        ("locked/out.json", "locked cannot be written to"),
        ("locked/new/out.json", "locked cannot be written to"),
    ):
        with pytest.raises(UserError, match=f"^--json: .*{reason}"):
            parser.parse_args(["--json", str(unprivileged / name)])


@pytest.mark.parametrize("name", fields_of(TrainConfig))
def test_training_option_has_the_range_of_its_toml_entry(name):
    parser = Parser("some", "Does something.")
    add_training_arguments(parser, with_tiny=True)
    option, field = f"--{name.replace('_', '-')}", fields_of(TrainConfig)[name]
    for value in (field.restriction.lowest, field.restriction.highest):
        args = parser.parse_args(["--instrument", "flute", option, f"{value:.17g}"])
        assert training_changes(args) == {name: value}
    for value in (field.restriction.lowest - 1, field.restriction.highest + 1, math.nan):
        with pytest.raises(UserError, match=f"^{option}: '.*' is not a .*number from"):
            parser.parse_args(["--instrument", "flute", f"{option}={value:.17g}"])


def test_abbreviated_option_is_refused():
    with pytest.raises(UserError, match="unrecognized arguments: --voice"):
        parse("--voice", "3", options={"--voices": whole(1, 5)})


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("a file\nis missing"), 2, "error: a file is missing"),
        (
            FileExistsError(errno.EEXIST, "File exists", "x"),
            2,
            "error: x: File exists: a folder is needed here, give another name",
        ),
        (
            IsADirectoryError(errno.EISDIR, "Is a directory", "x"),
            2,
            "error: x: Is a directory: a file is needed here, give its name",
        ),
        (
            PermissionError(13, "Permission denied", "a/file"),
            2,
            "error: a/file: Permission denied: check its permissions",
        ),
        (
            OSError(30, "Read-only file system", "a/folder"),
            2,
            "error: a/folder: Read-only file system: give another folder",
        ),
        (OSError(28, "No space left on device", "a/file"), 2, "error: a/file: no space left; "),
        (
            RuntimeError("write failed: No space left on device"),
            2,
            "error: the disk: no space left",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_command_ends_with_one_line_and_its_status(capsys, error, status, line):
    def main():
        raise error

    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert ended.value.code == status
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(line)


@pytest.mark.parametrize(
    ("resumes", "line"),
    [(True, "interrupted; the same command continues from here\n"), (False, "interrupted\n")],
)
def test_interrupted_command_says_that_it_continues_only_if_it_does(capsys, resumes, line):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        run_main(main, resumes=resumes)
    assert capsys.readouterr().err == line


def test_programming_error_keeps_its_traceback():
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_main(main)


def test_successful_command_returns(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["some"])
    assert run_main(lambda: None) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["FluidR3_GM"]),
        ("--corpus", ["FluidR3_GM"]),
        ("--audio x", []),
        ("--audio x --no-corpus", []),
        ("--audio x --corpus", ["FluidR3_GM"]),
        ("--corpus freepats TimGM6mb", ["freepats", "TimGM6mb"]),
        ("--corpus freepats --corpus TimGM6mb freepats --audio x", ["freepats", "TimGM6mb"]),
    ],
)
def test_corpus_is_rendered_by_the_sound_sets_that_are_given(words, expected):
    parser = Parser("some", "Does something.")
    add_sources(parser)
    assert chosen_sound_sets(parser.parse_args(words.split()), load_instrument("piano")) == expected


@pytest.mark.parametrize("words", ["--corpus GeneralUser", "--corpus freepats --no-corpus"])
def test_wrong_sound_sets_are_refused(words):
    parser = Parser("some", "Does something.")
    add_sources(parser)
    with pytest.raises(UserError, match=r"FluidR3_GM.*freepats|not allowed with argument --corpus"):
        parser.parse_args(words.split())


def test_results_do_not_go_into_a_folder_of_recordings(tmp_path):
    inside, take = tmp_path / "pack" / "new" / "results", tmp_path / "pack" / "take.wav"
    (tmp_path / "pack").mkdir()
    take.touch()
    for folder in (tmp_path / "pack", tmp_path / "pack" / ".." / "pack"):
        with pytest.raises(UserError, match=r"results lies within .*pack.*: give --out another"):
            check_out(inside, [take, folder])
    check_out(inside, [take])
    check_out(tmp_path / "package", [tmp_path / "pack"])


def test_several_instruments_follow_one_option_or_several():
    parser = Parser("x", "x")
    add_models(parser, parser.add_mutually_exclusive_group(), help="a model")
    given = parser.parse_args(["--instrument", "flute", "piano", "--instrument", "violin"])
    assert given.instrument == ["flute", "piano", "violin"]


def test_command_that_is_printed_can_be_pasted_into_a_shell():
    words = ("--run", Path("my runs/flute's"), "--epochs", 3)
    line = command_line("quantize", *words)
    assert line.startswith("python -m pipeline.quantize --run 'my runs/")
    assert shlex.split(line)[3:] == [str(word) for word in words]
