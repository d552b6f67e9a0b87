"""Finds files that continue each other without a seam, and joins them again into one recording.

Some data sets cut a long recording into pieces of a few seconds. Cut apart, most pieces begin and
end within a note, and a split by file would separate neighbours. Files are candidates if their
names differ in one number, by one. They belong together if both sound where they meet, and a linear
prediction from either side continues into the other one with an error like that within the files.

Notes that are faded in and out within milliseconds meet near zero and look continuous, too. So at
least half of the files of a series have to meet at full level and with a small error; only then are
its other files joined by the weaker rule.

Measured: 42 of the 43 neighbours in URMP's excerpts of flute, trumpet and violin join, and none of
476 neighbours by name in a collection of 1 106 notes. Of 400 cuts through these notes, the strict
rule finds 84 %, the weak one 91 % (the others are too soft or too noisy); of 1 105 pairs of notes
that are trimmed and faded within 0 to 20 ms, at most 2 % and 88 %.

The error within a clipped tone is large at the corners of its wave and small elsewhere, so that any
two of them may seem to continue each other. Their RMS error is 1.9 to 500 times the median, that of
neighbours in URMP's excerpts at most 1.8 times.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from pipeline.audio.recordings import Recording
from pipeline.audio.sound_files import (
    BLOCK,
    RecordingError,
    explain_failed_writes,
    open_sound,
)
from pipeline.core.files import atomic_write

NUMBER = re.compile(r"\d+")
EDGE_SECONDS = 0.128  # what is looked at on either side of a seam
ORDER = 32  # of the linear prediction
N_PREDICTED = 16  # samples across the seam; as long as the prediction uses both files
MIN_GAIN_DB = 15.0  # of the better prediction; noise continues in any way
ROUNDING = 2.0**-12  # keeps the error of pure tones above 0
MIN_SEAM_DB, MIN_EDGE_DB = -30.0, -60.0  # level of the last 4 ms re the edge, and of the edge re 1
FADED_DB = -8.0  # level at the seam re 8 ms before it
MAX_UNEVENNESS = 2.0  # RMS error within a file re the median; clipped waves have more
SERIES_SHARE = 0.5  # of the neighbours in a series that have to meet the strict rule
EXACT = {"PCM_16": "int32", "PCM_24": "int32", "PCM_32": "int32"}  # integers stay as they are

Doubles = npt.NDArray[np.float64]
Pair = tuple[Recording, Recording]


@dataclass(frozen=True)
class Edges:
    """The ends of a file, as mono samples, and what must agree between files that are joined."""

    head: Doubles
    tail: Doubles
    rate: int
    channels: int


@dataclass(frozen=True)
class Seam:
    """How one file continues in another one.

    Attributes:
        error: RMS error of the predictions across the seam, relative to that within the files,
            mean of both directions.
        worst_error: The larger one of both; a note may begin just after the seam.
        gain_db: Gain of the better prediction.
        level_db: Level of the last milliseconds re 8 ms before them; low if the files are faded.
        unevenness: RMS error within the files re its median, of the less even one.
    """

    error: float
    worst_error: float
    gain_db: float
    level_db: float
    unevenness: float

    @property
    def is_likely(self) -> bool:
        """Whether the files may belong together."""
        return self.error <= 3 and self.worst_error <= 8 and self.gain_db >= MIN_GAIN_DB

    @property
    def is_certain(self) -> bool:
        """Whether the files hardly meet so by chance, not even if they are faded."""
        is_good = self.error <= 2 and self.worst_error <= 4 and self.unevenness <= MAX_UNEVENNESS
        return is_good and self.is_likely and self.level_db >= FADED_DB


def join_continued(recordings: Sequence[Recording], folder: Path) -> list[Recording]:
    """Replaces recordings that continue each other by a single one, at the place of the first.

    Args:
        recordings: The recordings; only those of one folder and source are joined.
        folder: Where the joined files are written; other files in it are removed.

    Returns:
        The recordings, fewer or as many.
    """
    chains = find_chains(recordings)
    joined = {chain[0].path: _join(chain, folder) for chain in chains}
    used = {recording.path for recording in joined.values()}
    for path in folder.glob("*.wav"):
        if path not in used:
            path.unlink()
    continued = {part.path for chain in chains for part in chain[1:]}
    return [joined.get(r.path, r) for r in recordings if r.path not in continued]


def find_chains(recordings: Sequence[Recording]) -> list[list[Recording]]:
    """Returns the recordings that continue each other, two or more in a chain, in order."""
    series = list_series(recordings)
    paths = {part.path for pairs in series for pair in pairs for part in pair}
    edges = {path: read_edges(path) for path in paths}
    following: dict[Path, Recording] = {}
    preceded: set[Path] = set()
    for pairs in series:
        for first, second in _continued(pairs, edges):
            if first.path not in following and second.path not in preceded:
                following[first.path] = second
                preceded.add(second.path)
    chains = []
    for recording in recordings:
        if recording.path in following and recording.path not in preceded:
            chain = [recording]
            while (last := chain[-1].path) in following:
                chain.append(following[last])
            chains.append(chain)
    return chains


def list_series(recordings: Sequence[Recording]) -> list[list[Pair]]:
    """Lists neighbours: pairs in a folder whose names differ in one number, which is one higher.

    Returns:
        The pairs of every series: of names that are the same except for this number.
    """
    series: dict[tuple[str, Path, str, str], dict[int, Recording]] = {}
    for recording in recordings:
        name, parent = recording.path.name, recording.path.parent
        for number in NUMBER.finditer(name):
            key = (recording.source, parent, name[: number.start()], name[number.end() :])
            series.setdefault(key, {}).setdefault(int(number[0]), recording)
    pairs = [
        [(members[n], members[n + 1]) for n in sorted(members) if n + 1 in members]
        for members in series.values()
    ]
    return [found for found in pairs if found]


def _continued(pairs: Sequence[Pair], edges: Mapping[Path, "Edges | None"]) -> list[Pair]:
    """Returns the pairs of a series that continue each other."""
    seams = {}
    for pair in pairs:
        before, after = (edges[part.path] for part in pair)
        if before is not None and after is not None:
            seam = measure_seam(before, after)
            if seam is not None:
                seams[pair] = seam
    n_strict = sum(seam.is_certain for seam in seams.values())
    if n_strict == 0 or n_strict < SERIES_SHARE * len(seams):
        return []
    return [pair for pair, seam in seams.items() if seam.is_likely]


def read_edges(path: Path) -> Edges | None:
    """Reads both ends of a file; None if it is too short or cannot be read."""
    try:
        with open_sound(path) as sound:
            n_samples = round(EDGE_SECONDS * sound.samplerate)
            if sound.frames < 2 * n_samples:
                return None
            head = sound.read(n_samples, dtype="float64", always_2d=True)
            sound.seek(sound.frames - n_samples)
            tail = sound.read(n_samples, dtype="float64", always_2d=True)
            if len(tail) < n_samples:
                return None
            return Edges(head.mean(axis=1), tail.mean(axis=1), sound.samplerate, sound.channels)
    except (RecordingError, sf.LibsndfileError):
        return None


def measure_seam(before: Edges, after: Edges) -> Seam | None:
    """Measures how one file continues in another one; None if one does not sound to its end."""
    if (before.rate, before.channels) != (after.rate, after.channels):
        return None
    sides = before.tail, after.head[::-1]
    for edge in sides:
        level, at_seam = _rms(edge), _rms(edge[-len(edge) // 32 :])
        if level < 10 ** (MIN_EDGE_DB / 20) or at_seam < 10 ** (MIN_SEAM_DB / 20) * level:
            return None
    errors, gains_db, unevenness = zip(
        _prediction(before.tail, after.head), _prediction(sides[1], before.tail[::-1]), strict=True
    )
    n_near = len(before.tail) // 16  # 8 ms
    n_last = n_near // 8
    local = min(_rms(edge[-n_near:]) for edge in sides)
    slope = min(_rms(np.diff(edge[-n_near:])) for edge in sides)
    across = np.concatenate([before.tail[-n_last // 4 :], after.head[: n_last // 4]])
    levels = [_rms(edge[-n_last:]) / _rms(edge[-n_near:]) for edge in sides]
    levels.append(float(np.sqrt(_rms(across) / local * _rms(np.diff(across)) / slope)))
    return Seam(
        error=float(np.sqrt(errors[0] * errors[1])),
        worst_error=max(errors),
        gain_db=max(gains_db),
        level_db=20 * float(np.log10(max(min(levels), 1e-9))),
        unevenness=max(unevenness),
    )


def _prediction(known: Doubles, unknown: Doubles) -> tuple[float, float, float]:
    """Predicts what follows some samples from a linear prediction fitted to them.

    Returns:
        The RMS error across the seam, relative to that within `known` near the seam; the
        prediction's gain there in dB; and the RMS error there re the median.
    """
    rows = np.lib.stride_tricks.sliding_window_view(known, ORDER + 1)
    coefficients = np.linalg.lstsq(rows[:, :-1], rows[:, -1], rcond=None)[0]
    near = rows[-len(known) // 8 :]  # not farther away, because a note may fade towards the seam
    within = near[:, -1] - near[:, :-1] @ coefficients
    error = _rms(np.append(within, ROUNDING))
    across = np.concatenate([known[-ORDER:], unknown[:N_PREDICTED]])
    rows = np.lib.stride_tricks.sliding_window_view(across, ORDER + 1)
    found = _rms(rows[:, -1] - rows[:, :-1] @ coefficients)
    gain_db = 20 * float(np.log10(max(_rms(near[:, -1]) / error, 1e-9)))
    return found / error, gain_db, error / max(float(np.median(np.abs(within))), ROUNDING)


def _rms(samples: Doubles) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _join(chain: Sequence[Recording], folder: Path) -> Recording:
    """Writes the samples of files one after the other, unless that has been done."""
    digest = hashlib.sha256()
    for part in chain:
        with part.path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    path = folder / f"{digest.hexdigest()[:24]}.wav"
    if not path.is_file():
        with open_sound(chain[0].path) as first:
            form = (first.samplerate, first.channels)
            subtype = first.subtype if first.subtype in EXACT else "FLOAT"
        dtype = EXACT.get(subtype, "float32")
        with (
            atomic_write(path) as temporary,
            explain_failed_writes(temporary),
            sf.SoundFile(temporary, "w", *form, subtype=subtype, format="WAV") as whole,
        ):
            for part in chain:
                with open_sound(part.path) as sound:
                    while len(block := sound.read(BLOCK, dtype)):
                        whole.write(block)
    first_part, last_part = chain[0], chain[-1]
    return Recording(
        name=f"{first_part.name} to {last_part.path.name}",
        path=path,
        real=first_part.real,
        source=first_part.source,
    )
