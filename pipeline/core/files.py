"""Files: atomic writes, JSON, TOML and NumPy archives."""

import json
import os
import shutil
import time
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import UserError

TEXT = "utf-8-sig"  # UTF-8; some editors put a byte order mark before it
TEMPORARY = ".partial-"  # how names of unfinished files begin; the number of the process follows
ABANDONED_SECONDS = 60.0  # an unfinished file that was not written to for so long

_swept: set[Path] = set()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and renames it to `path` if the block succeeds.

    The first call for a folder removes the temporary files that killed processes have left there.

    Args:
        path: Final path; its folder is created if needed. The temporary name has the same suffix
            because libraries choose the format by it.

    Yields:
        The path to write to.

    Raises:
        UserError: `path` is a folder.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise UserError(f"{path} is a folder: give the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _swept:
        _swept.add(path.parent)
        _remove_abandoned(path.parent)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary), temporary):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path, process: int) -> None:
    """Removes the temporary files of `atomic_write` that a process has left in a folder."""
    for path in folder.glob(f"{TEMPORARY}{process}.*"):
        path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Removes temporary files and scratch folders of processes that have ended.

    A process on another computer that shares the folder seems to have ended, too, so the file must
    also be old.
    """
    for path in folder.glob(f"{TEMPORARY}*.*"):
        process = path.name.removeprefix(TEMPORARY).partition(".")[0]
        try:
            is_old = time.time() - path.stat().st_mtime > ABANDONED_SECONDS
            if process.isdecimal() and is_old and not _exists(int(process)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError:  # another process has removed it, or it is not ours to remove
            continue


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder inside `folder`, so that its files can be renamed into `folder`.

    It is removed after the block, and those that killed processes have left there before it.

    Raises:
        OSError: Files cannot be made in `folder`.
    """
    require_writable(folder)
    _remove_abandoned(folder)
    scratch = folder / f"{TEMPORARY}{os.getpid()}.scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # of an earlier process with the same number
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_temporary(path: Path) -> bool:
    """Whether a relative path is that of an unfinished file, or lies in a scratch folder."""
    return any(part.startswith(TEMPORARY) for part in path.parts)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def require_writable(folder: Path) -> None:
    """Creates a folder if needed, and checks before any long work that files can be made in it.

    Raises:
        OSError: They cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f"{TEMPORARY}{os.getpid()}"
    try:
        probe.touch()
    except OSError as error:
        error.filename = str(folder)
        raise
    probe.unlink()


def write_json(path: Path, figures: Any) -> None:
    """Writes `figures` as indented JSON, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n")


def read_json(path: Path, *, remedy: str = "restore it") -> dict[str, Any]:
    """Reads a JSON file of figures.

    Args:
        path: The file.
        remedy: What the user can do if it cannot be used; ends the error message.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        figures = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): {remedy}") from None
    if not isinstance(figures, dict):
        raise UserError(f"{path} is damaged (it holds no table): {remedy}")
    return figures


def load_arrays(
    path: Path,
    *,
    remedy: str,
    names: Iterable[str] | None = None,
    optional: Iterable[str] = (),
) -> dict[str, np.ndarray]:
    """Reads the arrays of a ``.npz`` file.

    Args:
        path: The file.
        remedy: What the user can do if the file cannot be used; it ends the error message, as in
            "run python -m pipeline.data again".
        names: The arrays to read and to require; all arrays of the file if None.
        optional: Arrays to read besides `names` if the file has them.

    Raises:
        UserError: The file is missing, unreadable or damaged, or has no array of one of `names`.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("not a .npz archive")
        with stored:
            missing = [name for name in names or () if name not in stored.files]
            if missing:
                raise UserError(
                    f"{path} has no {', '.join(missing)}, so another version has written it: "
                    f"{remedy}"
                )
            wanted = stored.files if names is None else [*names, *optional]
            arrays = {name: stored[name] for name in wanted if name in stored.files}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):  # NumPy returns other members as bytes
                raise ValueError(f"{name} is not an array")
        return arrays
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {remedy}") from None
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} cannot be read ({reason}): {remedy}") from None
    except Exception as error:  # altered bytes raise almost anything inside NumPy
        # NumPy takes any other file for pickled objects, and advises to load what could run code.
        cause = "not a .npz archive" if "allow_pickle" in str(error) else str(error)
        raise UserError(f"{path} is damaged ({cause}): {remedy}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        UserError: It is missing, a folder, no text, or not valid.
    """
    try:
        table = tomllib.loads(path.read_text(encoding=TEXT))
        _check_integers(table)
        return table
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: give a TOML file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file: give a TOML file in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from None


def _check_integers(value: Any) -> None:
    """Raises `ValueError` for an integer that TOML does not have and Python cannot print."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_integers(item)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number has more than 64 bits")


def to_toml(table: dict[str, Any]) -> str:
    """Formats a table of numbers, strings, booleans and nested tables as TOML."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", to_toml(value).rstrip("\n")]
    return "\n".join(lines) + "\n"
