"""The static site: its parts, and that its links are relative and lead somewhere."""

import hashlib
import re
from pathlib import Path

import pytest
from support.refusals import refusal

from pipeline import site as command
from pipeline.core.errors import UserError
from pipeline.publishing.release import SUMS
from pipeline.publishing.site import check_links, write_site

FILES = {
    "play/index.html": '<a href="#top">top</a>',
    "firmware/pico.uf2": "uf2",
    "firmware/pico.md": "wiring",
    "firmware/nucleo_h743zi.hex": "hex",
    "models/flute_tiny_int8.tflite": "model",
    "models/flute_tiny_int8.md": "card",
    "libraries/ddx7_cmake.zip": "library",
    "RELEASE_NOTES.md": "notes",
    "LICENSE": "licence",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def release(tmp_path):
    """A folder in the form of a release; the site does not look into its files."""
    sums = (f"{hashlib.sha256(text.encode()).hexdigest()}  {x}\n" for x, text in FILES.items())
    return write(tmp_path / "release", FILES | {SUMS: "".join(sums)})


@pytest.fixture
def listening(tmp_path):
    page = '<a href="listening_test.html">test</a><audio src="sounds/a.wav"></audio>'
    files = {"index.html": page, "listening_test.html": "", "sounds/a.wav": "", "audio/x": ""}
    return write(tmp_path / "page", files)


def build(release, listening, out):
    command.main(["--release", str(release), "--page", str(listening), "--out", str(out)])


def test_site_leads_to_the_pages_and_to_every_file_of_the_release(release, listening, tmp_path):
    out = tmp_path / "site"
    for _ in range(2):  # the second replaces the first
        build(release, listening, out)
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.html")} == {
        "index.html",
        "web/index.html",
        "listen/index.html",
        "listen/listening_test.html",
        "downloads/index.html",
        "downloads/play/index.html",
    }
    assert not (out / "listen" / "audio").exists()
    front, downloads = ((out / x).read_text() for x in ("index.html", "downloads/index.html"))
    for link in ("web/", "listen/", "downloads/"):
        assert f'href="{link}index.html"' in front
    for name in FILES:
        assert f'href="{name}"' in downloads
        assert (out / "downloads" / name).read_text() == FILES[name]
    rows = [row for row in downloads.split("<tr>") if "firmware/" in row]
    assert len(rows) == 2 and sum('"firmware/pico.md">wiring</a>' in row for row in rows) == 1
    assert "tiny models" in downloads
    assert "Raspberry Pi Pico 2</th>" not in downloads  # the release has no firmware for it


@pytest.mark.parametrize("name", ["web", ".site", "index.html"])
def test_symbolic_link_in_the_folder_is_refused(release, tmp_path, name):
    elsewhere = write(tmp_path / "elsewhere", {"mine.txt": "mine"})
    out = write(tmp_path / "site", {".site": "", "listen/index.html": "the earlier one"})
    (out / name).unlink(missing_ok=True)
    (out / name).symlink_to(elsewhere)
    with pytest.raises(UserError, match=f"{name} is a symbolic link: give --out a new folder"):
        write_site(out, release=release, listening=None)
    assert (elsewhere / "mine.txt").read_text() == "mine"
    assert (out / "listen" / "index.html").read_text() == "the earlier one"


def test_site_without_a_listening_page_does_not_lead_to_it(release, tmp_path):
    command.main(["--release", str(release), "--no-page", "--out", str(tmp_path / "site")])
    assert "listen/" not in (tmp_path / "site" / "index.html").read_text()


BROKEN = ["/web/index.html", "https://example.org/x.css", "//host/x", "lost.html", "../up"]
BROKEN += ["http://[bad/", "%00x", "x" * 5000]


@pytest.mark.parametrize("address", BROKEN)
def test_link_that_is_absolute_or_broken_is_named(tmp_path, address):
    write(tmp_path, {"site/index.html": f'<a href="{address}">x</a>', "up": ""})
    message = re.escape(f"index.html links to {address}, which is no file")
    with pytest.raises(UserError, match=message):
        check_links(tmp_path / "site")


@pytest.mark.parametrize("inside", ["site/downloads", "site"])
def test_folder_that_is_read_is_not_replaced(release, tmp_path, capsys, inside):
    site = tmp_path / "site"
    command.main(["--release", str(release), "--no-page", "--out", str(site)])
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    for words in (
        ["--release", tmp_path / inside, "--no-page", "--out", site],
        ["--release", release, "--page", tmp_path / inside, "--out", site],
        ["--release", release, "--no-page", "--out", release / "site"],
    ):
        assert "overlap: give another --out" in refusal(capsys, command.main, *words)
    assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert not (release / "site").exists()


def test_site_stays_if_the_next_one_is_broken(release, listening, tmp_path, capsys):
    site = tmp_path / "site"
    build(release, listening, site)
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    words = ["--release", release, "--page", listening, "--out", site]
    for content, message in (
        (b'<a href="lost.html">x</a>', "listen/index.html links to lost.html, which is no file"),
        (b"\xff", "listen/index.html of the site is not UTF-8: build the page again"),
    ):
        (listening / "index.html").write_bytes(content)
        assert message in refusal(capsys, command.main, *words)
        assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_bad_folders_are_refused_and_left_alone(release, listening, tmp_path, capsys):
    mine = write(tmp_path / "mine", {"index.html": "mine"})
    words = ["--release", str(release), "--page", str(listening), "--out"]
    assert "belongs to no site" in refusal(capsys, command.main, *words, str(mine))
    assert (mine / "index.html").read_text() == "mine"
    site = tmp_path / "mixed"
    build(release, listening, site)
    write(site, {"thesis.txt": "mine"})
    assert "thesis.txt belongs to no site" in refusal(capsys, command.main, *words, str(site))
    assert (site / "index.html").is_file()
    words = ["--release", str(mine), "--out", str(tmp_path / "site")]
    assert "run python -m pipeline.release" in refusal(capsys, command.main, *words)
    words = ["--release", str(release), "--page", str(mine / "x"), "--out", str(tmp_path / "site")]
    assert "run python -m pipeline.page" in refusal(capsys, command.main, *words)
    assert not (tmp_path / "site").exists()
