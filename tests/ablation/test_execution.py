"""Tasks on several processes: what is done again when one of them dies."""

import os
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from distributed import LocalCluster

from pipeline.ablation import execution
from pipeline.ablation.execution import Executor
from pipeline.core.errors import UserError

DEADLY = 1  # the task in which a process dies


def deadly_work(folder: Path, deaths: int, task: int) -> str:
    """Notes its start in a folder, and in `DEADLY` kills its process.

    `DEADLY` waits until the first task is known to be done.
    """
    with (folder / "starts").open("a") as file:
        file.write(f"{task}\n")
    if task == DEADLY and (folder / "starts").read_text().split().count(str(task)) <= deaths:
        while not (folder / "done0").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return f"did {task}"


def do(executor: Executor, folder: Path, *, n_tasks: int, deaths: int) -> Counter[str]:
    """Does tasks, checks their results, and returns how often each was started."""
    results = {}
    for task, result in executor.run(partial(deadly_work, folder, deaths), range(n_tasks)):
        assert task not in results
        results[task] = result
        (folder / f"done{task}").touch()
    assert results == {task: f"did {task}" for task in range(n_tasks)}
    return Counter((folder / "starts").read_text().split())


def test_dead_process_costs_no_task_that_is_done_and_is_replaced(tmp_path):
    starts = do(Executor(jobs=2), tmp_path, n_tasks=2, deaths=1)
    assert starts == {"0": 1, "1": 2}


def test_processes_that_keep_dying_end_the_command(tmp_path):
    (tmp_path / "done0").touch()
    with pytest.raises(UserError, match=r"^3 times a process died .*: give fewer --jobs"):
        list(Executor(jobs=2).run(partial(deadly_work, tmp_path, 9), [DEADLY]))
    assert Counter((tmp_path / "starts").read_text().split()) == {"1": execution.MAX_TRIES}


kept = []


def keep_memory(n_bytes: int, _task: int) -> int:
    kept.append(b"x" * n_bytes)
    time.sleep(1.1)  # joblib looks once a second
    return os.getpid()


@pytest.mark.parametrize(("n_bytes", "n_processes"), [(1000, 1), (400_000_000, 3)])
def test_process_that_keeps_memory_is_replaced_also_if_it_is_the_only_one(n_bytes, n_processes):
    # Each of two workers is measured after its first task, and replaced after its second one.
    done = Executor(jobs=1).run(partial(keep_memory, n_bytes), range(5))
    found = {number for _, number in done}
    assert os.getpid() not in found and len(found) >= n_processes


def wait_for_others(folder: Path, n_tasks: int, task: int) -> int:
    """Returns how many tasks run; waits for that many, if they come within two seconds."""
    (folder / f"begun{task}").touch()
    end = time.monotonic() + 2
    while (n_begun := len(list(folder.glob("begun*")))) < n_tasks and time.monotonic() < end:
        time.sleep(0.01)
    (folder / f"begun{task}").unlink()
    return n_begun


def test_one_job_is_one_task_at_a_time(tmp_path):
    work = partial(wait_for_others, tmp_path, 2)
    assert [number for _, number in Executor(jobs=1).run(work, range(2))] == [1, 1]


def test_dead_dask_worker_costs_one_task(tmp_path):
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        executor = Executor(jobs=1, scheduler=cluster.scheduler_address)
        starts = do(executor, tmp_path, n_tasks=4, deaths=1)
        executor.close()
    assert starts == {"0": 1, "1": 2, "2": 1, "3": 1}


def test_scheduler_has_to_answer_and_to_have_workers_of_one_thread(monkeypatch):
    monkeypatch.setattr(execution, "ANSWER_S", 0.2)
    with pytest.raises(UserError, match="no answer"):
        Executor(jobs=1, scheduler="tcp://127.0.0.1:9")
    workers = LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with workers as cluster, pytest.raises(UserError, match=r"has 2 threads: .* --nthreads 1"):
        Executor(jobs=1, scheduler=cluster.scheduler_address)
