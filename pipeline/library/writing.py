"""Writes an export into a folder, and keeps what the user has there."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write

MARKER = "ddx7_export.json"  # lists the files of an export with their checksums

_Checksums = dict[str, list[str]]
"""By path in the export; two while one export replaces another."""


def write_export(tree: Mapping[str, str | bytes], out: Path) -> None:
    """Writes the files of an export; replaces or removes those of an earlier one.

    Args:
        tree: Content of each file by its path in the export.
        out: A folder that is missing or empty, or that holds an earlier export. Other files in it
            stay.

    Raises:
        UserError: The folder holds something else, a file that is in the way was not exported or
            has been edited, or a folder that is written to holds an export of its own.
    """
    earlier = read_marker(out)
    contents = {
        name: text.encode() if isinstance(text, str) else text for name, text in tree.items()
    }
    planned = {name: [_checksum(content)] for name, content in contents.items()}
    both = {name: earlier.get(name, []) + planned.get(name, []) for name in {**earlier, **planned}}
    for name, checksums in both.items():
        path = out / name
        if path.exists() and (path.is_dir() or _checksum(path.read_bytes()) not in checksums):
            reason = "was edited since it was exported" if name in earlier else "was not exported"
            raise UserError(f"{path} {reason}: move it away, or give another --out")
    for folder in sorted({(out / name).parent for name in planned} - {out}):
        if (folder / MARKER).is_file():
            raise UserError(
                f"{folder} holds an export of its own: move it away, or give another --out"
            )
    _write_marker(out, both)  # an interrupted export can then be repeated
    for name, content in contents.items():
        _write(out / name, content)
    for name in both.keys() - tree.keys():
        (out / name).unlink(missing_ok=True)
        _remove_empty_folders((out / name).parent, out)
    _write_marker(out, planned)


def read_marker(out: Path) -> _Checksums:
    """Returns the checksums of the export in a folder; empty if the folder is empty or missing.

    Raises:
        UserError: The folder is something else.
    """
    if not out.exists():
        return {}
    if not out.is_dir():
        raise UserError(f"{out} is a file: give a folder as --out")
    marker = out / MARKER
    if marker.is_file():
        try:
            files: _Checksums = json.loads(marker.read_text())["files"]
            is_sound = all(map(_is_entry, files.items()))
        except (ValueError, KeyError, TypeError, AttributeError):
            is_sound = False
        if not is_sound:
            raise UserError(f"{marker} is damaged: remove the folder, or give another --out")
        return files
    if any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no export (no {MARKER}): give another --out")
    return {}


def _is_entry(entry: tuple[str, object]) -> bool:
    """Whether an entry of a marker names a file inside of the export."""
    path = Path(entry[0])
    return isinstance(entry[1], list) and not path.is_absolute() and ".." not in path.parts


def _write_marker(out: Path, checksums: _Checksums) -> None:
    content = {"made_by": "python -m pipeline.export", "files": checksums}
    _write(out / MARKER, f"{json.dumps(content, indent=1)}\n".encode())


def _remove_empty_folders(folder: Path, out: Path) -> None:
    """Removes a folder of the export, and those around it, as far as nothing is left in them."""
    while folder != out and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
