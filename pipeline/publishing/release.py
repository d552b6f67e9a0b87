"""Lays out the files of a release; the same sources give the same bytes."""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pipeline.core.constants import FORMATS, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, is_temporary, require_writable, scratch_folder
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.instrument_names import instrument_label
from pipeline.core.paths import MODEL_DIR, REPOSITORY, shown, version
from pipeline.core.runs import decoder_name
from pipeline.library.ecosystems import ECOSYSTEMS
from pipeline.library.tree import library_sources, library_tree
from pipeline.pages.html import fill_template
from pipeline.pages.web_build import SHIPPED_KINDS, build_web_page
from pipeline.publishing.firmware_files import FirmwareFiles, build_firmware_files
from pipeline.publishing.model_card import card_text
from pipeline.target.sources import generate

SUMS = "SHA256SUMS"
NOTES = "RELEASE_NOTES.md"
FIRMWARE, LIBRARIES, MODELS, PLAY = "firmware", "libraries", "models", "play"  # of a release
FIRST_PAGE = Path(PLAY, "index.html")  # every release has it
TOP_LEVEL = {FIRMWARE, LIBRARIES, MODELS, PLAY, NOTES, "LICENSE", SUMS}
FIRMWARE_VARIANT = "tiny"
_SUM_LINE = re.compile(r"[0-9a-f]{64}  ([^\0]+)")


