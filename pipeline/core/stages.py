"""A stage of `pipeline.run`: a command with the files that it needs and writes."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files import TEMPORARY
from pipeline.core.processes import end_with_parent


@dataclass(frozen=True)
class Stage:
    """One command ``python -m pipeline.<module> <arguments>``.

    Attributes:
        title: What it does, in a few words.
        module: Module of the command.
        arguments: Command-line arguments.
        makes: The file that it writes last.
        needs: Files that it reads; if one is newer than `makes`, the stage runs again.
        starts: For training, the file that it writes first; if a needed file is newer, training
            restarts instead of resuming.
    """

    title: str
    module: str
    arguments: Sequence[str]
    makes: Path
    needs: Sequence[Path]
    starts: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether its result exists and is up to date."""
        return self.makes.exists() and not self._is_outdated(self.makes)

    def run(self) -> None:
        """Runs the command in a child process that ends with this one, even if this one is killed.

        Raises:
            SystemExit: The stage failed; it has printed the reason.
            UserError: The stage was killed by a signal.
        """
        command = [sys.executable, "-u", "-m", f"pipeline.{self.module}", *self.arguments]
        if self.starts is not None and self.starts.exists() and self._is_outdated(self.starts):
            command.append("--restart")
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
            process_group=0,
            preexec_fn=end_with_parent,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if not line.startswith("next: "):  # pipeline.run continues by itself
                        print(f"    {line}", end="", flush=True)
            except KeyboardInterrupt:  # not sent to the stage, which has its own process group
                process.terminate()
                print(file=sys.stderr)  # below a progress bar
                raise
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            raise UserError(
                f"pipeline.{self.module} was killed by {name}: the same command continues from here"
            )
        if process.returncode:
            raise SystemExit(process.returncode)
        os.utime(self.makes)  # stages do not rewrite files whose content is unchanged

    def _is_outdated(self, path: Path) -> bool:
        made = path.stat().st_mtime_ns
        return any(need.stat().st_mtime_ns > made for need in self.needs if need.exists())


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Locks `folder` against a second run, and removes the temporary files of a killed run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder} is in use by another run: wait for it or stop it") from None
        for path in folder.rglob(f"{TEMPORARY}*"):
            path.unlink()
        yield
