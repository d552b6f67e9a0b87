"""Analyses recordings in worker processes and caches the results."""

import hashlib
import json
import tempfile
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
    samples,
    sound_files,
)
from pipeline.audio import features as features_module
from pipeline.audio.features import LOUDNESS_WINDOW, Features, extract_features
from pipeline.audio.file_facts import FileFacts
from pipeline.audio.inspection_levels import Hum
from pipeline.audio.loading import store_recording
from pipeline.audio.pcm import PIECE, Pcm
from pipeline.audio.recording_checks import Checks, OutOfRange, check_recording
from pipeline.audio.recordings import Recording
from pipeline.audio.samples import SampleFile
from pipeline.core import constants
from pipeline.core.constants import HOP_SAMPLES
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
    samples,
)
REMEDY = "delete it"


@dataclass(frozen=True)
class Analysis:
    """A recording, ready to be cut.

    Attributes:
        recording: The recording.
        stored: Its samples at 16 kHz, shape [n], or the file that holds them before the cut.
        n_cut: Number of samples of digital silence cut from the start and from the end. Of digital
            silence at either end of a real recording, at most `KEPT_SILENCE` samples are left.
            Rendered recordings are not cut, because their features are compared with their scores.
        features: Features of `audio`, ceil(n / 64) frames.
        checks: What was measured to find issues (see `recording_checks.find_issues`).
    """

    recording: Recording
    stored: Pcm | Path
    n_cut: tuple[int, int]
    features: Features
    checks: Checks

    @property
    def audio(self) -> Pcm:
        """The samples, shape [n]; mapped from their file, so that only what is read takes memory.

        The memory is free again when the array is no longer in use.
        """
        if isinstance(self.stored, Path):
            whole = _map_samples(self.stored)
            return whole[self.n_cut[0] : len(whole) - self.n_cut[1]]
        return self.stored


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
    missing = {
        entry: recording
        for entry, recording in entries.items()
        if not (entry.is_file() and _samples_of(entry).is_file())
    }
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
    for start in range(0, len(audio), PIECE):  # nearly always, the first piece has a change
        if (changes := np.diff(audio[start : start + PIECE + 1]) != 0).any():
            first = start + int(changes.argmax()) + 1
            break
    else:
        return 0, len(audio)
    for stop in range(len(audio), 0, -PIECE):
        if (changes := np.diff(audio[max(stop - PIECE - 1, 0) : stop]) != 0).any():
            last = stop - 1 - int(changes[::-1].argmax())
            break
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
    """Writes the cache entry of a recording: first its samples, then what was measured."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    # Not where temporary files usually are, which is in the memory of some systems.
    with tempfile.TemporaryFile(dir=entry.parent) as file:
        audio = SampleFile(file)
        facts = store_recording(recording.path, audio)
        _store_samples(audio, _samples_of(entry))
        whole = _map_samples(_samples_of(entry))
        start, end = find_sound(whole) if recording.real else (0, len(whole))
        audio.cut(start, end)
        features = extract_features(audio, **config.f0_bounds)
    checks = check_recording(whole[start:end], features, facts, config)
    with atomic_write(entry) as temporary:
        np.savez(
            temporary,
            n_cut=np.array((start, len(whole) - end)),
            checks=np.array(json.dumps(asdict(checks))),
            **vars(features),
        )


def _samples_of(entry: Path) -> Path:
    """Returns the file beside a cache entry that has the samples."""
    return entry.with_suffix(".npy")


def _store_samples(audio: SampleFile, path: Path) -> None:
    """Writes samples as 16-bit integers, which can be mapped into memory."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        layout = {"descr": "<i2", "fortran_order": False, "shape": (len(audio),)}
        np.lib.format.write_array_header_1_0(file, layout)
        for start in range(0, len(audio), PIECE):
            file.write(pcm.to_pcm(audio[start : start + PIECE]).astype("<i2").tobytes())


def _map_samples(path: Path) -> Pcm:
    """Maps a file of samples into memory.

    Raises:
        UserError: It is missing or damaged.
    """
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
        if mapped.dtype != np.int16 or mapped.ndim != 1:
            raise ValueError(f"it has {mapped.dtype} of shape {mapped.shape}")
    except (OSError, ValueError, EOFError) as error:
        remedy = f"delete it and {path.with_suffix('.npz').name} beside it"
        raise UserError(f"{path} is missing or damaged ({error}): {remedy}") from None
    return np.asarray(mapped)


def _read_entry(entry: Path, recording: Recording) -> Analysis:
    """Reads the cache entry of a recording.

    Raises:
        UserError: It is damaged, or does not fit its samples.
    """
    names = ("n_cut", "checks", "f0_hz", "loudness_db", "confidence")
    stored = load_arrays(entry, remedy=REMEDY, names=names)
    try:
        checks = json.loads(str(stored["checks"]))
        checks["file"] = FileFacts(**checks["file"] | {"used": tuple(checks["file"]["used"])})
        for side in ("below", "above"):
            checks[side] = OutOfRange(**checks[side])
        checks["hum"] = checks["hum"] and Hum(**checks["hum"])
        start, end = (int(n) for n in stored["n_cut"])
        n_samples = len(_map_samples(_samples_of(entry))) - start - end
        shape = (-(-n_samples // HOP_SAMPLES),)
        wrong = [name for name in names[2:] if stored[name].shape != shape]
        if wrong or not min(start, end, n_samples) >= 0:
            raise ValueError(f"it does not fit the {n_samples} samples beside it")
        return Analysis(
            recording=recording,
            stored=_samples_of(entry),
            n_cut=(start, end),
            features=Features(**{name: stored[name] for name in names[2:]}),
            checks=Checks(**checks),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{entry} is damaged ({error}): {REMEDY}") from None
