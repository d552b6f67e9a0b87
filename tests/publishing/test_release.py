"""A release holds what a player needs, and the same sources give the same bytes."""

import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.refusals import refusal

from pipeline import release as command
from pipeline.core.constants import FORMATS, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import TEMPORARY
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import decoder_name
from pipeline.library.ecosystems import ECOSYSTEMS
from pipeline.publishing import release as module
from pipeline.publishing.firmware_files import FirmwareFiles
from pipeline.publishing.release import FIRST_PAGE, SUMS, newest_changes, released_files
from pipeline.target import uf2
from pipeline.target.boards import INSTRUMENT_BOARDS


@pytest.mark.firmware
def test_release_has_firmware_page_models_notes_and_sums(release):
    subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=release, check=True)
    listed = {path.as_posix() for path in released_files(release)}
    present = {p.relative_to(release).as_posix() for p in release.rglob("*") if p.is_file()}
    assert listed == present - {SUMS}
    assert {f"firmware/pico.{suffix}" for suffix in ("uf2", "hex", "bin", "md")} <= listed
    assert "MIDI RX     GP5" in (release / "firmware" / "pico.md").read_text()
    assert {f"libraries/ddx7_{name}.zip" for name in ECOSYSTEMS} <= listed
    with ZipFile(release / "libraries" / "ddx7_arduino.zip") as archive:
        assert archive.testzip() is None and "DDX7/library.properties" in archive.namelist()
    assert {"play/index.html", "RELEASE_NOTES.md", "LICENSE"} <= listed
    for name in shipped_instruments():
        for variant in VARIANTS:
            for fmt in FORMATS:
                source = MODEL_DIR / name / variant / decoder_name(fmt)
                stem = f"models/{name}_{variant}_{fmt}"
                assert (f"{stem}.tflite" in listed) == source.is_file()
                assert (f"{stem}.md" in listed) == source.is_file()
                if source.is_file():
                    assert (release / f"{stem}.tflite").read_bytes() == source.read_bytes()
    notes = (release / "RELEASE_NOTES.md").read_text()
    assert (
        f"up to {INSTRUMENT_BOARDS['pico'].n_tiny_voices} notes at once; `firmware/pico.uf2`"
        in notes
    )
    assert "; wiring: `firmware/pico.md`\n" in notes
    assert newest_changes((MODEL_DIR.parents[1] / "CHANGELOG.md").read_text())[1] in notes


@pytest.mark.firmware
def test_uf2_file_holds_the_image_with_all_instruments(release):
    image, family = uf2.read((release / "firmware" / "pico.uf2").read_bytes())
    assert family == uf2.RP2040
    content = (release / "firmware" / "pico.bin").read_bytes()
    assert image.content[: len(content)] == content
    for name in shipped_instruments():
        assert f"{name}_tiny\0".encode() in content


@pytest.mark.firmware
def test_release_that_is_built_elsewhere_has_the_same_bytes(release, build_dir, tmp_path):
    command.main(["--out", str(tmp_path / "again"), "--board", "pico"])
    assert (tmp_path / "again" / SUMS).read_text() == (release / SUMS).read_text()


def test_folder_with_other_files_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    line = refusal(capsys, command.main, "--out", str(tmp_path))
    assert "thesis.txt belongs to no release: give --out a new folder" in line
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "sums"),
    [
        ("thesis.txt", ["thesis.txt"]),
        ("models/mine.pt", ["models/mine.pt"]),  # a list that is not that of a release
        ("thesis.txt", ["thesis.txt", "play/index.html"]),  # no place of a release
        ("models/mine.pt", ["play/index.html", ".", ".."]),
        ("drafts/", ["play/index.html"]),
        ("LICENSE/", []),
    ],
)
def test_list_of_sums_does_not_make_files_a_release(tmp_path, monkeypatch, name, sums):
    monkeypatch.setattr(module, "_fill", fill)
    mine = tmp_path / name
    (mine if name.endswith("/") else mine.parent).mkdir(exist_ok=True)
    if not mine.is_dir():
        mine.write_text("mine")
    (tmp_path / SUMS).write_text("".join(f"{'0' * 64}  {path}\n" for path in sums))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(UserError, match="belongs to no release"):
        module.write_release(tmp_path, [], print)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["play", "LICENSE", "play/index.html"])
def test_symbolic_link_in_the_folder_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(module, "_fill", fill)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    write_earlier(elsewhere)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).symlink_to(elsewhere)
    with pytest.raises(UserError, match=f"{name} is a symbolic link: give --out a new folder"):
        module.write_release(out, [], print)
    assert len(list(elsewhere.rglob("*"))) == 5


