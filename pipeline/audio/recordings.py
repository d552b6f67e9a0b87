"""Finds recordings, and extracts and caches their features."""

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
import soundfile as sf
from tqdm import tqdm

from pipeline.audio.corpus import compose_corpus, render_midi
from pipeline.audio import features as features_module
from pipeline.audio.features import Features, extract_features, load_audio
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.core.processes import end_with_parent

AUDIO_SUFFIXES = {f".{name.lower()}" for name in sf.available_formats()} | {".aif", ".oga", ".opus"}
URMP_TRACK = re.compile(r"AuSep_\d+_(?P<tag>[a-z]+)_", re.IGNORECASE)
JAZZNET_PATTERN = re.compile(r"^[A-G][#b]?-\d-(?P<mode>.+)-\d+$")
JAZZNET_CHORDAL = {"chords", "progressions"}  # folders of what is not played note by note
N_PROCESSES = 2


@dataclass(frozen=True)
class Recording:
    """A file to learn from: a name that is the same on every machine, and where it lies."""

    name: str
    path: Path
    real: bool


def find_recordings(folder: Path, config: DataConfig) -> list[Recording]:
    """Lists the recordings in a folder, recursively and in order of their names.

    In URMP's layout only the separate tracks of the instrument are taken, in Jazznet's only
    arpeggios and scales; in any other folder all audio. Hidden files and files of other kinds are
    passed over.

    Raises:
        UserError: The folder is missing or holds nothing to use.
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
    tracks = {path: URMP_TRACK.match(path.name) for path in files}
    if any(tracks.values()):
        tag = config.urmp_tag
        files = [path for path, track in tracks.items() if track and track["tag"].lower() == tag]
        if not files:
            raise UserError(
                f"{folder} has URMP's layout but no AuSep_*_{tag or '?'}_* track: add some"
            )
    elif all(JAZZNET_PATTERN.match(path.stem) for path in files):
        files = [path for path in files if _is_melodic(path)]
        if not files:
            raise UserError(f"{folder} has Jazznet's layout but no arpeggios or scales: add some")
    return [
        Recording(f"{base.resolve().name}/{path.relative_to(base).as_posix()}", path, real=True)
        for path in files
    ]


def render_corpus(config: InstrumentConfig, folder: Path) -> list[Recording]:
    """Composes and renders the default corpus into `folder`, skipping what is already there."""
    recordings = []
    for index, midi in enumerate(
        tqdm(compose_corpus(config), desc="corpus", unit="phrase", disable=None)
    ):
        name = f"{config.instrument}_{index:02d}"
        score, sound = folder / f"{name}.mid", folder / f"{name}.wav"
        notes = io.BytesIO()
        midi.save(file=notes)
        if not (sound.is_file() and score.is_file() and score.read_bytes() == notes.getvalue()):
            with atomic_write(score) as temporary:  # the score stands only beside a finished sound
                temporary.write_bytes(notes.getvalue())
                render_midi(temporary, config.corpus.gm_program, sound)
        recordings.append(Recording(f"corpus/{name}", sound, real=False))
    return recordings


def analyse(
    recordings: Sequence[Recording], config: DataConfig, cache: Path
) -> Iterator[tuple[Recording, npt.NDArray[np.int16], Features]]:
    """Yields samples and features of every recording, in order, from the cache where it has them.

    Recordings of the same content are yielded once.

    Raises:
        UserError: A file is not usable audio; what was analysed before stays in the cache.
    """
    entries: dict[Path, Recording] = {}
    for recording in recordings:
        entries.setdefault(cache / f"{_content_hash(recording.path, config)}.npz", recording)
    missing = [entry for entry in entries if not entry.is_file()]
    jobs = [(entries[entry].path, config, entry) for entry in missing]
    with tqdm(total=len(jobs), desc="features", unit="recording", disable=None) as progress:
        if len(jobs) > 2 * N_PROCESSES:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(N_PROCESSES, context, initializer=_follow_parent) as pool:
                try:
                    for _ in pool.map(_analyse_file, *zip(*jobs, strict=True)):
                        progress.update()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        else:
            for job in jobs:
                _analyse_file(*job)
                progress.update()
    for entry, recording in entries.items():
        with np.load(entry) as stored:
            columns = (stored[name] for name in ("f0_hz", "loudness_db", "confidence"))
            yield recording, stored["audio"], Features(*columns)


def _is_melodic(path: Path) -> bool:
    pattern = JAZZNET_PATTERN.match(path.stem)
    chordal = pattern is not None and pattern["mode"].endswith("chord")
    return not chordal and JAZZNET_CHORDAL.isdisjoint(part.lower() for part in path.parts)


def _content_hash(path: Path, config: DataConfig) -> str:
    """Names a recording's cache entry by its bytes, the range of pitch and the code of features."""
    digest = hashlib.sha256(Path(features_module.__file__).read_bytes())
    digest.update(f"{config.f0_min_hz} {config.f0_max_hz}".encode())
    try:
        digest.update(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the file") from None
    return digest.hexdigest()[:24]


def _follow_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the workers
    end_with_parent()


def _analyse_file(path: Path, config: DataConfig, entry: Path) -> None:
    audio = load_audio(path)
    features = extract_features(audio, f0_min_hz=config.f0_min_hz, f0_max_hz=config.f0_max_hz)
    samples = np.clip(np.round(audio * 32768), -32768, 32767).astype(np.int16)
    with atomic_write(entry) as temporary:
        np.savez(temporary, audio=samples, **vars(features))
