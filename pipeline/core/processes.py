"""Helpers for processes: how many to start, how they end with their parent, and locks."""

import ctypes
import fcntl
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TextIO

from pipeline.core.errors import UserError
from pipeline.core.files import remove_unfinished
from pipeline.core.paths import shown

_claims: dict[Path, TextIO] = {}


def end_with_parent() -> None:
    """Makes this process end, on Linux, when the process that started it ends or is killed."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def worker_count() -> int:
    """Returns the number of worker processes that keep the machine busy: one per usable core."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_workers(
    work: Callable[..., None],
    jobs: Sequence[tuple[Any, ...]],
    folder: Path,
    on_done: Callable[[], object],
) -> None:
    """Does jobs in new processes, one per core; if one fails or at Ctrl-C, all are killed at once.

    Args:
        work: A function of a module, called with the arguments of each job.
        jobs: The arguments.
        folder: Where the processes write files with `atomic_write`; no unfinished ones are left.
        on_done: Called in this process after each job.

    Raises:
        UserError: A process was killed.
    """
    context = multiprocessing.get_context("spawn")
    workers, others = set[BaseProcess](), set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(worker_count(), len(jobs)), context, initializer=_follow_parent)
    try:
        # Unlike those of pool.map, these are not canceled, which a pool of killed processes reports
        # with a traceback.
        futures = [pool.submit(work, *job) for job in jobs]
        workers.update(multiprocessing.active_children())
        for future in futures:
            future.result()
            on_done()
    except BaseException as error:
        workers.update(multiprocessing.active_children())
        for worker in workers - others:
            worker.kill()
        for worker in workers - others:
            worker.join()
            remove_unfinished(folder, worker.pid or 0)
        if isinstance(error, BrokenProcessPool):
            raise UserError(
                "a worker process was killed, most likely because memory was short: close other "
                "programs; the same command continues"
            ) from None
        raise
    finally:
        pool.shutdown()


def _follow_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its workers
    end_with_parent()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits until no other process is in such a block for `folder`, which is created if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def try_lock(path: Path) -> TextIO | None:
    """Locks a file until it is closed; returns None if another process has locked it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


@contextmanager
def used_alone(folder: Path) -> Iterator[None]:
    """Refuses a second process in such a block for `folder`, which is created if needed.

    Raises:
        UserError: Another process is in one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)  # locking the folder itself leaves no file behind
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = shown(folder)
            raise UserError(
                f"{where} is in use by another command: wait for it or stop it"
            ) from None
        yield
    finally:
        os.close(descriptor)


def claim(folder: Path) -> bool:
    """Reserves a folder until this process ends; returns False if another process has it."""
    if folder not in _claims:
        lock = try_lock(folder / ".claim")
        if lock is None:
            return False
        _claims[folder] = lock
    return True
