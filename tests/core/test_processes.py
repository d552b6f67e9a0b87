"""Helpers for processes."""

import subprocess
import sys
import threading

from pipeline.core.processes import claim, locked


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