def test_earlier_release_is_replaced_only_when_the_new_one_is_complete(tmp_path):
    out = tmp_path / "release"
    write_earlier(out)

    def fail(folder, *arguments, **options):
        (folder / "half.txt").touch()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "_fill", fail)
        module.write_release(out, [], print)
    assert sorted(path.name for path in out.iterdir()) == [SUMS, "models", "play"]
    assert (out / "models" / "old.md").read_text() == "old"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_fill", fill)
        module.write_release(out, [], print)
    assert sorted(path.name for path in out.iterdir()) == [SUMS, "models", "play"]
    assert list((out / "models").iterdir()) == []
    assert released_files(out) == [Path("play/index.html")]
    assert [path.name for path in tmp_path.iterdir()] == ["release"]  # nothing is left beside it


def write_earlier(out):
    """Writes a release with a file that the next one does not have."""
    (out / "models").mkdir(parents=True)
    (out / "models" / "old.md").write_text("old")
    (out / "play").mkdir()
    (out / "play" / "index.html").write_text("the earlier one")
    (out / SUMS).write_text("".join(f"{'0' * 64}  {x}\n" for x in ("models/old.md", FIRST_PAGE)))


def fill(folder, *_):
    """Writes the smallest release."""
    (folder / "play").mkdir()
    (folder / "play" / "index.html").touch()


def test_release_that_cannot_be_moved_leaves_the_earlier_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_fill", fill)
    write_earlier(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
        with pytest.raises(OSError, match="no"):
            module.write_release(tmp_path, [], print)
    assert (tmp_path / "play" / "index.html").read_text() == "the earlier one"
    assert (tmp_path / "models" / "old.md").read_text() == "old"
    module.write_release(tmp_path, [], print)  # can be repeated
    assert released_files(tmp_path) == [Path("play/index.html")]
    assert sorted(p.name for p in tmp_path.rglob("*")) == [SUMS, "index.html", "models", "play"]


def test_scratch_folder_of_a_killed_release_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_fill", fill)
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = tmp_path / f"{TEMPORARY}{ended.pid}.scratch"
    (left / "firmware").mkdir(parents=True)
    (left / "firmware" / "pico.uf2").touch()
    module.write_release(tmp_path, [], print)  # it may still be in use, so it is ignored
    os.utime(left, (0, 0))
    module.write_release(tmp_path, [], print)
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "play"]


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        (None, "holds no release"),
        ("nonsense\n", "has a damaged line, 'nonsense'"),
        ("0" * 64 + "  ../outside\n", "has a damaged line"),
        ("0" * 64 + "  lost.txt\n", "lost.txt is missing or was changed"),
        ("\udcff\n", "has a damaged line"),
        ("0" * 64 + "  \0\n", "has a damaged line"),
        ("", "lists no play/index.html: run python -m pipeline.release again"),
    ],
)
def test_damaged_release_is_named(tmp_path, sums, message):
    if sums is not None:
        (tmp_path / SUMS).write_text(sums, errors="surrogateescape")
    with pytest.raises(UserError, match=message):
        released_files(tmp_path)


def test_newest_section_of_the_change_log_becomes_the_notes():
    log = "# Changelog\n\n## 1.1.0\n\n### Added\n\n- Sound.\n\n## 1.0.0\n\n- Nothing.\n"
    assert newest_changes(log) == ("1.1.0", "### Added\n\n- Sound.")
    with pytest.raises(UserError, match="has no section"):
        newest_changes("# Changelog\n")


@pytest.mark.parametrize(
    ("head", "title"), [("Unreleased", "0.3.0, unreleased"), ("0.2.0 (2026)", "0.2.0 (2026)")]
)
def test_notes_are_headed_by_the_version(monkeypatch, head, title):
    monkeypatch.setattr(module, "newest_changes", lambda _: (head, "- Sound."))
    monkeypatch.setattr(module, "version", lambda: "0.3.0")
    board = INSTRUMENT_BOARDS["pico2"]
    files = FirmwareFiles(board, 32, [Path("pico2.uf2"), Path("pico2.hex")], Path("pico2.md"))
    notes = module.notes_text([files])
    assert notes.startswith(f"# Distilling DDSP: {title}\n") and notes.endswith("- Sound.\n")
    assert "(flute, piano, trumpet, violin), as tiny models" in notes
    listed = "`firmware/pico2.uf2`, `firmware/pico2.hex`; wiring: `firmware/pico2.md`\n"
    assert f"- **{board.title}** (RP2350): up to 32 notes at once; {listed}" in notes
