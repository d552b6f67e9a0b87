"""Finds recordings, renders the default corpus, and extracts and caches features."""

import hashlib
import io
import multiprocessing
import re
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio import a_weighting, autocorrelation, loading, pcm
from pipeline.audio import features as features_module
from pipeline.audio.composition import compose_corpus
from pipeline.audio.features import Features, extract_features
from pipeline.audio.loading import AUDIO_SUFFIXES, load_audio
from pipeline.audio.soundfont import SOUNDFONT, render_midi
from pipeline.core import constants
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, load_arrays
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.core.processes import end_with_parent, worker_count

URMP_TRACK = re.compile(r"AuSep_\d+_(?P<tag>[a-z]+)_", re.IGNORECASE)
JAZZNET_PATTERN = re.compile(r"^[A-G][#b]?-\d-(?P<mode>.+)-\d+$")
JAZZNET_CHORDAL = {"chords", "progressions"}  # folders of recordings with several notes at once
MIN_PARALLEL = 5  # recordings; starting worker processes does not pay off for fewer
FEATURE_CODE = (constants, loading, pcm, autocorrelation, a_weighting, features_module)


@dataclass(frozen=True)
class Recording:
    """A recording to learn from.

    Attributes:
        name: A name that is the same on every machine.
        path: The file.
        real: Whether a musician was recorded; False for rendered audio.
        source: The folder that it came from, or the sound set that rendered it.
    """

    name: str
    path: Path
    real: bool
    source: str


def find_recordings(folder: Path, config: DataConfig) -> list[Recording]:
    """Lists the recordings in a folder, recursively and ordered by name.

    A folder in URMP's layout gives only the instrument's separate tracks, one in Jazznet's layout
    only arpeggios and scales, and any other folder all audio. Hidden files and files of other kinds
    are ignored.

    Args:
        folder: A folder, or a single file.
        config: Contains the instrument's tag in URMP.

    Raises:
        UserError: The folder is missing or has no suitable recording.
    """
    if not folder.exists():
        raise UserError(f"{folder} does not exist: give a folder of recordings to --audio")
    base = folder if folder.is_dir() else folder.parent
    files = [
        path
        for path in (sorted(folder.rglob("*")) if folder.is_dir() else [folder])
        if path.is_file()
        and path.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(base).parts)
    ]
    if not files:
        kinds = "WAV, FLAC, OGG, MP3, AIFF"
        raise UserError(f"{folder} holds no audio: put recordings there ({kinds} and others)")
    source = base.resolve().name
    return [
        Recording(f"{source}/{path.relative_to(base).as_posix()}", path, real=True, source=source)
        for path in _suitable(files, folder, config)
    ]


def _suitable(files: Sequence[Path], folder: Path, config: DataConfig) -> Sequence[Path]:
    """Chooses among the files of a folder by its layout; see `find_recordings`."""
    tracks = {path: URMP_TRACK.match(path.name) for path in files}
    if any(tracks.values()):
        tag = config.urmp_tag
        chosen = [path for path, track in tracks.items() if track and track["tag"].lower() == tag]
        if not chosen:
            raise UserError(
                f"{folder} has URMP's layout but no AuSep_*_{tag or '?'}_* track: add some"
            )
        return chosen
    if all(JAZZNET_PATTERN.match(path.stem) for path in files):
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


def render_corpus(config: InstrumentConfig, folder: Path) -> list[Recording]:
    """Composes and renders the default corpus into `folder`, except what is already there.

    Raises:
        UserError: FluidSynth or its soundfont is missing, or rendering failed.
    """
    program = config.require_corpus().gm_program
    recordings = []
    for index, midi in enumerate(
        tqdm(compose_corpus(config), desc="corpus", unit="phrase", disable=None)
    ):
        name = f"{config.instrument}_{index:02d}"
        score, sound = folder / f"{name}.mid", folder / f"{name}.wav"
        content = io.BytesIO()
        midi.save(file=content)
        if not (sound.is_file() and score.is_file() and score.read_bytes() == content.getvalue()):
            with atomic_write(score) as temporary:  # renamed only after its sound is complete
                temporary.write_bytes(content.getvalue())
                render_midi(temporary, program, sound)
        recordings.append(Recording(f"corpus/{name}", sound, real=False, source=SOUNDFONT.stem))
    return recordings


def analyse(
    recordings: Sequence[Recording], config: DataConfig, cache: Path
) -> Iterator[tuple[Recording, npt.NDArray[np.int16], Features]]:
    """Yields samples and features of every recording, in order, from the cache if possible.

    Recordings with the same content are yielded once.

    Args:
        recordings: The recordings.
        config: The pitch range.
        cache: Folder with an entry per recording; created if needed.

    Raises:
        UserError: A file is not usable audio, or a cache entry is damaged. Features extracted so
            far stay in the cache.
    """
    entries: dict[Path, Recording] = {}
    for recording in recordings:
        entries.setdefault(cache / f"{_content_hash(recording.path, config)}.npz", recording)
    _fill_cache({entry: r.path for entry, r in entries.items() if not entry.is_file()}, config)
    for entry, recording in entries.items():
        stored = load_arrays(
            entry, remedy="delete it", names=("audio", "f0_hz", "loudness_db", "confidence")
        )
        yield recording, stored.pop("audio"), Features(**stored)


def _fill_cache(missing: dict[Path, Path], config: DataConfig) -> None:
    """Analyses the files of missing cache entries, in worker processes if there are many."""
    jobs = [(path, config, entry) for entry, path in missing.items()]
    with tqdm(total=len(jobs), desc="features", unit="recording", disable=None) as progress:
        if len(jobs) < MIN_PARALLEL:
            for job in jobs:
                _analyse_file(*job)
                progress.update()
            return
        context = multiprocessing.get_context("spawn")
        n_workers = min(worker_count(), len(jobs))
        with ProcessPoolExecutor(n_workers, context, initializer=_follow_parent) as pool:
            try:
                for _ in pool.map(_analyse_file, *zip(*jobs, strict=True)):
                    progress.update()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _content_hash(path: Path, config: DataConfig) -> str:
    """Names a cache entry after the recording, the pitch range and the code that analyses it."""
    digest = hashlib.sha256()
    for module in FEATURE_CODE:
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(f"{config.f0_min_hz} {config.f0_max_hz}".encode())
    try:
        digest.update(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the file") from None
    return digest.hexdigest()[:24]


def _follow_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its workers
    end_with_parent()


def _analyse_file(path: Path, config: DataConfig, entry: Path) -> None:
    """Writes the cache entry of a recording."""
    audio = load_audio(path)
    features = extract_features(audio, f0_min_hz=config.f0_min_hz, f0_max_hz=config.f0_max_hz)
    with atomic_write(entry) as temporary:
        np.savez(temporary, audio=pcm.to_pcm(audio), **vars(features))
