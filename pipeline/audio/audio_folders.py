"""Lists the sound files of a folder, whatever else is in it."""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.audio.sound_files import (
    AUDIO_SUFFIXES,
    CONVERT,
    OTHER_SOUND_SUFFIXES,
    looks_like_sound,
)

ARCHIVE_SUFFIXES = {".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"}
SAMPLER_SUFFIXES = {".exs", ".gig", ".ncw", ".nki", ".nkx", ".rx2", ".sf2", ".sf3", ".sfz"}


@dataclass(frozen=True)
class PassedOver:
    """A file or folder that cannot be used.

    Attributes:
        path: The file.
        reason: Why, in words that are the same for all files of the kind, as in "silent".
        message: One line with the file, the reason and a remedy.
    """

    path: Path
    reason: str
    message: str


def list_sounds(folder: Path) -> tuple[list[Path], list[PassedOver]]:
    """Lists the sound files below a folder, ordered by name.

    Links to folders are followed, each folder once. Hidden files and folders are ignored, among
    them ``._*`` of macOS and ``.ipynb_checkpoints``, and so are files that are no sounds, such as
    texts and pictures. Sounds in a format that is not read here are passed over, and so is what
    may hold sounds: archives, samplers' own formats, and folders and links that cannot be read.

    Args:
        folder: A folder, or a single file, which is taken for a sound file whatever its name is.
    """
    if not folder.is_dir():
        return [folder], []
    files, passed_over = _walk(folder)
    sounds = []
    for path in sorted(files):
        suffix = path.suffix.lower()
        if not path.is_file():
            if suffix in AUDIO_SUFFIXES:
                passed_over.append(_passed_over(path, "not a file", "check where it links to"))
        elif suffix in AUDIO_SUFFIXES:
            sounds.append(path)
        elif suffix in OTHER_SOUND_SUFFIXES:
            passed_over.append(_passed_over(path, f"{suffix[1:]} is not read here", CONVERT))
        elif suffix in ARCHIVE_SUFFIXES:
            passed_over.append(_passed_over(path, "an archive", "unpack it"))
        elif suffix in SAMPLER_SUFFIXES:
            remedy = "export its samples as WAV or FLAC"
            passed_over.append(_passed_over(path, "a sampler's own format", remedy))
        elif looks_like_sound(path):
            sounds.append(path)
    return sounds, passed_over


def _walk(folder: Path) -> tuple[list[Path], list[PassedOver]]:
    """Collects files recursively; folders before links, so that names do not depend on links."""
    files: list[Path] = []
    passed_over: list[PassedOver] = []
    visited: set[tuple[int, int]] = set()
    folders, links = [folder], list[Path]()
    while folders or links:
        current = folders.pop() if folders else links.pop(0)
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            cause = f"cannot be read ({error.strerror})"
            message = f"{current} {cause}: check its permissions"
            passed_over.append(PassedOver(current, "a folder that cannot be read", message))
            continue
        for entry in found:
            path = current / entry.name
            if entry.name.startswith("."):
                continue
            if not path.is_dir():
                files.append(path)
            elif entry.is_symlink():
                links.append(path)
            else:
                folders.append(path)
    return files, passed_over


def _passed_over(path: Path, reason: str, remedy: str) -> PassedOver:
    return PassedOver(path, reason, f"{path} is passed over ({reason}): {remedy}")
