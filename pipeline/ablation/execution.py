"""Runs tasks at the same time: in processes of this machine, or on the workers of a Dask cluster.

On one machine, each task has a new process, because one that trains model after model keeps memory
of all of them. Tasks keep what they have done in files, so all that is lost when a process dies is
what it did after its last checkpoint; the task is started again.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from pipeline.core.errors import UserError
from pipeline.core.processes import end_with_parent, worker_count
from pipeline.core.stages import THREAD_LIMITS

MAX_TRIES = 3  # in a row in which processes die before any task is done
ANSWER_S = 10  # for which a Dask scheduler may be silent
REMEDY = "give fewer --jobs if memory was short; the same command continues"
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
        self._running: dict[Any, tuple[Any, BaseProcess]] = {}  # by where the result arrives
        self._client = None if scheduler is None else _connect(scheduler)

    def close(self) -> None:
        """Ends the processes that are running, and leaves the scheduler, if there is one."""
        for _, process in self._running.values():
            process.kill()
        for _, process in self._running.values():
            process.join()
        self._running.clear()
        if self._client is not None:
            self._client.close()

    def run(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Yields tasks and their results as they end.

        Args:
            work: A function of a module, or a partial one. Does a task; does nothing if that was
                done, and raises no error.
            tasks: What is to be done, in any order.

        Raises:
            UserError: Processes keep dying.
        """
        if self._client is None:
            yield from self._run_here(work, tasks)
        else:
            yield from _run_on_workers(self._client, work, tasks)

    def _run_here(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        waiting, n_died = deque(tasks), 0
        while waiting or self._running:
            while waiting and len(self._running) < self._jobs:
                self._start(work, waiting.popleft())
            ready: list[Any] = wait(self._running)
            for connection in ready:
                task, process = self._running.pop(connection)
                try:
                    result = connection.recv()
                except EOFError:
                    process.join()
                    n_died += 1
                    if n_died == MAX_TRIES:
                        raise UserError(
                            f"{n_died} times a process died before any task was done (exit code "
                            f"{process.exitcode}): {REMEDY}"
                        ) from None
                    waiting.append(task)
                else:
                    process.join()
                    n_died = 0
                    yield task, result

    def _start(self, work: Callable[[Task], Result], task: Task) -> None:
        """Starts a process that does a task."""
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_send_result, args=(sender, work, task))
        with _environment(self._jobs), sender:
            process.start()
        self._running[receiver] = task, process


def _run_on_workers(
    client: Any, work: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[tuple[Task, Result]]:
    """Yields tasks and results; Dask gives the task of a dead worker to another one, thrice."""
    from distributed import KilledWorker, as_completed

    futures = {client.submit(work, task, pure=False): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except KilledWorker as error:
        raise UserError(f"{error}: {REMEDY}") from None
    finally:
        client.cancel(list(futures))


def _send_result(sender: Connection, work: Callable[[Task], Result], task: Task) -> None:
    end_with_parent()
    sender.send(work(task))


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
