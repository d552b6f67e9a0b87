"""External tools: presence, failure messages and locks."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.core.errors import UserError

DEBIAN_PACKAGES = {
    "cmake": "cmake",
    "ninja": "ninja-build",
    "cc": "gcc",
    "clang": "clang libclang-rt-14-dev",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-objdump": "binutils-arm-none-eabi",
    "arm-none-eabi-g++": "libstdc++-arm-none-eabi-newlib",
    "qemu-system-arm": "qemu-system-arm",
    "node": "nodejs",
    "npm": "npm",
}


def require_tools(*tools: str) -> None:
    """Raises `UserError` naming the Debian package of the first tool that is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            package = DEBIAN_PACKAGES.get(tool, tool)
            raise UserError(f"{tool} is not installed: apt-get install {package}")


_TELLING_SIGNS = ("undefined reference", " error: ", "rror:", "Error")


def run_tool(command: Sequence[object], *, purpose: str, log: Path | None = None) -> str:
    """Runs a tool and returns its output; its failure is a `UserError` with the telling line."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no message"]
        said = (line for sign in _TELLING_SIGNS for line in lines if sign in line)
        telling = next(said, lines[-1])
        where = f" (all of it in {log})" if log else ""
        raise UserError(f"{purpose} failed: {telling.strip()}{where}")
    return done.stdout


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of `folder` while its content is being made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


_claims: dict[Path, TextIO] = {}


def claim(folder: Path) -> bool:
    """Takes a folder for this process until it ends; returns False where another one has it."""
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
