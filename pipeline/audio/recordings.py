"""Finds recordings and opens all of them, and renders the default corpus."""

import io
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from tqdm import tqdm

from pipeline.audio.audio_folders import PassedOver, list_sounds
from pipeline.audio.composition import compose_corpus
from pipeline.audio.issue_log import list_names
from pipeline.audio.loading import check_file
from pipeline.audio.sound_files import RecordingError
from pipeline.audio.soundfont import check_sound_set, render_midi
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import DataConfig, InstrumentConfig

URMP_TRACK = re.compile(r"AuSep_\d+_(?P<tag>[a-z]+)_", re.IGNORECASE)
JAZZNET_PATTERN = re.compile(r"^[A-G][#b]?-\d-(?P<mode>.+)-\d+$")
JAZZNET_CHORDAL = {"chords", "progressions"}  # folders of recordings with several notes at once


@dataclass(frozen=True)
class Recording:
    """A recording to learn from.

    Attributes:
        name: A name that is the same on every machine: the source and the path within it.
        path: The file.
        real: Whether a musician was recorded; False for rendered audio.
        source: The folder that it came from, or the sound set that rendered it.
    """

    name: str
    path: Path
    real: bool
    source: str


@dataclass(frozen=True)
class Found:
    """What folders hold.

    Attributes:
        recordings: The usable recordings, ordered by folder and name.
        passed_over: The files and folders that cannot be used.
    """

    recordings: list[Recording] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)

    def by_path(self) -> dict[str, str]:
        """Returns the whole list of what was passed over, for a JSON file: messages by path."""
        return {_clean(str(passed.path)): _clean(passed.message) for passed in self.passed_over}

    def lines(self) -> list[str]:
        """Sums up what was passed over: for each reason, the number and the first three files."""
        reasons: dict[str, list[PassedOver]] = {}
        for passed in self.passed_over:
            reasons.setdefault(passed.reason, []).append(passed)
        texts = []
        for reason, files in sorted(reasons.items(), key=lambda item: -len(item[1])):
            names = list_names([_clean(passed.path.name) for passed in files])
            remedy = _clean(files[0].message).rpartition(": ")[2]
            noun = "file" if len(files) == 1 else "files"
            texts.append(f"{len(files)} {noun}: {reason}: {names}: {remedy}")
        return texts

    def warn(self, where: str = "") -> None:
        """Prints the lines on stderr.

        Args:
            where: The file that has the whole list (see `by_path`), if any.
        """
        lines = self.lines()
        for number, line in enumerate(lines, 1):
            rest = f"; all are listed in {where}" if where and number == len(lines) else ""
            tqdm.write(f"passed over: {line}{rest}", file=sys.stderr)


def open_recordings(folders: Sequence[Path], config: DataConfig) -> Found:
    """Finds the recordings in folders and opens all of them, before any long work.

    Folders are searched recursively (see `audio_folders.list_sounds`). One in URMP's layout gives
    only the instrument's separate tracks, one in Jazznet's layout only arpeggios and scales, and
    any other folder all audio. Every file is read once, so that files that are empty, silent,
    damaged, or no audio are known.

    Args:
        folders: Folders, or single files. Each is a source of its own.
        config: Contains the instrument's tag in URMP.

    Raises:
        UserError: A folder does not exist, or no folder has a usable recording.
    """
    found = Found()
    listed: list[Recording] = []
    unique = list({folder.resolve(): folder for folder in folders}.values())
    for folder, source in zip(unique, source_names(unique), strict=True):
        recordings, passed_over = _list_folder(folder, config, source)
        listed += recordings
        found.passed_over.extend(passed_over)
        if not recordings and not passed_over:
            formats = "WAV, FLAC, OGG, Opus, MP3, AIFF"
            message = f"{folder} holds no audio: put recordings there ({formats})"
            found.passed_over.append(PassedOver(folder, "a folder without audio", message))
    for recording in tqdm(listed, desc="open", unit="recording", disable=None):
        try:
            check_file(recording.path)
        except RecordingError as error:
            found.passed_over.append(PassedOver(recording.path, error.reason, str(error)))
        else:
            found.recordings.append(recording)
    if not found.recordings:
        raise UserError(_why_nothing(folders, found))
    return found