def write_release(out: Path, boards: Sequence[str], say: Callable[[str], object]) -> list[Path]:
    """Writes a release into a folder, and returns its files.

    The files are collected in a scratch folder inside it. An earlier release stays until all of
    them are there, and loses only the files that the new one does not replace.

    Args:
        out: The folder. Files of an earlier release are replaced or removed.
        boards: Boards to build the firmware for.
        say: Called with a line before each step.

    Raises:
        UserError: The folder holds something else, a tool is missing, or something does not build.
    """
    earlier = _earlier_files(out)
    with scratch_folder(out) as folder:
        _fill(folder, boards, say)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = "".join(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
            f"{path.relative_to(folder).as_posix()}\n"
            for path in files
        )
        targets = [out / path.relative_to(folder) for path in files]
        obsolete = sorted(earlier.difference(targets))
        leaving = (f"{'0' * 64}  {path.relative_to(out).as_posix()}\n" for path in obsolete)
        # Every file belongs to a release at any time, so that an interrupted one can be repeated.
        _write(out / SUMS, sums + "".join(leaving))
        for source, target in zip(files, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        for path in obsolete:
            path.unlink()
        _write(out / SUMS, sums)
    return [*targets, out / SUMS]


def _fill(folder: Path, boards: Sequence[str], say: Callable[[str], object]) -> None:
    """Writes all files of a release but the checksums."""
    generated = generate(*_run_dirs(FIRMWARE_VARIANT))
    images = []
    for board in boards:
        say(f"building the firmware for {board}")
        images.append(build_firmware_files(board, generated, folder / FIRMWARE))
    say("building the instrument page")
    build_web_page(_run_dirs("reduced_cd"), folder / PLAY, say, kinds=SHIPPED_KINDS)
    say("exporting the C libraries")
    _write_libraries(folder / LIBRARIES)
    say("describing the models")
    _write_models(folder / MODELS)
    _write(folder / "LICENSE", (REPOSITORY / "LICENSE").read_text())
    _write(folder / NOTES, notes_text(images))


def released_files(release: Path) -> list[Path]:
    """Returns the files of a release, relative to its folder, after comparing their sums.

    Raises:
        UserError: The folder holds no release, or a file is missing or was changed.
    """
    remedy = "run python -m pipeline.release again"
    try:
        lines = (release / SUMS).read_text(errors="replace").splitlines()
    except OSError:
        raise UserError(f"{release} holds no release (no {SUMS}): {remedy}") from None
    files = []
    for line in lines:
        found = _SUM_LINE.fullmatch(line)
        path = release / found[1] if found else None
        if path is None or not path.resolve().is_relative_to(release.resolve()):
            raise UserError(f"{release / SUMS} has a damaged line, {line!r}: {remedy}")
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != line[:64]:
            raise UserError(f"{path} is missing or was changed: {remedy}")
        files.append(path.relative_to(release))
    if FIRST_PAGE not in files:
        raise UserError(f"{release / SUMS} lists no {FIRST_PAGE}: {remedy}")
    return files


def _earlier_files(out: Path) -> set[Path]:
    """Returns the files of an earlier release in a folder.

    A list of sums that somebody else has made does not make their files a release, so it must list
    what every release has, and a file must lie where a release has files.

    Raises:
        UserError: There is another file, or a symbolic link.
    """
    require_writable(out)
    sums = out / SUMS
    text = sums.read_text(errors="replace") if sums.is_file() else ""
    listed = {Path(found[1]) for line in text.splitlines() if (found := _SUM_LINE.fullmatch(line))}
    known = {path for path in listed if TOP_LEVEL.intersection(path.parts[:1])}
    if FIRST_PAGE not in known:
        known = set()
    elif sums.is_file():
        known.add(Path(SUMS))
    present = sorted(path for path in out.rglob("*") if not is_temporary(path.relative_to(out)))
    refuse_links(present)
    for path in present:
        place = path.relative_to(out)
        if place.parts[0] not in TOP_LEVEL or (path.is_file() and place not in known):
            raise UserError(
                f"{shown(path)} belongs to no release: give --out a new folder, or remove it"
            )
    return {path for path in present if path.is_file() and path != sums}


def refuse_links(paths: Iterable[Path]) -> None:
    """Raises `UserError` for a symbolic link, because what it leads to belongs to somebody else."""
    for path in paths:
        if path.is_symlink():
            raise UserError(
                f"{shown(path)} is a symbolic link: give --out a new folder, or remove it"
            )


def _run_dirs(variant: str) -> list[Path]:
    return [MODEL_DIR / name / variant for name in shipped_instruments()]


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def _write_libraries(out: Path) -> None:
    """Writes an archive per build system with the exported C library of the firmware's models."""
    run_dirs = _run_dirs(FIRMWARE_VARIANT)
    sources = library_sources(run_dirs)
    for ecosystem in ECOSYSTEMS:
        tree = library_tree(ecosystem, sources, run_dirs)
        with (
            atomic_write(out / f"ddx7_{ecosystem}.zip") as temporary,
            ZipFile(temporary, "w", ZIP_DEFLATED) as archive,
        ):
            for name, text in sorted(tree.items()):
                archive.writestr(ZipInfo(f"DDX7/{name}"), text, ZIP_DEFLATED)  # dated 1980


def _write_models(out: Path) -> None:
    """Writes every pretrained ``.tflite`` file with its card."""
    for instrument in shipped_instruments():
        for variant in VARIANTS:
            run_dir = MODEL_DIR / instrument / variant
            for fmt in FORMATS:
                path = out / f"{instrument}_{variant}_{fmt}.tflite"
                if (run_dir / decoder_name(fmt)).is_file():
                    path.parent.mkdir(exist_ok=True)
                    shutil.copyfile(run_dir / decoder_name(fmt), path)
                    _write(path.with_suffix(".md"), card_text(run_dir, fmt, path.name))


def notes_text(images: Sequence[FirmwareFiles]) -> str:
    """Returns the release notes, Markdown: what the files are, and the newest changes.

    Args:
        images: The firmware of the release.
    """
    title, changes = newest_changes((REPOSITORY / "CHANGELOG.md").read_text())
    boards = [
        f"- **{image.board.title}** ({image.board.chip}): up to {image.n_voices} notes at once; "
        + ", ".join(f"`{FIRMWARE}/{path.name}`" for path in image.paths)
        + f"; wiring: `{FIRMWARE}/{image.wiring.name}`"
        for image in images
    ]
    return fill_template(
        "site/release_notes.md",
        title=f"{version()}, unreleased" if title == "Unreleased" else title,
        page=f"{PLAY}/index.html",
        names=", ".join(instrument_label(name).lower() for name in shipped_instruments()),
        boards="\n".join(boards),
        models=MODELS,
        libraries=LIBRARIES,
        sums=SUMS,
        changes=changes,
    )


def newest_changes(changelog: str) -> tuple[str, str]:
    """Returns the title and the text of the newest section of a change log.

    Raises:
        UserError: It has no section.
    """
    sections = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)
    if len(sections) < 3:
        raise UserError("CHANGELOG.md has no section: begin one with '## ' and the version")
    return sections[1].strip(), sections[2].strip()
