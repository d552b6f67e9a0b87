"""An export replaces an earlier one, and leaves alone what else is in the folder."""

import json

import pytest

from pipeline.core.errors import UserError
from pipeline.library import writing
from pipeline.library.writing import MARKER, read_marker, write_export

TREE = {"README.md": "one\n", "src/ddx7.h": "two\n"}


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.mark.parametrize("exists", [False, True])
def test_new_or_empty_folder_gets_the_tree(tmp_path, exists):
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    write_export(TREE, out)
    assert contents(out) == TREE


def test_second_export_replaces_the_first_and_keeps_other_files(tmp_path):
    write_export(TREE, tmp_path)
    (tmp_path / "own.c").write_text("mine\n")
    write_export({"README.md": "three\n", "src/new.h": "four\n"}, tmp_path)
    assert contents(tmp_path) == {"README.md": "three\n", "src/new.h": "four\n", "own.c": "mine\n"}


def test_folder_with_something_else_is_refused_and_stays(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine\n")
    with pytest.raises(UserError, match=f"not empty and holds no export.*{MARKER}.*--out"):
        write_export(TREE, tmp_path)
    assert contents(tmp_path) == {"thesis.txt": "mine\n"}


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine\n")
    with pytest.raises(UserError, match="out is a file"):
        read_marker(tmp_path / "out")


@pytest.mark.parametrize("changed", ["README.md", "src/ddx7.h"])
def test_edited_file_is_refused_and_nothing_is_written(tmp_path, changed):
    write_export(TREE, tmp_path)
    (tmp_path / changed).write_text("edited\n")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=rf"{changed} was edited since it was exported"):
        write_export({"README.md": "three\n"}, tmp_path)
    assert contents(tmp_path) == before


def test_own_file_in_the_way_of_a_new_one_is_refused(tmp_path):
    write_export(TREE, tmp_path)
    (tmp_path / "own.c").write_text("mine\n")
    with pytest.raises(UserError, match=r"own\.c was not exported: move it away"):
        write_export({**TREE, "own.c": "theirs\n"}, tmp_path)
    assert (tmp_path / "own.c").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["src/x.c", "src/deep/x.c"])
def test_file_in_the_way_of_a_folder_is_refused_and_nothing_is_written(tmp_path, name):
    write_export({"a.txt": "one\n"}, tmp_path)
    (tmp_path / "src").write_text("mine\n")
    marker = (tmp_path / MARKER).read_text()
    with pytest.raises(UserError, match=r"src is not a folder: move it away, or give another --o"):
        write_export({"b.txt": "two\n", name: "three\n"}, tmp_path)
    assert contents(tmp_path) == {"a.txt": "one\n", "src": "mine\n"}
    assert (tmp_path / MARKER).read_text() == marker


def test_file_that_is_no_longer_exported_gives_way_to_a_folder(tmp_path):
    out, tree = tmp_path / "out", {"src/x.c": "two\n"}
    write_export({"src": "one\n"}, out)
    write_export(tree, out)
    assert contents(out) == tree
    both = {"files": {"src": ["an old sum"], **json.loads((out / MARKER).read_text())["files"]}}
    (out / MARKER).write_text(json.dumps(both))  # as an interrupted export leaves it
    write_export(tree, out)
    assert contents(out) == tree and "src" not in read_marker(out)


@pytest.mark.parametrize("deleted", [(), ("src/a.c",), ("src/a.c", "src/deep/b.c")])
def test_folder_that_is_no_longer_exported_gives_way_to_a_file(tmp_path, deleted):
    write_export({"src/a.c": "one\n", "src/deep/b.c": "two\n"}, tmp_path)
    for name in deleted:
        (tmp_path / name).unlink()
    write_export({"src": "three\n"}, tmp_path)
    assert contents(tmp_path) == {"src": "three\n"}


@pytest.mark.parametrize("own", ["file", "folder", "link", "folder in place of a file"])
def test_folder_that_holds_something_else_does_not_give_way_to_a_file(tmp_path, own):
    out = tmp_path / "out"
    write_export({"src/a.c": "one\n", "src/b.c": "two\n"}, out)
    if own == "file":
        (out / "src" / "own.c").write_text("mine\n")
    elif own == "folder":
        (out / "src" / "own").mkdir()
    elif own == "link":
        (out / "src" / "own").symlink_to(tmp_path)
    else:
        (out / "src" / "b.c").unlink()
        (out / "src" / "b.c").mkdir()
    before = sorted(out.rglob("*"))
    with pytest.raises(UserError, match="src was not exported: move it away, or give another"):
        write_export({"src": "three\n"}, out)
    assert sorted(out.rglob("*")) == before and (out / "src" / "a.c").read_text() == "one\n"


def test_edited_file_keeps_its_folder_from_giving_way_to_a_file(tmp_path):
    write_export(TREE, tmp_path)
    (tmp_path / "src" / "ddx7.h").write_text("edited\n")
    with pytest.raises(UserError, match=r"src/ddx7\.h was edited since it was exported"):
        write_export({"src": "three\n"}, tmp_path)
    assert contents(tmp_path) == {**TREE, "src/ddx7.h": "edited\n"}


