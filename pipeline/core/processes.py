"""Helpers for child processes: how many to start, and how they end with their parent."""

import ctypes
import os
import signal
import sys


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
