"""Writes an instrument's file, and updates it without touching what was edited by hand.

An entry is a line ``key = value`` below comment lines of its own. The last lines of the file list a
checksum of each entry as it was written. An entry whose lines have another checksum, or that was
removed, was edited, and so was every entry of a file without checksums.
"""

import hashlib
import json
import re
import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.files import TEXT, atomic_write, read_toml
from pipeline.core.instrument_config import instrument_from_table

WIDTH = 100
NOTICE = (
    "Checksums of the entries as they were written. python -m pipeline.new_instrument updates an "
    "entry only if its lines are unchanged."
)
CHECKSUMS = "# checksums: "
_SECTION = re.compile(r"\s*\[([A-Za-z0-9_.]+)\]\s*(#.*)?$")
_ENTRY = re.compile(r"\s*([A-Za-z0-9_]+)\s*=")


@dataclass(frozen=True)
class Entry:
    """An entry of an instrument's file.

    Attributes:
        key: Its key, with the table, such as ``data.f0_min_hz``.
        value: A number, a string or a boolean.
        comment: What was measured, and what is allowed.
    """

    key: str
    value: Any
    comment: str

    @property
    def section(self) -> str:
        """Name of its table; empty for the top level."""
        return self.key.rpartition(".")[0]

    @property
    def lines(self) -> list[str]:
        """The lines that state it."""
        name = self.key.rpartition(".")[2]
        return [*_comment_lines(self.comment), f"{name} = {json.dumps(self.value)}"]


@dataclass
class Changes:
    """What an update did, by key.

    Attributes:
        written: Entries that are new or have changed.
        unchanged: Entries that are as they were.
        kept: Entries that were edited or removed by hand, and are left as they are.
    """

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def write_instrument(path: Path, entries: Sequence[Entry], title: str) -> Changes:
    """Writes an instrument's file, or updates the entries of it that were not edited.

    Args:
        path: The file; created if it is missing.
        entries: Those of the top level first.
        title: Comment at the beginning of a new file.

    Raises:
        UserError: The file, or what it would become, is not valid. It is left as it is.
    """
    table = read_toml(path) if path.exists() else {}
    old = (
        path.read_text(encoding=TEXT)
        if path.exists()
        else "\n".join([*_comment_lines(title), CHECKSUMS])
    )
    text, changes = update_text(old, table, entries)
    instrument_from_table(tomllib.loads(text), path)
    if changes.written:
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    return changes


def update_text(text: str, table: dict[str, Any], entries: Sequence[Entry]) -> tuple[str, Changes]:
    """Updates the text of an instrument's file.

    Args:
        text: Text of the file.
        table: Its content, by which entries in another notation are recognized.
        entries: The entries to write.

    Returns:
        The new text, and what has changed.
    """
    body, checksums = _split_checksums(text)
    changes = Changes()
    if checksums is None:  # written by hand
        return text, Changes(kept=[entry.key for entry in entries])
    for entry in entries:
        place = _find(body, entry.key)
        if place is not None and checksums.get(entry.key) == _checksum(body[place]):
            changed = _checksum(entry.lines) != checksums[entry.key]
            (changes.written if changed else changes.unchanged).append(entry.key)
            body[place] = entry.lines
        elif place is not None or entry.key in checksums or _contains(table, entry.key):
            changes.kept.append(entry.key)
            continue
        else:
            _insert(body, entry)
            changes.written.append(entry.key)
        checksums[entry.key] = _checksum(entry.lines)
    return "\n".join([*body, "", *_checksum_lines(checksums)]) + "\n", changes


def _comment_lines(comment: str) -> list[str]:
    return textwrap.wrap(comment, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _checksum(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(line.strip() for line in lines).encode()).hexdigest()[:8]


def _split_checksums(text: str) -> tuple[list[str], dict[str, str] | None]:
    """Separates the checksums from the lines before them; None if there are none."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(CHECKSUMS.rstrip())]
    if not starts:
        return lines, None
    words = " ".join(lines[starts[-1] :]).replace("#", " ").split()[1:]
    notice = len(_comment_lines(NOTICE))
    end = starts[-1]
    if lines[max(end - notice, 0) : end] == _comment_lines(NOTICE):
        end -= notice
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end], dict(word.split("=", 1) for word in words if "=" in word)


def _checksum_lines(checksums: dict[str, str]) -> list[str]:
    words = " ".join(f"{key}={checksum}" for key, checksum in checksums.items())
    wrapped = textwrap.wrap(
        words, WIDTH, initial_indent=CHECKSUMS, subsequent_indent="#   ", break_on_hyphens=False
    )
    return [*_comment_lines(NOTICE), *wrapped]


def _find(lines: Sequence[str], key: str) -> slice | None:
    """Finds the line that states an entry and the comment lines directly above it."""
    section, _, name = key.rpartition(".")
    current, first = "", 0
    for number, line in enumerate(lines):
        if heading := _SECTION.match(line):
            current = heading[1]
        entry = _ENTRY.match(line)
        if entry and (current, entry[1]) == (section, name):
            return slice(first, number + 1)
        if not line.lstrip().startswith("#"):
            first = number + 1
    return None


def _contains(table: dict[str, Any], key: str) -> bool:
    """Whether a table has an entry, in whatever notation."""
    for name in key.split("."):
        if name not in table:
            return False
        table = table[name] if isinstance(table[name], dict) else {}
    return True


def _insert(lines: list[str], entry: Entry) -> None:
    """Inserts an entry at the end of its section, which is made if it is missing."""
    headings = [(i, m[1]) for i, line in enumerate(lines) if (m := _SECTION.match(line))]
    names = ["", *(name for _, name in headings)]
    if entry.section not in names:
        lines += ["", f"[{entry.section}]", *entry.lines]
        return
    ends = [*(i for i, _ in headings), len(lines)]
    end = ends[names.index(entry.section)]
    while end and not lines[end - 1].strip():
        end -= 1
    is_first = end and lines[end - 1].lstrip().startswith("#") and entry.section == ""
    lines[end:end] = [*([""] if is_first else []), *entry.lines]