def source_names(folders: Sequence[Path]) -> list[str]:
    """Names the sources that folders are, by as little of their paths as tells them apart."""
    bases = [folder.resolve() if folder.is_dir() else folder.resolve().parent for folder in folders]
    names = [_clean(base.name or "audio") for base in bases]
    depth = 1
    while len(set(names)) < len(set(bases)) and depth < max(len(base.parts) for base in bases):
        depth += 1
        repeated = {name for name, count in Counter(names).items() if count > 1}
        names = [
            _clean("/".join(base.parts[1:][-depth:])) if name in repeated else name
            for name, base in zip(names, bases, strict=True)
        ]
    return names


def _list_folder(
    folder: Path, config: DataConfig, source: str
) -> tuple[list[Recording], list[PassedOver]]:
    """Lists the sound files of a folder as recordings of a source."""
    if not folder.exists():
        raise UserError(f"{folder} does not exist: give a folder of recordings to --audio")
    base = folder if folder.is_dir() else folder.parent
    files, passed_over = list_sounds(folder)
    recordings = [
        Recording(
            _clean(f"{source}/{path.relative_to(base).as_posix()}"), path, real=True, source=source
        )
        for path in _suitable(files, folder, config)
    ]
    return recordings, passed_over


def _clean(name: str) -> str:
    """Makes a name from the file system printable and the same on Linux and macOS."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in unicodedata.normalize("NFC", text))


def _why_nothing(folders: Sequence[Path], found: Found) -> str:
    """Explains in one line why no recording is left."""
    if len(found.passed_over) == 1:
        return found.passed_over[0].message
    where = " and ".join(map(str, folders))
    return f"{where}: no usable recording: {'; '.join(found.lines())}"


def _suitable(files: Sequence[Path], folder: Path, config: DataConfig) -> Sequence[Path]:
    """Chooses among the files of a folder by its layout; see `open_recordings`."""
    tracks = {path: URMP_TRACK.match(path.name) for path in files}
    if any(tracks.values()):
        tag = config.urmp_tag
        chosen = [path for path, track in tracks.items() if track and track["tag"].lower() == tag]
        if not chosen:
            raise UserError(
                f"{folder} has URMP's layout but no AuSep_*_{tag or '?'}_* track: add some"
            )
        return chosen
    if files and all(JAZZNET_PATTERN.match(path.stem) for path in files):
        chosen = [path for path in files if _is_melodic(path)]
        if not chosen:
            raise UserError(f"{folder} has Jazznet's layout but no arpeggios or scales: add some")
        return chosen
    return files


def _is_melodic(path: Path) -> bool:
    """Whether a recording of Jazznet has one note at a time."""
    pattern = JAZZNET_PATTERN.match(path.stem)
    chordal = pattern is not None and pattern["mode"].endswith("chord")
    return not chordal and JAZZNET_CHORDAL.isdisjoint(part.lower() for part in path.parts)


def render_corpus(
    config: InstrumentConfig, folder: Path, sound_sets: Sequence[str]
) -> list[Recording]:
    """Composes the default corpus, and renders it with every sound set.

    What is already in `folder`, which has a folder for each sound set, is not rendered again.

    Args:
        config: The instrument.
        folder: Where scores and sounds are kept.
        sound_sets: Names of sound sets; each is a source.

    Raises:
        UserError: A sound set or its synthesizer is missing, or rendering failed.
    """
    program = config.require_corpus().gm_program
    for sound_set in sound_sets:
        check_sound_set(sound_set, program)
    phrases = compose_corpus(config)
    recordings = []
    for index, (sound_set, midi) in enumerate(
        tqdm(list(product(sound_sets, phrases)), desc="corpus", unit="phrase", disable=None)
    ):
        name = f"{sound_set}/{config.instrument}_{index % len(phrases):02d}"
        score, sound = folder / f"{name}.mid", folder / f"{name}.wav"
        content = io.BytesIO()
        midi.save(file=content)
        if not (sound.is_file() and score.is_file() and score.read_bytes() == content.getvalue()):
            with atomic_write(score) as temporary:  # renamed only after its sound is complete
                temporary.write_bytes(content.getvalue())
                render_midi(temporary, program, sound, sound_set=sound_set)
        recordings.append(Recording(f"corpus/{name}", sound, real=False, source=sound_set))
    return recordings
