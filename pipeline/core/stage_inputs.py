"""What a stage of `pipeline.run` was made from, by content.

Times alone would repeat work: a command with other options, and then the first one again, makes the
same files anew.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pipeline.core.files import write_json

Inputs = list[str]  # a hash per file that a stage needs; empty for one that cannot be read


def read_inputs(needs: Iterable[Path]) -> Inputs:
    """Hashes the files that a stage needs."""
    return [_digest_or_nothing(need) for need in needs]


def recorded_inputs(record: Path) -> Inputs | None:
    """Returns what the complete result of a stage was made from; None if it is not complete."""
    try:
        inputs: Inputs | None = json.loads(record.read_text())["inputs"]
    except (KeyError, TypeError, ValueError):  # damaged
        return None
    return inputs


def write_record(record: Path, inputs: Inputs | None) -> None:
    """Notes what the complete result of a stage was made from, or None while the stage runs."""
    write_json(record, {"inputs": inputs})


def _digest_or_nothing(path: Path) -> str:
    try:
        return _digest(path, path.stat().st_mtime_ns)
    except OSError:
        return ""


@cache
def _digest(path: Path, mtime_ns: int) -> str:
    """Returns the hash of a file; the time is there to hash a file again that was rewritten."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
