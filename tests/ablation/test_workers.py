"""A grid whose process dies resumes the training from its checkpoint."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from support.grids import SETTINGS, write_grid, write_sources

from pipeline import ablate

# Long enough to be interrupted after the first checkpoint.
LONG = SETTINGS.replace(
    "[settings.small]\n", "[settings.small]\ntrain = {steps = 200, validate_every = 20}\n"
)


class Killer(threading.Thread):
    """Kills the process that trains a task, once the task has a checkpoint."""

    def __init__(self, work: Path) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.killed: int | None = None

    def run(self) -> None:
        while not (checkpoints := list(self._work.glob("runs/*/*/checkpoint.npz"))):
            time.sleep(0.01)
        (log,) = checkpoints[0].parent.glob("logs/events*")
        self.killed = int(log.name.split(".")[-3])  # TensorBoard's names hold the process's number
        os.kill(self.killed, signal.SIGKILL)


@pytest.mark.slow
def test_training_in_a_dead_process_resumes(tmp_path):
    grid = write_grid(tmp_path / "grid.toml", settings=LONG)
    places = write_sources(tmp_path / "recordings")
    killer = Killer(tmp_path / "work")
    killer.start()
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    ablate.main([str(grid), *places, *folders, "--jobs", "2"])
    killer.join()
    (task,) = json.loads((tmp_path / "results.json").read_text())["tasks"]
    assert task["steps"] == 200
    (run,) = (tmp_path / "work" / "runs").glob("*/*")
    logs = list(run.glob("logs/events*"))  # one of each process that trained
    assert len(logs) == 2
    assert killer.killed != os.getpid()
    history = json.loads((run / "metrics.json").read_text())["history"]
    assert [row["step"] for row in history] == list(range(20, 201, 20))