@pytest.mark.parametrize("deleted", ["examples/one", "examples/one/a.c", "examples"])
def test_folders_from_which_files_were_deleted_by_hand_do_not_stay_empty(tmp_path, deleted):
    write_export({**TREE, "examples/one/a.c": "1\n"}, tmp_path)
    (tmp_path / "examples" / "one" / "a.c").unlink()
    if not deleted.endswith("a.c"):
        (tmp_path / "examples" / "one").rmdir()
    if deleted == "examples":
        (tmp_path / "examples").rmdir()
    write_export(TREE, tmp_path)
    assert contents(tmp_path) == TREE and not (tmp_path / "examples").exists()


def test_folder_in_place_of_an_old_file_stays(tmp_path):
    write_export(TREE, tmp_path)
    (tmp_path / "README.md").unlink()
    (tmp_path / "README.md").mkdir()
    (tmp_path / "README.md" / "own.txt").write_text("mine\n")
    later = {"src/ddx7.h": "three\n"}
    write_export(later, tmp_path)
    assert contents(tmp_path) == {**later, "README.md/own.txt": "mine\n"}


@pytest.mark.parametrize("name", ["src/new.h", "src/deep/new.h", "new.h"])
@pytest.mark.parametrize("exists", [True, False])
def test_linked_folder_is_refused_and_what_it_holds_stays(tmp_path, name, exists):
    """Also one from which only files of the earlier export would be removed."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    write_export(TREE, out)
    (out / "src").rename(elsewhere)
    (out / "src").symlink_to(elsewhere if exists else tmp_path / "missing")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="src is a symbolic link: move it away, or give another"):
        write_export({name: "three\n"}, out)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("target", ["missing", "README.md"])
def test_link_in_place_of_a_file_is_refused(tmp_path, target):
    write_export(TREE, tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(UserError, match="link was not exported: move it away"):
        write_export({**TREE, "link": TREE["README.md"]}, tmp_path)
    assert (tmp_path / "link").is_symlink()


def test_interrupted_export_can_be_repeated(tmp_path, monkeypatch):
    write_export(TREE, tmp_path)
    later = {"README.md": "three\n", "src/ddx7.h": "four\n"}
    write, written = writing._write, []

    def interrupt(path, text):
        if len(written) == 2:  # the marker and one file
            raise KeyboardInterrupt
        written.append(path)
        write(path, text)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(writing, "_write", interrupt)
        write_export(later, tmp_path)
    assert contents(tmp_path) == {**TREE, "README.md": "three\n"}
    write_export(later, tmp_path)
    assert contents(tmp_path) == later


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"files": 3}', '{"files": {"a": 3}}'),
        *('{"files": {"../a": []}}', '{"files": {"/etc/a": []}}'),
        *('{"files": {"a\\u0000b": []}}', '{"files": {"\\ud800": []}}', '{"files": {".": []}}'),
        '{"files":' * 100_000,
    ],
)
def test_damaged_marker_is_refused(tmp_path, text):
    (tmp_path / MARKER).write_text(text)
    with pytest.raises(UserError, match=f"{MARKER} is damaged"):
        write_export(TREE, tmp_path)
    assert not (tmp_path / "README.md").exists()


def test_marker_states_what_made_the_folder(tmp_path):
    write_export(TREE, tmp_path)
    content = json.loads((tmp_path / MARKER).read_text())
    assert content["made_by"] == "python -m pipeline.export"
    assert {name: len(sums) for name, sums in content["files"].items()} == dict.fromkeys(TREE, 1)


def test_folders_of_an_earlier_export_leave_none_empty(tmp_path):
    write_export({**TREE, "examples/one/a.c": "1\n", "examples/two/b.c": "2\n"}, tmp_path)
    (tmp_path / "examples" / "two" / "own.c").write_text("mine\n")
    write_export({"README.md": "three\n"}, tmp_path)
    assert not (tmp_path / "src").exists() and not (tmp_path / "examples" / "one").exists()
    assert contents(tmp_path) == {"README.md": "three\n", "examples/two/own.c": "mine\n"}


def test_export_within_the_folders_of_a_library_is_refused(tmp_path):
    """Otherwise models of earlier times would lie among those of the library."""
    write_export(TREE, tmp_path)
    write_export({"old.dsp.ddx7": "model\n"}, tmp_path / "models")
    before = contents(tmp_path)
    for name in ("models/new.dsp.ddx7", "models/flute/new.dsp.ddx7"):
        with pytest.raises(UserError, match="models holds an export of its own: move it away, or"):
            write_export({**TREE, name: "model\n"}, tmp_path)
    assert contents(tmp_path) == before
    write_export({**TREE, "src/new.h": "four\n"}, tmp_path)  # which writes nothing there
    assert contents(tmp_path)["models/old.dsp.ddx7"] == "model\n"
