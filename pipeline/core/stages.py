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

THREAD_LIMITS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Stage:
    """One command ``python -m pipeline.<module> <arguments>``.

    Attributes:
        title: What it does, in a few words.
        module: Module of the command.
        arguments: Command-line arguments.
        makes: The file that it writes last.
        needs: Files that it reads; if one is newer than `makes`, the stage runs again. A stage
            waits for the stages that make these files.
        seconds: How long it takes on two idle cores, roughly; a run's time left is estimated from
            these and from how fast the stages have been so far.
        starts: For training, the file that it writes first; if a needed file is newer, training
            restarts instead of resuming.
        prepare: Called before the command starts, unless the stage is up to date.
    """

    title: str
    module: str
    arguments: Sequence[str]
    makes: Path
    needs: Sequence[Path]
    seconds: float = 1.0
    starts: Path | None = None
    prepare: Callable[[], None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether its result exists and is up to date."""
        return self.makes.exists() and not self._is_outdated(self.makes)

    def start(self, n_threads: int | None = None) -> subprocess.Popen[bytes]:
        """Starts the command in a child process that ends with this one, even if that is killed.

        Args:
            n_threads: Threads that the command may use for its computations; None for all cores.
        """
        command = [sys.executable, "-u", "-m", f"pipeline.{self.module}", *self.arguments]
        if self.starts is not None and self.starts.exists() and self._is_outdated(self.starts):
            command.append("--restart")
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

    def mark_done(self) -> None:
        """Makes the result newer than what it was made from, even if its content is unchanged."""
        os.utime(self.makes)

    def _is_outdated(self, path: Path) -> bool:
        made = path.stat().st_mtime_ns
        return any(need.stat().st_mtime_ns > made for need in self.needs if need.exists())


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
