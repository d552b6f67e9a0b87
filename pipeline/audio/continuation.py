"""Finds files that continue each other without a seam, and joins them again into one recording.

Some data sets cut a long recording into pieces of a few seconds. Cut apart, most pieces begin and
end within a note, and a split by file would separate neighbours. Two files belong together if their
names differ by one in one number, both sound where they meet, and a linear prediction from either
side continues into the other one: across a true seam its error is that within the files.

Measured on all neighbours by name: of 45 in URMP's excerpts of flute, trumpet and violin, 45 join.
Of 400 notes of another collection, cut in two, 93 % join (the rest is too soft or too noisy), of
400 pairs of different notes that meet in the middle 0.5 %, of its files by their names none.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from pipeline.audio.recordings import Recording
from pipeline.audio.sound_files import BLOCK, RecordingError, open_sound
from pipeline.core.files import atomic_write

NUMBER = re.compile(r"\d+")
EDGE_SECONDS = 0.128  # what is looked at on either side of a seam
SEAM_SECONDS = 0.004  # where both files must sound
ORDER = 32  # of the linear prediction
N_PREDICTED = 16  # samples across the seam; as long as the prediction uses both files
MAX_ERROR = 3.0  # across the seam, relative to the error within the files
MAX_WORST_ERROR = 8.0  # in one direction: a note may begin just after the seam
MIN_GAIN_DB = 15.0  # of the better prediction; noise continues in any way
MIN_SEAM_DB, MIN_EDGE_DB = -20.0, -60.0  # level at the seam re the edge, and of the edge re 1
EXACT = {"PCM_16": "int32", "PCM_24": "int32", "PCM_32": "int32"}  # integers stay as they are

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Edges:
    """The ends of a file, as mono samples, and what must agree between files that are joined."""

    head: Doubles
    tail: Doubles
    rate: int
    channels: int


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
    edges: dict[Path, Edges | None] = {}
    following: dict[Path, Recording] = {}
    for first, second in neighbours(recordings):
        if first.path in following or second.path in {r.path for r in following.values()}:
            continue
        for part in (first, second):
            if part.path not in edges:
                edges[part.path] = read_edges(part.path)
        before, after = edges[first.path], edges[second.path]
        if before is not None and after is not None and continues(before, after):
            following[first.path] = second
    starts = set(following) - {recording.path for recording in following.values()}
    chains = []
    for recording in recordings:
        if recording.path in starts:
            chain = [recording]
            while (last := chain[-1].path) in following:
                chain.append(following[last])
            chains.append(chain)
    return chains


def neighbours(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, Recording]]:
    """Yields pairs in a folder whose names differ in one number, which is one higher."""
    places: dict[tuple[str, Path, str, str, int], Recording] = {}
    for recording in recordings:
        name, parent = recording.path.name, recording.path.parent
        for number in NUMBER.finditer(name):
            around = name[: number.start()], name[number.end() :]
            places.setdefault((recording.source, parent, *around, int(number[0])), recording)
    for (source, parent, before, after, value), recording in places.items():
        second = places.get((source, parent, before, after, value + 1))
        if second is not None:
            yield recording, second


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


def continues(before: Edges, after: Edges) -> bool:
    """Whether the samples of one file continue in another one."""
    if (before.rate, before.channels) != (after.rate, after.channels):
        return False
    n_seam = round(SEAM_SECONDS * before.rate)
    if not (_sounds(before.tail, n_seam) and _sounds(after.head[::-1], n_seam)):
        return False
    forward, forward_gain_db = _prediction(before.tail, after.head)
    backward, backward_gain_db = _prediction(after.head[::-1], before.tail[::-1])
    return (
        max(forward_gain_db, backward_gain_db) >= MIN_GAIN_DB
        and np.sqrt(forward * backward) <= MAX_ERROR
        and max(forward, backward) <= MAX_WORST_ERROR
    )


def _sounds(edge: Doubles, n_seam: int) -> bool:
    """Whether an edge sounds to its very end."""
    level, at_seam = (np.sqrt(np.mean(part**2)) for part in (edge, edge[-n_seam:]))
    return bool(level > 10 ** (MIN_EDGE_DB / 20) and at_seam > 10 ** (MIN_SEAM_DB / 20) * level)


def _prediction(known: Doubles, unknown: Doubles) -> tuple[float, float]:
    """Predicts what follows some samples from a linear prediction fitted to them.

    Returns:
        The RMS error across the seam, relative to that within `known`, and the prediction's gain
        in dB.
    """
    rows = np.lib.stride_tricks.sliding_window_view(known, ORDER + 1)
    coefficients = np.linalg.lstsq(rows[:, :-1], rows[:, -1], rcond=None)[0]
    rounding = 2.0**-16  # of 16-bit samples, so that pure tones have an error at all
    error = np.sqrt(np.mean((rows[:, -1] - rows[:, :-1] @ coefficients) ** 2) + rounding**2)
    across = np.concatenate([known[-ORDER:], unknown[:N_PREDICTED]])
    rows = np.lib.stride_tricks.sliding_window_view(across, ORDER + 1)
    found = np.sqrt(np.mean((rows[:, -1] - rows[:, :-1] @ coefficients) ** 2))
    gain = np.sqrt(np.mean(known**2)) / error
    return float(found / error), float(20 * np.log10(max(gain, 1e-9)))


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
