"""Grids on several processes: what is lost when one of them dies."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from support.grids import SETTINGS, write_grid, write_sources

from pipeline import ablate
from pipeline.core.errors import UserError

pytestmark = pytest.mark.slow
# Long enough to be interrupted after the first checkpoint.
LONG = SETTINGS.replace("[settings.small]\n", "[settings.small]\ntrain = {validate_every = 20}\n")
N_TASKS = 2


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


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Returns the arguments of a grid of two long tasks."""
    head = f"seeds = {list(range(N_TASKS))}\n"
    grid = write_grid(tmp_path / "grid.toml", head=head, settings=LONG)
    grid.write_text(grid.read_text().replace("steps = 4,", "steps = 200,"))
    places = write_sources(tmp_path / "recordings")
    return [str(grid), *places, "--work", str(tmp_path / "work"), "--out", str(tmp_path)]


def trainings(work: Path) -> list[int]:
    """Returns how often each training was started or resumed; every time has its own log."""
    return sorted(len(list(run.glob("logs/events*"))) for run in work.glob("runs/*/*"))


def check_results(folder: Path) -> None:
    tasks = json.loads((folder / "results.json").read_text())["tasks"]
    assert [task["seed"] for task in tasks] == list(range(N_TASKS))
    assert all(task["steps"] == 200 for task in tasks)


def test_a_dead_dask_worker_costs_one_task(tmp_path, arguments):
    workers = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with workers as cluster, Client(cluster) as client:
        before = client.run(os.getpid).values()
        killer = Killer(tmp_path / "work")
        killer.start()
        ablate.main([*arguments, "--scheduler", cluster.scheduler_address])
        killer.join()
        assert killer.killed in before
    check_results(tmp_path)
    assert trainings(tmp_path / "work") == [1, 2]


def test_a_dead_process_costs_no_finished_task_and_is_replaced(tmp_path, arguments):
    killer = Killer(tmp_path / "work")
    killer.start()
    ablate.main([*arguments, "--jobs", "2"])
    killer.join()
    check_results(tmp_path)
    # The other process was stopped, too, in the middle of its task or before it had begun.
    assert trainings(tmp_path / "work") in ([1, 2], [2, 2])


def test_scheduler_has_to_answer_and_to_have_workers_of_one_thread(arguments):
    with pytest.raises(UserError, match="no answer"):
        ablate.main([*arguments, "--scheduler", "tcp://127.0.0.1:9"])
    workers = LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with workers as cluster, pytest.raises(UserError, match=r"has 2 threads: .* --nthreads 1"):
        ablate.main([*arguments, "--scheduler", cluster.scheduler_address])
