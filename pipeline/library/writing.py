"""Writes an export into a folder, and keeps what the user has there."""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write

MARKER = "ddx7_export.json"  # lists the files of an export with their checksums
_REMEDY = "move it away, or give another --out"

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
            has been edited, or a folder that is written to is a link or holds an export of its own.
    """
    earlier = read_marker(out)
    contents = {
        name: text.encode() if isinstance(text, str) else text for name, text in tree.items()
    }
    planned = {name: [_checksum(content)] for name, content in contents.items()}
    both = {name: earlier.get(name, []) + planned.get(name, []) for name in {**earlier, **planned}}
    old = both.keys() - planned.keys()
    for name in both:
        _check_folders(out, name, old)
        if name in old or not _gives_way(out, name, old):
            _check_file(out / name, both[name], is_earlier=name in earlier, is_old=name in old)
    _write_marker(out, both)  # an interrupted export can then be repeated
    for name in old:  # first, because a folder may have the name of an old file, and the reverse
        if (out / name).is_file():
            (out / name).unlink()
        _remove_empty_folders((out / name).parent, out)
    for name, content in contents.items():
        _write(out / name, content)
    _write_marker(out, planned)


def _check_folders(out: Path, name: str, old: Collection[str]) -> None:
    """Raises `UserError` if a folder between `out` and a file is not one that may be written to.

    Args:
        out: Folder of the export.
        name: The file's path in the export.
        old: Files that are removed before others are written.
    """
    for parent in Path(name).parents[:-1]:
        folder, reason = out / parent, ""
        if folder.is_symlink():
            reason = "is a symbolic link"
        elif name in old:
            continue
        elif folder.exists() and not folder.is_dir() and str(parent) not in old:
            reason = "is not a folder"
        elif (folder / MARKER).is_file():
            reason = "holds an export of its own"
        if reason:
            raise UserError(f"{folder} {reason}: {_REMEDY}")


def _gives_way(out: Path, name: str, old: Collection[str]) -> bool:
    """Whether a folder is in a file's place that is removed with the old files, all that it holds.

    Args:
        out: Folder of the export.
        name: The file's path in the export.
        old: Files that are removed before others are written.
    """
    folders = {parent for each in old for parent in Path(each).parents}
    inside = (out / name, *(out / name).rglob("*"))
    return Path(name) in folders and all(
        path.relative_to(out) in folders
        if path.is_dir() and not path.is_symlink()
        else str(path.relative_to(out)) in old
        for path in inside
    )


def _check_file(path: Path, checksums: list[str], *, is_earlier: bool, is_old: bool) -> None:
    """Raises `UserError` if something else than an exported file is in its place.

    What is no longer exported may have become a folder.
    """
    if not os.path.lexists(path) or (is_old and path.is_dir() and not path.is_symlink()):
        return
    is_plain = path.is_file() and not path.is_symlink()
    if not is_plain or _checksum(path.read_bytes()) not in checksums:
        reason = "was edited since it was exported" if is_earlier else "was not exported"
        raise UserError(f"{path} {reason}: {_REMEDY}")


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
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
    is_inside = path.parts and not path.is_absolute() and ".." not in path.parts
    return bool(is_inside) and b"\0" not in os.fsencode(path) and isinstance(entry[1], list)


def _write_marker(out: Path, checksums: _Checksums) -> None:
    content = {"made_by": "python -m pipeline.export", "files": checksums}
    _write(out / MARKER, f"{json.dumps(content, indent=1)}\n".encode())


def _remove_empty_folders(folder: Path, out: Path) -> None:
    """Removes a folder of the export, and those around it, as far as nothing is left in them.

    The folder may have been removed by hand.
    """
    while folder != out and not (folder.is_dir() and any(folder.iterdir())):
        if folder.is_dir():
            folder.rmdir()
        folder = folder.parent


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
