"""Runs stages in the order of their files, several at a time, and says how long the rest takes."""

import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.core.errors import UserError
from pipeline.core.run_progress import ProgressLine, Timing, estimate_left, in_words, roughly
from pipeline.core.stage_inputs import Inputs
from pipeline.core.stages import Stage

POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0  # for a stage to end by itself and to remove its temporary files
_BAR = re.compile(r"(\d+)%\|")  # a progress bar of tqdm
_LINE_END = re.compile(rb"[\r\n]+")


@dataclass
class _Running:
    """A stage whose command is running.

    Attributes:
        stage: The stage.
        process: Its process.
        position: Its place in the run, such as "[3/9]".
        timing: Receives when it began, how far it is and when it ended.
        inputs: What it is made from.
        output: Lines that it has printed so far, except on stderr.
        rest: Bytes of an unfinished line, by stream.
    """

    stage: Stage
    process: subprocess.Popen[bytes]
    position: str
    timing: Timing
    inputs: Inputs
    output: list[str] = field(default_factory=list)
    rest: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})


class StageRunner:
    """Runs the stages of `pipeline.run`."""

    def __init__(self, stages: Sequence[Stage], *, at_once: int, n_cores: int) -> None:
        """Prepares a run.

        Args:
            stages: In an order in which every stage follows those that it needs.
            at_once: Largest number of stages that run at the same time.
            n_cores: Cores that these share.
        """
        self._stages = stages
        self._at_once = max(1, min(at_once, n_cores))
        self._n_cores = n_cores
        self._waiting = list(range(len(stages)))
        self._running: dict[int, _Running] = {}
        self._timings = [Timing(stage.seconds) for stage in stages]
        self._after = [
            [i for i, earlier in enumerate(stages[:number]) if earlier.makes in stage.needs]
            for number, stage in enumerate(stages)
        ]
        self._line = ProgressLine()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Runs all stages that are not up to date.

        Raises:
            SystemExit: A stage failed; it has printed the reason.
            UserError: A stage was killed by a signal.
        """
        self._print_outlook()
        try:
            self._start_ready()
            while self._running:
                for key, _ in self._selector.select(POLL_SECONDS):
                    self._read(key)
                self._finish_ended()
                self._start_ready()
                if self._running:
                    self._line.show(self._progress())
        finally:  # Ctrl-C is not sent to the stages, which have their own process groups
            self._line.clear()
            for running in self._running.values():
                running.process.terminate()
            for running in self._running.values():
                _await_end(running.process)
            self._selector.close()

    def _print_outlook(self) -> None:
        """Says how many stages there are to do, and how long they take according to the plan."""
        done: list[bool] = []
        for stage, after in zip(self._stages, self._after, strict=True):
            done.append(stage.is_done and all(done[earlier] for earlier in after))
        planned = [
            Timing(0.0 if is_done else stage.seconds)
            for stage, is_done in zip(self._stages, done, strict=True)
        ]
        if seconds := estimate_left(planned, self._after, self._at_once, time.monotonic()):
            text = f"{done.count(False)} of {len(done)} stages to do, about {roughly(seconds)}"
            self._line.print(text)

    def _start_ready(self) -> None:
        """Starts stages whose inputs are there, and passes over those that are up to date."""
        ready: list[int] = []
        for number in list(self._waiting):
            if not all(self._timings[i].is_over for i in self._after[number]):
                continue
            if self._stages[number].is_done:
                self._waiting.remove(number)
                self._timings[number].skip()
                self._line.print(f"{self._name(number)} (up to date)")
                return self._start_ready()
            if len(self._running) + len(ready) < self._at_once:
                ready.append(number)
        n_shared = len(self._running) + len(ready)
        for number in ready:
            self._waiting.remove(number)
            self._start(number, self._n_cores // n_shared if n_shared > 1 else None)

    def _start(self, number: int, n_threads: int | None) -> None:
        self._line.print(self._name(number))
        stage, timing = self._stages[number], self._timings[number]
        timing.begin()
        inputs = stage.begin()
        process = stage.start(n_threads)
        running = _Running(stage, process, self._position(number), timing, inputs)
        self._running[number] = running
        for name in running.rest:
            stream = getattr(running.process, name)
            self._selector.register(stream, selectors.EVENT_READ, (running, name))

    def _read(self, key: selectors.SelectorKey) -> None:
        running, name = key.data
        chunk = key.fileobj.read1()  # type: ignore[union-attr]
        *lines, rest = _LINE_END.split(running.rest[name] + chunk)
        if not chunk:
            self._selector.unregister(key.fileobj)
            lines, rest = [*lines, rest], b""
        running.rest[name] = rest
        for line in lines:
            text = line.decode(errors="replace")
            bars = _BAR.findall(text) if name == "stderr" else []
            if bars:
                running.timing.fraction = int(bars[-1]) / 100
            elif name == "stderr" and text.strip():
                self._line.print(text, file=sys.stderr)
            elif text and not text.startswith("next: "):  # pipeline.run continues by itself
                running.output.append(text)

    def _finish_ended(self) -> None:
        open_streams = {id(key.data[0]) for key in self._selector.get_map().values()}
        for number, running in list(self._running.items()):
            if id(running) in open_streams:
                continue
            status = running.process.wait()
            del self._running[number]
            for line in running.output:
                self._line.print(f"    {line}")
            if status < 0:
                name = signal.Signals(-status).name
                raise UserError(
                    f"pipeline.{running.stage.module} was killed by {name}: the same command "
                    "continues from here"
                )
            if status:
                raise SystemExit(status)
            running.stage.mark_done(running.inputs)
            running.timing.end()
            left = self.seconds_left()
            rest = f"; about {roughly(left)} left" if left else ""
            self._line.print(
                f"    {running.position} took {in_words(running.timing.seconds)}{rest}"
            )

    def _position(self, number: int) -> str:
        return f"[{number + 1}/{len(self._stages)}]"

    def _name(self, number: int) -> str:
        stage = self._stages[number]
        return f"{self._position(number)} {stage.module}: {stage.title}"

    def _progress(self) -> str:
        """Describes in one line how long the run still takes, and what is running."""
        parts = [
            f"{running.position} {running.stage.title} {running.timing.fraction:.0%}"
            for running in self._running.values()
        ]
        return f"about {roughly(self.seconds_left())} left: {', '.join(parts)}"

    def seconds_left(self) -> float:
        """Estimates the seconds until the last stage ends."""
        return estimate_left(self._timings, self._after, self._at_once, time.monotonic())


def _await_end(process: subprocess.Popen[bytes]) -> None:
    """Waits until a process that was asked to end has ended, and kills it if that takes long."""
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
