"""Helpers for processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.refusals import refusal

from pipeline import data
from pipeline.core.errors import UserError
from pipeline.core.files import TEMPORARY, atomic_write
from pipeline.core.processes import claim, locked, run_in_workers, used_alone


def write_slowly(path: Path, seconds: float) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        time.sleep(seconds)


def kill_itself(path: Path) -> None:
    path.with_name(f"{TEMPORARY}{os.getpid()}.half").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def test_interrupted_workers_end_at_once_without_unfinished_files(tmp_path):
    def interrupt() -> None:
        while not list(tmp_path.glob(f"{TEMPORARY}*")):
            time.sleep(0.01)
        raise KeyboardInterrupt

    jobs = [(tmp_path / "first", 0)] + [(tmp_path / "result", 60)] * 9
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_in_workers(write_slowly, jobs, tmp_path, interrupt)
    assert time.monotonic() < started + 30
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_killed_worker_is_reported_without_unfinished_files(tmp_path):
    jobs = [(tmp_path / str(n),) for n in range(4)]
    with pytest.raises(UserError, match="memory was short"):
        run_in_workers(kill_itself, jobs, tmp_path, int)
    assert not list(tmp_path.iterdir())


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    order = []
    folder = tmp_path / "new"
    waits = threading.Event()

    def second():
        waits.set()
        with locked(folder):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(folder):
        thread.start()
        waits.wait()
        thread.join(timeout=0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_folder_is_used_by_one_command_at_a_time(tmp_path):
    folder = tmp_path / "new"
    with used_alone(folder):
        with (
            pytest.raises(UserError, match="new is in use by another command: wait"),
            used_alone(folder),
        ):
            pass
        with used_alone(tmp_path):  # another folder
            pass
    with used_alone(folder):
        assert not list(folder.iterdir())


def test_a_command_refuses_a_folder_in_use(tmp_path, capsys):
    words = ["--instrument", "flute", "--audio", tmp_path / "nowhere", "--runs", tmp_path]
    with used_alone(tmp_path / "flute"):
        assert "flute is in use by another command" in refusal(capsys, data.main, *words)
    assert "nowhere does not exist" in refusal(capsys, data.main, *words)


def test_a_claimed_folder_is_free_again_when_the_process_ends(tmp_path):
    folder = tmp_path / "new"
    program = "from pathlib import Path; from pipeline.core.processes import claim;"
    program += f"print(claim(Path({str(folder)!r})), claim(Path({str(folder)!r})))"

    def claim_elsewhere() -> str:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        return done.stdout.decode().strip()

    assert claim_elsewhere() == "True True"
    assert claim(folder)
    assert claim_elsewhere() == "False False"
