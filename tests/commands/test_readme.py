"""The commands of the README are there and take the options that it names."""

import argparse
import importlib
import re
import shlex
import shutil
import subprocess

import pytest

from pipeline.core.paths import REPOSITORY
from pipeline.pages import diagrams

README = (REPOSITORY / "README.md").read_text()


class ParsedError(Exception):
    """Ends a command as soon as it has understood its options."""


def commands():
    """The README's ``python -m pipeline.X ...``, options in brackets included."""
    found = re.findall(r"python -m pipeline\.(\w+) ([^`\n]*)", README.replace("\n  ", " "))
    return [(module, options.replace("[", "").replace("]", "")) for module, options in found]


@pytest.mark.parametrize(("module", "options"), commands())
def test_command_takes_these_options(monkeypatch, module, options):
    parse = argparse.ArgumentParser.parse_args

    def parse_and_end(*args):
        parse(*args)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_end)
    monkeypatch.setattr("sys.argv", [module, *shlex.split(options)])
    with pytest.raises(ParsedError):
        importlib.import_module(f"pipeline.{module}").main()


def test_every_stage_of_the_table_is_a_command_with_help(capsys, monkeypatch):
    table = README[README.index("| `python -m pipeline.` |") :].split("\n\n")[0]
    modules = [
        m for row in table.splitlines()[2:] for m in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert {"data", "train", "distill", "quantize", "convert", "codegen", "firmware"} < {*modules}
    for module in modules:
        monkeypatch.setattr("sys.argv", [module, "--help"])
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(f"pipeline.{module}").main()
        assert ended.value.code == 0
        assert f"pipeline.{module}" in capsys.readouterr().out


def test_make_knows_the_targets():
    targets = re.findall(r"^ +make (\w+)$", README, re.MULTILINE)
    assert {"demo", "test"} <= {*targets}
    subprocess.run(["make", "-n", *targets], cwd=REPOSITORY, check=True, capture_output=True)


def test_python_that_cannot_run_the_project_is_told_in_one_line(tmp_path, monkeypatch):
    for name in ("Makefile", "setup.cfg", "requirements-debian.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / ".debian").touch()
    for name in ("python3", "python3.11", "python3.12"):
        (tmp_path / name).write_text('#!/bin/sh\ntest "$1" = -V && echo Python 3.13.5\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    make = ["make", "--no-print-directory", "test"]  # quiet where make itself runs the tests
    made = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True)
    told = made.stderr.splitlines()[0]
    assert told == "error: Python 3.11 or 3.12 is needed, with venv; python3 is Python 3.13.5"
    assert made.stdout == "" and made.returncode == 2


def test_picture_is_what_the_drawing_program_draws():
    assert diagrams.PICTURE.read_text() == diagrams.picture_text()
