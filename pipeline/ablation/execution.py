"""Runs tasks at the same time: in processes of this machine, or on the workers of a Dask cluster.

Tasks keep what they have done in files, so all that is lost when a process dies is what it did
after its last checkpoint. Dask gives the task of a dead worker to another one. On one machine,
joblib stops all processes when one dies; the tasks that are not done are started again. A process
that keeps more than 300 MB of its tasks is replaced, for which joblib needs psutil.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import joblib

from pipeline.core.errors import UserError
from pipeline.core.processes import end_with_parent, worker_count
from pipeline.core.stages import THREAD_LIMITS

MAX_TRIES = 3  # in a row in which processes die before any task is done
ANSWER_S = 10  # for which a Dask scheduler may be silent
DASK = "pip install 'distilling-ddsp[dask]'"
# Processes that share a GPU take memory as they need it, not all of it when they start.
GPU_MEMORY = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

Task = TypeVar("Task")
Result = TypeVar("Result")


class Executor:
    """Runs independent tasks at the same time."""

    def __init__(self, *, jobs: int, scheduler: str | None = None) -> None:
        """Chooses what runs tasks.

        Args:
            jobs: Processes of this machine that run tasks.
            scheduler: Address of a Dask scheduler, whose workers run the tasks instead.

        Raises:
            UserError: Dask is not installed, the scheduler does not answer, or its workers run
                several tasks in one process.
        """
        self._jobs = jobs
        self._client = None if scheduler is None else _connect(scheduler)

    def close(self) -> None:
        """Leaves the scheduler, if there is one."""
        if self._client is not None:
            self._client.close()

    def run(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Yields tasks and their results as they end.

        Args:
            work: Does a task; does nothing if that was done, and raises no error.
            tasks: What is to be done, in any order.

        Raises:
            UserError: Processes keep dying.
        """
        waiting = dict(enumerate(tasks))
        tries = 0
        while waiting:
            try:
                for number, result in self._run_once(work, dict(waiting)):
                    tries = 0
                    yield waiting.pop(number), result
            except Exception as error:  # tasks raise none, so a process has died
                tries += 1
                if tries == MAX_TRIES:
                    reason = str(error).partition("\n")[0]
                    raise UserError(
                        f"{tries} times a process died before any task was done ({reason}): give "
                        "fewer --jobs if memory was short; the same command continues"
                    ) from None

    def _run_once(
        self, work: Callable[[Task], Result], tasks: Mapping[int, Task]
    ) -> Iterator[tuple[int, Result]]:
        with _environment(self._jobs), self._backend():
            parallel = joblib.Parallel(
                return_as="generator_unordered",
                batch_size=1,
                pre_dispatch="all" if self._client else self._jobs,
            )
            yield from parallel(
                joblib.delayed(_run)(work, number, task) for number, task in tasks.items()
            )

    def _backend(self) -> Any:
        if self._client is None:
            # A single worker would be this process, which cannot be replaced; two take turns.
            n_workers = max(self._jobs, 2)
            return joblib.parallel_config("loky", n_jobs=n_workers, initializer=end_with_parent)
        return joblib.parallel_config("dask", client=self._client, n_jobs=-1)


def _run(work: Callable[[Task], Result], number: int, task: Task) -> tuple[int, Result]:
    return number, work(task)


def _connect(scheduler: str) -> Any:
    """Connects to a Dask scheduler and checks its workers."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(f"--scheduler needs Dask: {DASK}") from None
    try:
        client = Client(scheduler, timeout=ANSWER_S)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--scheduler {scheduler}: no answer ({error}): start one with dask scheduler"
        ) from None
    threads: Mapping[str, int] = client.nthreads()
    # A training sets Keras' random state, which all threads of a process share.
    if not threads or max(threads.values()) > 1:
        client.close()
        found = f"a worker has {max(threads.values())} threads" if threads else "it has no workers"
        raise UserError(
            f"--scheduler {scheduler}: {found}: start workers of one thread with "
            f"dask worker {scheduler} --nthreads 1 --nworkers N"
        )
    return client


@contextmanager
def _environment(jobs: int) -> Iterator[None]:
    """Sets what new processes inherit: their share of the cores, and how they use a GPU."""
    share = str(max(worker_count() // jobs, 1))
    wanted = {**dict.fromkeys(THREAD_LIMITS, share), **GPU_MEMORY}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
