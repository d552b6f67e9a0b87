"""Archives are read back as written; a damaged one is refused with a line that says what to do."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.core.files import TEMPORARY, atomic_write, load_arrays, read_toml, require_writable

ARRAYS = {"numbers": np.arange(500), "name": np.array("flute"), "levels": np.linspace(0, 1, 90)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "some.npz"
    np.savez_compressed(path, **ARRAYS)
    return path.read_bytes()


def test_all_arrays_or_only_the_named_ones_are_read(tmp_path, archive):
    path = tmp_path / "some.npz"
    path.write_bytes(archive)
    loaded = load_arrays(path, remedy="make it again")
    assert loaded.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], array)
    assert list(load_arrays(path, remedy="make it again", names=["name"])) == ["name"]
    found = load_arrays(path, remedy="make it again", names=["name"], optional=["levels", "notes"])
    assert list(found) == ["name", "levels"]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_archive_is_read_in_full_or_refused(tmp_path, archive, data):
    spoilt = bytearray(archive[: data.draw(st.integers(0, len(archive)))])
    for _ in range(data.draw(st.integers(0, 8)) if spoilt else 0):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "some.npz"
    path.write_bytes(spoilt)
    try:
        loaded = load_arrays(path, remedy="make it again", names=ARRAYS)
    except UserError as error:
        assert str(error).startswith(str(path)) and str(error).endswith("): make it again")
    else:
        assert loaded.keys() == ARRAYS.keys()


def write_member(path, compression):
    with zipfile.ZipFile(path, "w", compression) as stored:
        stored.writestr("numbers.npy", b"no array")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is missing: make it again"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: np.save(path.open("wb"), np.arange(3)), "is damaged .not a .npz archive"),
        (lambda path: np.savez(path, other=1), "has no numbers, so another version has written it"),
        (lambda path: path.write_bytes(b"PK\5 damaged"), "is damaged .not a .npz archive"),
        (lambda path: np.savez(path, numbers=np.array([{}], object)), "is damaged .not a .npz"),
        (lambda path: write_member(path, zipfile.ZIP_LZMA), "is damaged .numbers is not an array"),
    ],
)
def test_file_that_is_not_an_archive_is_named_with_the_remedy(tmp_path, make, message):
    path = tmp_path / "some.npz"
    make(path)
    with pytest.raises(UserError, match=f"some.npz {message}") as refusal:
        load_arrays(path, remedy="make it again", names=["numbers"])
    assert str(refusal.value).endswith(": make it again")


@pytest.mark.parametrize("name", [".", "/", ""])
def test_folder_is_refused_as_the_name_of_a_file(name):
    message = "is a folder: give the name of a file"
    with pytest.raises(UserError, match=message), atomic_write(Path(name)):
        pass


def test_error_of_writing_names_the_final_file(tmp_path):
    path = tmp_path / "figures.json"
    with pytest.raises(OSError) as error, atomic_write(path) as temporary:
        raise PermissionError(13, "Permission denied", str(temporary))
    assert error.value.filename == str(path)


def test_toml_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "flute.toml"
    path.write_bytes("\ufeffname = 'Flöte'\r\n".encode())
    assert read_toml(path) == {"name": "Flöte"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = 9223372036854775808", "more than 64 bits"),
        ("a = [[1, -9223372036854775809]]", "more than 64 bits"),
        (f"[a]\nb.c = 0x{5000 * 'F'}", "more than 64 bits"),  # not even its digits can be printed
        ("a = " + 99_999 * "[", "recursion"),
        ("a", "line 1|end of document"),
    ],
)
def test_toml_that_is_not_valid_is_refused(tmp_path, text, reason):
    path = tmp_path / "flute.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"flute\.toml is not valid TOML: .*({reason})"):
        read_toml(path)


def test_toml_that_is_a_folder_or_no_text_is_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder: give a TOML file"):
        read_toml(tmp_path)
    (tmp_path / "tune.mid").write_bytes(b"MThd\0\0\0\x06\xe7")
    with pytest.raises(
        UserError, match=r"tune\.mid is not a text file: give a TOML file in UTF-8$"
    ):
        read_toml(tmp_path / "tune.mid")


def test_folder_that_may_not_be_written_is_found_before_the_work(unprivileged):
    require_writable(unprivileged / "new" / "folder")
    assert list(unprivileged.rglob("*")) == [unprivileged / "new", unprivileged / "new" / "folder"]
    closed = unprivileged / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    for folder in (closed, closed / "below"):
        with pytest.raises(PermissionError) as error:
            require_writable(folder)
        assert error.value.filename in (str(folder), folder)


def test_unfinished_files_of_killed_processes_are_removed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    ended, living = int(done.stdout), os.getppid()
    hour_ago = time.time() - 3600
    for process, name in ((ended, "old"), (living, "old"), (ended, "new"), (ended, "x.y")):
        path = tmp_path / f"{TEMPORARY}{process}.{name}"
        path.touch()
        if name != "new":
            os.utime(path, (hour_ago, hour_ago))
    (tmp_path / f"{TEMPORARY}notes.txt").touch()
    with atomic_write(tmp_path / "file") as temporary:
        temporary.touch()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("file", f"{TEMPORARY}notes.txt"),
        *(f"{TEMPORARY}{living}.old", f"{TEMPORARY}{ended}.new"),
    }
