"""Ctrl-C ends every command with one line, from its first import on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

COMMANDS = sorted(
    path.stem for path in Path(pipeline.__file__).parent.glob("*.py") if path.stem != "__init__"
)
# Sends Ctrl-C when the command imports the first of the pipeline's packages.
INTERRUPT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name in {f"pipeline.{package}" for package in ("core", "audio", "emit", "target")}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
"""


def interrupt(folder: Path, command: str, *, handler: signal.Handlers) -> tuple[int, str]:
    """Interrupts a command at its first import; returns its exit status and its stderr."""
    (folder / "sitecustomize.py").write_text(INTERRUPT)
    ended = subprocess.run(
        [sys.executable, "-m", f"pipeline.{command}", "--help"],
        env={"PYTHONPATH": f"{folder}:{Path(pipeline.__file__).parents[1]}"},
        capture_output=True,
        text=True,
        # A shell's background jobs inherit that SIGINT is ignored; a user's Ctrl-C is not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_interrupt_during_the_first_import_is_one_line(tmp_path, command):
    ended = interrupt(tmp_path, command, handler=signal.SIG_DFL)
    assert ended == (130, "interrupted; the same command continues from here\n")


def test_ignored_interrupt_stays_ignored(tmp_path):
    assert interrupt(tmp_path, "upsampler", handler=signal.SIG_IGN) == (0, "")
