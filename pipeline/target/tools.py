"""Runs external tools: checks that they are installed, and reports failures."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import REPOSITORY

DEBIAN_REQUIREMENTS = "requirements-debian.txt"


def debian_packages(text: str) -> dict[str, list[str]]:
    """Reads which Debian packages contain which tools.

    Args:
        text: Content of ``requirements-debian.txt``: one package per line, followed by a comment
            with the tools that it contains, a colon, and its purpose. A comment without a colon is
            only the purpose.

    Returns:
        Packages by tool.
    """
    packages: dict[str, list[str]] = {}
    for line in text.splitlines():
        package, _, comment = line.partition("#")
        tools, colon, _ = comment.partition(":")
        if package.strip() and colon:
            for tool in tools.split():
                packages.setdefault(tool, []).append(package.strip())
    return packages


def require_tools(*tools: str) -> None:
    """Raises a `UserError` with the Debian packages of the first tool that is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            requirements = REPOSITORY / DEBIAN_REQUIREMENTS
            known = debian_packages(requirements.read_text()) if requirements.is_file() else {}
            packages = " ".join(known.get(tool, [tool]))
            raise UserError(f"{tool} is not installed: apt-get install {packages}")


_SIGNS_OF_AN_ERROR = ("undefined reference", " error: ", "rror:", "Error", "rror")


def telling_line(output: str) -> str:
    """Returns the line of a failed program's output that most likely states the reason."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no message"]
    found = (line for sign in _SIGNS_OF_AN_ERROR for line in lines if sign in line)
    return next(found, lines[-1])


def run_command(
    command: Sequence[object], *, folder: Path | None = None, timeout_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command without input.

    Args:
        command: The program and its arguments.
        folder: Working folder; None for the current one.
        timeout_s: Seconds of wall-clock time after which the program is killed; None for no limit.

    Returns:
        The exit status as ``returncode``, and stdout and stderr together as ``stdout``.

    Raises:
        subprocess.TimeoutExpired: The program was killed.
    """
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


def run_tool(command: Sequence[object], *, purpose: str, log: Path | None = None) -> str:
    """Runs a tool and returns its output.

    Args:
        command: The tool and its arguments.
        purpose: Why it runs; the subject of the message about its failure.
        log: File for the whole output.

    Raises:
        UserError: The tool failed; the message contains the line of its output that states why.
    """
    done = run_command(command)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode != 0:
        where = f" (full output in {log})" if log else ""
        raise UserError(f"{purpose} failed: {telling_line(done.stdout)}{where}")
    return done.stdout
