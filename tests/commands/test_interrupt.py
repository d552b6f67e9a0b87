"""Ctrl-C and SIGTERM end every command with one line, from its first import on."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.sounds import make_tone

import pipeline
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.files import TEMPORARY

COMMANDS = sorted(
    path.stem for path in Path(pipeline.__file__).parent.glob("*.py") if path.stem != "__init__"
)
LINE = "interrupted\n"
# Sends a signal when the command imports the first of the pipeline's packages.
INTERRUPT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name in {f"pipeline.{package}" for package in ("core", "audio", "emit", "target")}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

sys.meta_path.insert(0, Interrupt())
"""


def interrupt(
    folder: Path, command: str, *, handler: signal.Handlers, number: int = signal.SIGINT
) -> tuple[int, str]:
    """Interrupts a command at its first import; returns its exit status and its stderr."""
    (folder / "sitecustomize.py").write_text(INTERRUPT)
    ended = subprocess.run(
        [sys.executable, "-m", f"pipeline.{command}", "--help"],
        env={"PYTHONPATH": f"{folder}:{Path(pipeline.__file__).parents[1]}", "SIGNAL": f"{number}"},
        capture_output=True,
        text=True,
        # A shell's background jobs inherit that SIGINT is ignored; a user's Ctrl-C is not.
        preexec_fn=lambda: signal.signal(number, handler),
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_interrupt_during_the_first_import_is_one_line(tmp_path, command):
    assert interrupt(tmp_path, command, handler=signal.SIG_DFL) == (130, LINE)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_interrupts_differ_only_in_their_status(tmp_path, number, status):
    ended = interrupt(tmp_path, "upsampler", handler=signal.SIG_DFL, number=number)
    assert ended == (status, LINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ignored_interrupt_stays_ignored(tmp_path, number):
    ended = interrupt(tmp_path, "upsampler", handler=signal.SIG_IGN, number=number)
    assert ended == (0, "")


@pytest.fixture(scope="module")
def long_recordings(tmp_path_factory):
    """Recordings whose analysis takes ten seconds or more."""
    folder = tmp_path_factory.mktemp("long")
    for name in "abcdefghij":
        tone = make_tone(40.0, 440.0 + ord(name))
        sf.write(folder / f"{name}.wav", tone, SAMPLE_RATE)
    return folder


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_analyses_end_at_once_and_leave_only_whole_files(
    tmp_path, long_recordings, number, status
):
    options = ["--instrument", "flute", "--audio", str(long_recordings), "--runs", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.data", *options],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (workers := children.read_text().split()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    time.sleep(1.5)  # they import their modules and begin
    for _ in range(4):  # as impatient users and `timeout` do; while files are put in order, too
        process.send_signal(number)
        time.sleep(0.02)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (status, LINE)
    assert not [worker for worker in workers if os.path.exists(f"/proc/{worker}/exe")]
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if path.name.startswith(TEMPORARY)]
    for path in left:  # a fast machine has stored samples, or features in an archive, by then
        assert zipfile.is_zipfile(path) or np.load(path).shape == (40 * SAMPLE_RATE,)
