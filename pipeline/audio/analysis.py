"""Analyses recordings in worker processes and caches the results."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.audio import (
    a_weighting,
    autocorrelation,
    digital_silence,
    file_facts,
    inspection_levels,
    issue_log,
    loading,
    pcm,
    recording_checks,
    sound_files,
)
from pipeline.audio import features as features_module
from pipeline.audio.features import LOUDNESS_WINDOW, Features, extract_features
from pipeline.audio.file_facts import FileFacts
from pipeline.audio.inspection_levels import Hum
from pipeline.audio.loading import load_recording
from pipeline.audio.pcm import Pcm
from pipeline.audio.recording_checks import Checks, OutOfRange, check_recording
from pipeline.audio.recordings import Recording
from pipeline.core import constants
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, load_arrays
from pipeline.core.instrument_config import DataConfig
from pipeline.core.processes import run_in_workers

MIN_PARALLEL = 5  # recordings; starting worker processes does not pay off for fewer
# Half of the longest analysis window: with so much silence, the first frame shows the onset.
KEPT_SILENCE = LOUDNESS_WINDOW // 2
ANALYSIS_CODE = (
    constants,
    sound_files,
    file_facts,
    loading,
    pcm,
    autocorrelation,
    a_weighting,
    digital_silence,
    features_module,
    inspection_levels,
    issue_log,
    recording_checks,
)
REMEDY = "delete it"


@dataclass(frozen=True)
class Analysis:
    """A recording, ready to be cut.

    Attributes:
        recording: The recording.
        audio: Its samples at 16 kHz, shape [n]. Of digital silence at either end of a real
            recording, at most `KEPT_SILENCE` samples are left; the other samples are as loaded.
            Rendered recordings are not cut, because their features are compared with their scores.
        n_cut: Number of samples of digital silence cut from the start and from the end.
        features: Features of `audio`, ceil(n / 64) frames.
        checks: What was measured to find issues (see `recording_checks.find_issues`).
    """

    recording: Recording
    audio: Pcm
    n_cut: tuple[int, int]
    features: Features
    checks: Checks


def analyse(recordings: Sequence[Recording], config: DataConfig, cache: Path) -> Iterator[Analysis]:
    """Yields the analysis of every recording, in order, from the cache if possible.

    Recordings with the same content are yielded once.

    Args:
        recordings: The recordings, from `recordings.open_recordings` or `render_corpus`.
        config: The pitch range, and which frames are audible.
        cache: Folder with an entry per recording; created if needed.

    Raises:
        UserError: A file is not usable audio, or a cache entry is damaged. Analyses made so far
            stay in the cache.
    """
    entries: dict[Path, Recording] = {}
    settings = _settings_hash(config)
    for recording in recordings:
        entries.setdefault(cache / f"{_entry_name(recording, settings)}.npz", recording)
    missing = {entry: r for entry, r in entries.items() if not entry.is_file()}
    _fill_cache(missing, config, cache)
    for entry, recording in entries.items():
        yield _read_entry(entry, recording)


def find_sound(audio: Pcm) -> tuple[int, int]:
    """Finds what is left of a recording without the digital silence at its ends.

    Digital silence is a constant value. At most `KEPT_SILENCE` samples of it are left at either
    end.

    Args:
        audio: Samples, shape [n].

    Returns:
        The first sample, and the sample after the last.
    """
    changes = audio[1:] != audio[:-1]
    if not changes.any():
        return 0, len(audio)
    first, last = int(changes.argmax()) + 1, len(audio) - 1 - int(changes[::-1].argmax())
    return max(first - KEPT_SILENCE, 0), min(last + KEPT_SILENCE, len(audio))


def _fill_cache(missing: dict[Path, Recording], config: DataConfig, cache: Path) -> None:
    """Analyses the files of missing cache entries, in worker processes if there are many."""
    jobs = [(recording, config, entry) for entry, recording in missing.items()]
    if not jobs:
        return
    with tqdm(total=len(jobs), desc="features", unit="recording", disable=None) as progress:
        if len(jobs) < MIN_PARALLEL:
            for job in jobs:
                _analyse_file(*job)
                progress.update()
            return
        run_in_workers(_analyse_file, jobs, cache, progress.update)


def _settings_hash(config: DataConfig) -> bytes:
    """Returns a hash of the code that analyses recordings, and of its settings."""
    digest = hashlib.sha256()
    for code in (__file__, *(str(module.__file__) for module in ANALYSIS_CODE)):
        digest.update(Path(code).read_bytes())
    settings = (
        config.f0_min_hz,
        config.f0_max_hz,
        config.silence_db,
        config.confidence_threshold,
    )
    digest.update(" ".join(map(str, settings)).encode())
    return digest.digest()


def _entry_name(recording: Recording, settings: bytes) -> str:
    """Names a cache entry after the content of a recording and what decides its analysis."""
    digest = hashlib.sha256(settings)
    digest.update(str(recording.real).encode())
    try:
        with recording.path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise UserError(
            f"{recording.path} cannot be read ({error.strerror}): check the file"
        ) from None
    return digest.hexdigest()[:24]


def _analyse_file(recording: Recording, config: DataConfig, entry: Path) -> None:
    """Writes the cache entry of a recording."""
    audio, facts = load_recording(recording.path)
    start, end = find_sound(pcm.to_pcm(audio)) if recording.real else (0, len(audio))
    n_cut = (start, len(audio) - end)
    audio = audio[start:end]
    features = extract_features(audio, **config.f0_bounds)
    samples = pcm.to_pcm(audio)
    del audio  # hours of it take as much memory as all the rest
    checks = check_recording(samples, features, facts, config)
    with atomic_write(entry) as temporary:
        np.savez(
            temporary,
            audio=samples,
            n_cut=np.array(n_cut),
            checks=np.array(json.dumps(asdict(checks))),
            **vars(features),
        )


def _read_entry(entry: Path, recording: Recording) -> Analysis:
    """Reads the cache entry of a recording."""
    names = ("audio", "n_cut", "checks", "f0_hz", "loudness_db", "confidence")
    stored = load_arrays(entry, remedy=REMEDY, names=names)
    try:
        checks = json.loads(str(stored["checks"]))
        checks["file"] = FileFacts(**checks["file"] | {"used": tuple(checks["file"]["used"])})
        for side in ("below", "above"):
            checks[side] = OutOfRange(**checks[side])
        checks["hum"] = checks["hum"] and Hum(**checks["hum"])
        start, end = (int(n) for n in stored["n_cut"])
        return Analysis(
            recording=recording,
            audio=stored["audio"],
            n_cut=(start, end),
            features=Features(**{name: stored[name] for name in names[3:]}),
            checks=Checks(**checks),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{entry} is damaged ({error}): {REMEDY}") from None
