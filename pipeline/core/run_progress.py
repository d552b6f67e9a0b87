"""How far a run of several stages is, how long the rest takes, and the line that says so."""

import heapq
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

PRIOR_SECONDS = 20.0  # of planned work for which the plan is trusted as much as the measurement
LOG_SECONDS = 30.0  # between lines where the output is a file


@dataclass
class Timing:
    """When a stage began and ended, and how much of it is done.

    Attributes:
        planned: How long it takes according to the plan, in seconds.
        fraction: The share that is done, from 0 to 1, as far as the stage reports it.
        seconds: How long it has taken, once it is over.
        is_over: Whether it has ended or was up to date.
    """

    planned: float
    fraction: float = 0.0
    seconds: float = 0.0
    is_over: bool = False
    _began: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._began is not None and not self.is_over

    def elapsed(self, now: float) -> float:
        """Returns the seconds that it has taken until `now`, a time of `time.monotonic`."""
        if self.is_running and self._began is not None:
            return now - self._began
        return self.seconds

    def begin(self, now: float | None = None) -> None:
        """Notes that the stage begins."""
        self._began = time.monotonic() if now is None else now

    def end(self, now: float | None = None) -> None:
        """Notes that the stage has ended."""
        self.seconds = self.elapsed(time.monotonic() if now is None else now)
        self.is_over, self.fraction = True, 1.0

    def skip(self) -> None:
        """Notes that the stage was up to date."""
        self.is_over, self.planned = True, 0.0

    def left(self, now: float, pace: float) -> float:
        """Estimates the seconds that it still takes.

        The plan decides at the beginning and the stage's own progress towards the end.

        Args:
            now: A time of `time.monotonic`.
            pace: How much longer the stages have taken so far than planned.
        """
        if self.is_over:
            return 0.0
        elapsed, expected = self.elapsed(now), self.planned * pace
        by_plan = max(expected - elapsed, 0.05 * expected)
        if not self.fraction:
            return by_plan
        by_progress = elapsed / self.fraction * (1 - self.fraction)
        return (1 - self.fraction) * by_plan + self.fraction * by_progress


def pace_of(timings: Sequence[Timing], now: float) -> float:
    """Returns how much longer the stages have taken so far than planned."""
    planned, taken = PRIOR_SECONDS, PRIOR_SECONDS
    for timing in timings:
        share = 1.0 if timing.is_over else timing.fraction
        if share:
            planned += share * timing.planned
            taken += timing.elapsed(now)
    return taken / planned


def estimate_left(
    timings: Sequence[Timing], after: Sequence[Sequence[int]], at_once: int, now: float
) -> float:
    """Estimates the seconds until the last stage ends.

    Args:
        timings: One per stage.
        after: For each stage, the numbers of the earlier stages that it waits for.
        at_once: Largest number of stages that run at the same time.
        now: A time of `time.monotonic`.
    """
    pace = pace_of(timings, now)
    ends = [timing.left(now, pace) for timing in timings]
    free = [end for end, timing in zip(ends, timings, strict=True) if timing.is_running]
    free += [0.0] * (at_once - len(free))  # when the next stage can begin, by place
    heapq.heapify(free)
    for number, timing in enumerate(timings):
        if not timing.is_over and not timing.is_running:
            ready = max((ends[earlier] for earlier in after[number]), default=0.0)
            ends[number] += max(ready, heapq.heappop(free))
            heapq.heappush(free, ends[number])
    return max(ends, default=0.0)


def in_words(seconds: float) -> str:
    """Formats a duration: "8 s", "4 min 20 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def roughly(seconds: float) -> str:
    """Formats an estimated duration, rounded up to 10 s, or from 10 min on to minutes."""
    unit = 10 if seconds < 600 else 60
    rounded = unit * math.ceil(seconds / unit)
    return in_words(rounded).removesuffix(" 00 s")


class ProgressLine:
    """A line at the bottom of the terminal; in a file, a line from time to time."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Writes to `stream`, by default to stdout."""
        self._stream = stream or sys.stdout
        self._is_shown = False
        self._last = time.monotonic()

    def show(self, text: str) -> None:
        """Replaces the line by `text`."""
        if not text:
            return
        if self._stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{text[:width]}", end="", file=self._stream, flush=True)
            self._is_shown = True
        elif time.monotonic() - self._last >= LOG_SECONDS:
            self.print(f"    {text}")

    def print(self, text: str, file: TextIO | None = None) -> None:
        """Prints `text` above the line."""
        self.clear()
        print(text, file=file or self._stream, flush=True)
        self._last = time.monotonic()

    def clear(self) -> None:
        """Removes the line from the terminal."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
            self._is_shown = False
