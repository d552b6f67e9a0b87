"""The commands in the documents exist and accept the options that the documents give them."""

import importlib
import re
import shlex
import shutil
import subprocess

import pytest

from pipeline.core.parser import Parser
from pipeline.core.paths import REPOSITORY
from pipeline.pages import diagrams

README = (REPOSITORY / "README.md").read_text()
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((REPOSITORY / "tflm_app").rglob("README.md")),
]
INDENTED = re.compile(r"^ {4,}python -m pipeline\.(\w+)([^\n#]*)", re.MULTILINE)
INLINE = re.compile(r"`python -m pipeline\.(\w+)\s([^`]+)`")  # may span two lines
NAMED = re.compile(r"python -m pipeline\.(\w+)")


class ParsedError(Exception):
    """Ends a command as soon as it has parsed its options."""


def commands():
    """Yields the document, module and options of each command; optional parts are in brackets."""
    for document in DOCUMENTS:
        text = document.read_text()
        for module, options in [*INDENTED.findall(text), *INLINE.findall(text)]:
            yield str(document.relative_to(REPOSITORY)), module, " ".join(options.split())


def words(options):
    """Splits options as a shell does, drops brackets and dots, and fills in an existing board."""
    required = re.sub(r"[\[\]]|\.\.\.", "", options)
    return shlex.split(re.sub(r"--board (BOARD|<name>)", "--board pico", required))


@pytest.mark.parametrize(("document", "module", "options"), commands())
def test_command_in_a_document_accepts_its_options(monkeypatch, document, module, options):
    parse = Parser.parse_args

    def parse_and_end(*args):
        parse(*args)
        raise ParsedError

    monkeypatch.setattr(Parser, "parse_args", parse_and_end)
    with pytest.raises(ParsedError):
        importlib.import_module(f"pipeline.{module}").main(words(options))


def test_commands_named_in_the_documents_exist():
    named = {name for document in DOCUMENTS for name in NAMED.findall(document.read_text())}
    assert {"run", "render", "flash", "bench"} <= named
    for name in named:
        assert hasattr(importlib.import_module(f"pipeline.{name}"), "main"), name


def test_table_of_stages_lists_every_command():
    table = README[README.index("| `python -m pipeline.` |") :].split("\n\n")[0]
    listed = [
        m for row in table.splitlines()[2:] for m in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    modules = {path.stem for path in (REPOSITORY / "pipeline").glob("[a-z]*.py")}
    assert sorted(listed) == sorted(modules)


def test_make_knows_its_targets_of_the_readme():
    targets = set(re.findall(r"\bmake (\w+)", README))
    assert {"demo", "test", "quick", "lint", "fuzz"} <= targets
    subprocess.run(["make", "-n", *targets], cwd=REPOSITORY, check=True, capture_output=True)


@pytest.mark.parametrize("goal", ["test", "device"])
def test_unsupported_python_is_refused_in_one_line(goal, tmp_path, monkeypatch):
    for name in ("Makefile", "setup.cfg", "requirements-debian.txt", "requirements-device.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / ".debian").touch()
    for name in ("python3", "python3.11", "python3.12"):
        (tmp_path / name).write_text('#!/bin/sh\ntest "$1" = -V && echo Python 3.13.5\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    make = ["make", "--no-print-directory", goal]  # quiet where make itself runs the tests
    made = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True)
    message = made.stderr.splitlines()[0]
    assert message == "error: Python 3.11 or 3.12 is needed, with venv; python3 is Python 3.13.5"
    assert made.stdout == "" and made.returncode == 2


def test_picture_is_what_the_drawing_program_draws():
    assert diagrams.PICTURE.read_text() == diagrams.picture_text()
