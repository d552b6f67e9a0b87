"""Helpers for processes: how many to start, how they end with their parent, and locks."""

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits until no other process is in such a block for `folder`, which is created if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def claim(folder: Path) -> bool:
    """Reserves a folder until this process ends; returns False if another process has it."""
    if folder not in _claims:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".claim").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        _claims[folder] = lock
    return True
