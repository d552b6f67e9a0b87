"""Lays out a static site from a release and the listening page; all of its links are relative."""

import shutil
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, is_temporary, require_writable, scratch_folder
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.instrument_names import instrument_label
from pipeline.core.paths import REPOSITORY, shown
from pipeline.pages import html
from pipeline.publishing.release import (
    FIRMWARE,
    LIBRARIES,
    MODELS,
    NOTES,
    PLAY,
    SUMS,
    refuse_links,
    released_files,
)
from pipeline.target.boards import INSTRUMENT_BOARDS

TITLE = "Neural instruments on a microcontroller"
STYLES = ("style.css", "page.css")
PICTURE = REPOSITORY / "data" / "pictures" / "signal_path.svg"
LISTENING = ("index.html", "listening_test.html", "sounds", "images")  # what pipeline.page writes
PARTS = ("index.html", PICTURE.name, "web", "listen", "downloads")
MARK = ".site"  # a file in the folder, so that only a site is ever replaced
SUFFIXES = {".uf2": "UF2", ".hex": "HEX", ".bin": "binary"}


def write_site(out: Path, *, release: Path, listening: Path | None) -> list[Path]:
    """Writes the site into a folder, and returns its pages.

    Args:
        out: The folder. A site that was written before is replaced once the new one is complete.
        release: Folder of a release.
        listening: Folder of the listening page; None to leave it out.

    Raises:
        UserError: A folder lacks a file, holds something else or another of them, or a page has a
            broken link.
    """
    for source in filter(None, (release, listening)):
        if _overlap(source.resolve(), out.resolve()):
            raise UserError(
                f"{source} and the folder of the site, {out}, overlap: give another --out"
            )
    files = released_files(release)
    if listening and not (listening / LISTENING[0]).is_file():
        raise UserError(f"{listening} holds no listening page: run python -m pipeline.page first")
    _require_site(out)
    with scratch_folder(out) as site:
        _fill(site, release, files, listening)
        check_links(site)
        _replace_site(out, site)
    return sorted(out.rglob("*.html"))


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _require_site(out: Path) -> None:
    """Raises `UserError` unless a folder holds a site without symbolic links, or nothing."""
    require_writable(out)
    known = {MARK, *PARTS} if (out / MARK).is_file() else set()
    refuse_links(sorted(out.iterdir()))
    names = (Path(path.name) for path in out.iterdir())
    strange = sorted(name for name in names if str(name) not in known and not is_temporary(name))
    if strange:
        raise UserError(f"{shown(out / strange[0])} belongs to no site: give --out a new folder")


def _fill(site: Path, release: Path, files: list[Path], listening: Path | None) -> None:
    """Writes all parts of a site into an empty folder."""
    for path in [*files, Path(SUMS)]:
        _copy(release / path, site / "downloads" / path)
    _copy(release / PLAY / "index.html", site / "web" / "index.html")
    if listening:
        for path in (listening / name for name in LISTENING):
            if path.exists():
                _copy(path, site / "listen" / path.name)
    _copy(PICTURE, site / PICTURE.name)
    _write(site / "downloads" / "index.html", "Downloads", _downloads(release, files))
    _write(site / "index.html", TITLE, _front(has_listening=listening is not None))


def _replace_site(out: Path, site: Path) -> None:
    """Moves the parts of a new site into a folder, in place of those of an earlier one."""
    (out / MARK).touch()
    for name in PARTS:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink(missing_ok=True)
        if (site / name).exists():
            (site / name).replace(out / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)


def _write(path: Path, title: str, body: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(html.page(title, body, styles=STYLES, scripts=()))


def _front(*, has_listening: bool) -> str:
    boards = [board.title for board in INSTRUMENT_BOARDS.values()]
    entries = {
        "index.html": "The listening page</a></dt><dd>Recordings, and how every model plays them",
        "listening_test.html": "A blind test</a></dt><dd>Rate models without knowing their names",
    }
    listed = "".join(
        f'<dt><a href="listen/{name}">{text}.</dd>\n' for name, text in entries.items()
    )
    button = '<a class="button plain" href="listen/index.html">Listen and compare</a>'
    return html.fill_template(
        "site/front.html",
        listen_button=button if has_listening else "",
        listen_entries=listed if has_listening else "",
        boards=", ".join(boards[:-1]) + " and " + boards[-1],
    )


def _downloads(release: Path, files: list[Path]) -> str:
    """Returns the page of the files; all links are relative to the folder of the release."""
    names = [instrument_label(name).lower() for name in shipped_instruments()]
    play = Path(PLAY, "index.html")
    return html.fill_template(
        "site/downloads.html",
        last_program=len(names) - 1,
        programs=", ".join(names[:-1]) + " and " + names[-1],
        firmware=_firmware_table(release, files),
        models=_models_table(release, files),
        libraries=", ".join(
            _link(release, path, path.stem) for path in files if path.parts[0] == LIBRARIES
        ),
        play=play.as_posix(),
        play_size=_size(release / play),
        notes=NOTES,
        sums=SUMS,
    )


def _firmware_table(release: Path, files: list[Path]) -> str:
    rows = []
    for name, board in INSTRUMENT_BOARDS.items():
        links = [
            _link(release, path, label)
            for suffix, label in SUFFIXES.items()
            if (path := Path(FIRMWARE, name + suffix)) in files
        ]
        wiring = Path(FIRMWARE, f"{name}.md")
        shown_by = f'<a href="{wiring.as_posix()}">wiring</a>' if wiring in files else ""
        if links:
            cells = [escape(board.title), board.chip, str(board.n_tiny_voices)]
            rows.append([*cells, ", ".join(links), shown_by])
    return html.table("Firmware", ["board", "chip", "notes at once", "files", "wiring"], rows)


def _models_table(release: Path, files: list[Path]) -> str:
    rows = [
        [path.stem, _link(release, path, "model"), _link(release, path.with_suffix(".md"), "card")]
        for path in files
        if path.parts[0] == MODELS and path.suffix == ".tflite"
    ]
    return html.table("Models", ["model", "file", "card"], rows)


def _link(release: Path, path: Path, label: str) -> str:
    return f'<a href="{path.as_posix()}">{label}</a> ({_size(release / path)})'


def _size(path: Path) -> str:
    n_bytes = path.stat().st_size
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"


class _Links(HTMLParser):
    """Collects what a page links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the addresses of a tag."""
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def check_links(site: Path) -> None:
    """Checks that every address in the pages of a site is relative, and leads to a file of it.

    Raises:
        UserError: One is not, or does not, or a page is not UTF-8.
    """
    for page in sorted(site.rglob("*.html")):
        name = page.relative_to(site)
        links = _Links()
        try:
            links.feed(page.read_text())
        except UnicodeDecodeError:
            raise UserError(f"{name} of the site is not UTF-8: build the page again") from None
        for address in links.found:
            if not _is_found(address, page, site):
                raise UserError(
                    f"{name} links to {address}, which is no file of the site: build the page "
                    "again after the page that it links to"
                )


def _is_found(address: str, page: Path, site: Path) -> bool:
    """Whether an address in a page is relative and leads to a file of the site, or to no file."""
    try:
        parts = urlsplit(address)
        if parts.scheme == "data" or not (parts.path or parts.netloc or parts.scheme):
            return True
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            return False
        target = (page.parent / unquote(parts.path)).resolve()
        return target.is_relative_to(site.resolve()) and target.is_file()
    except (ValueError, OSError):  # no address at all, or no path, such as one of 5000 characters
        return False
