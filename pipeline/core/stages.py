"""A stage of `pipeline.run`: a command with the files that it needs and writes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files import TEMPORARY
from pipeline.core.processes import end_with_parent, try_lock
from pipeline.core.stage_inputs import Inputs, read_inputs, recorded_inputs, write_record

THREAD_LIMITS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Stage:
    """One command ``python -m pipeline.<module> <arguments>``.

    Attributes:
        title: What it does, in a few words.
        module: Module of the command.
        arguments: Command-line arguments.
        makes: The file that it writes last.
        needs: Files that it reads; if one has changed since it made `makes`, the stage runs again.
            A stage waits for the stages that make these files.
        seconds: How long it takes on two idle cores, roughly; a run's time left is estimated from
            these and from how fast the stages have been so far.
        prepare: Called before the command starts, unless the stage is up to date.
        products: Other files that it writes, without which it runs again.
        record: Keeps what `needs` contained (see `pipeline.core.stage_inputs`); without it, a need
            has changed if it is newer than `makes`.
    """

    title: str
    module: str
    arguments: Sequence[str]
    makes: Path
    needs: Sequence[Path]
    seconds: float = 1.0
    prepare: Callable[[], None] | None = None
    products: Sequence[Path] = ()
    record: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether its result exists and is up to date."""
        if not all(path.exists() for path in (self.makes, *self.products)):
            return False
        if self.record is not None and self.record.exists():
            return recorded_inputs(self.record) == read_inputs(self.needs)
        made = self.makes.stat().st_mtime_ns
        return not any(need.stat().st_mtime_ns > made for need in self.needs if need.exists())

    def begin(self) -> Inputs:
        """Notes that the stage begins; returns what it is made from, for `mark_done`."""
        if self.record is None:
            return []
        inputs = read_inputs(self.needs)
        write_record(self.record, None)
        return inputs

    def start(self, n_threads: int | None = None) -> subprocess.Popen[bytes]:
        """Starts the command in a child process that ends with this one, even if that is killed.

        Args:
            n_threads: Threads that the command may use for its computations; None for all cores.
        """
        command = [sys.executable, "-u", "-m", f"pipeline.{self.module}", *self.arguments]
        if self.prepare is not None:
            self.prepare()
        limits = {} if n_threads is None else dict.fromkeys(THREAD_LIMITS, str(n_threads))
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **limits},
            process_group=0,
            preexec_fn=end_with_parent,
        )

    def mark_done(self, inputs: Inputs) -> None:
        """Makes the result newer than its inputs, which it records, even if it is unchanged."""
        os.utime(self.makes)
        if self.record is not None:
            write_record(self.record, inputs)


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Locks `folder` against a second run, and removes the temporary files of a killed run."""
    lock = try_lock(folder / ".lock")
    if lock is None:
        raise UserError(f"{folder} is in use by another run: wait for it or stop it")
    with lock:
        for path in folder.rglob(f"{TEMPORARY}*"):
            path.unlink()
        yield
