"""Data stage: recordings (or a corpus that it composes) in, a data set of four-second clips out.

    python -m pipeline.data --instrument flute --audio DIR    from recordings
    python -m pipeline.data --instrument flute                from the rendered default corpus
    python -m pipeline.data --instrument flute --audio DIR --corpus    from both

writes ``runs/<instrument>/dataset.npz`` and its summary ``dataset.json``. The features of every
recording are kept in ``runs/<instrument>/features``, so that an interrupted run goes on where it
stopped.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

from pipeline.audio.features import Features
from pipeline.audio.pcm import from_pcm
from pipeline.audio.recording_checks import audible_frames, warn_of_issues
from pipeline.audio.recordings import Recording, analyse
from pipeline.core.constants import (
    CLIP_FRAMES,
    CLIP_SAMPLES,
    FRAME_RATE,
    HOP_SAMPLES,
    LOUDNESS_RANGE_DB,
    SAMPLE_RATE,
)
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, write_json
from pipeline.core.instrument_config import DataConfig, InstrumentConfig

SPLITS = ("train", "valid", "test")
HELD_OUT_SHARE = 1 / 8  # of the recordings for validation, and again for the test


@dataclass(frozen=True)
class Clip:
    """Four seconds of a recording; frames beyond `n_valid_frames` are padding."""

    recording: str
    real: bool
    audio: npt.NDArray[np.int16]
    features: Features
    n_valid_frames: int


def split_at_silences(features: Features, config: DataConfig) -> list[tuple[int, int]]:
    """Finds the stretches of sound.

    Sound is what is less than `silence_db` below the loudest frame; pauses shorter than
    `pause_seconds` belong to it.

    Returns:
        Pairs of first and past-the-end frame.
    """
    audible = np.flatnonzero(audible_frames(features, config))
    longest_gap = round(config.pause_seconds * FRAME_RATE)
    breaks = np.flatnonzero(np.diff(audible) > longest_gap)
    firsts = audible[np.concatenate(([0], breaks + 1))]
    lasts = audible[np.concatenate((breaks, [len(audible) - 1]))]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def chunk(n_frames: int, segments: list[tuple[int, int]], min_frames: int) -> list[int]:
    """Lays clips over the stretches of sound.

    A stretch gives whole clips, and one more for a rest of at least `min_frames`, which runs on
    into what follows in the recording; at its end it begins earlier instead. A recording that is
    no longer than a clip is one clip, because somebody has cut it already, unless it is shorter
    than `min_frames`.

    Returns:
        First frame of every clip.
    """
    if n_frames <= CLIP_FRAMES:
        return [0] if n_frames >= min_frames else []
    starts = []
    for first, last in segments:
        while last - first >= min_frames:
            starts.append(min(first, n_frames - CLIP_FRAMES))
            first += CLIP_FRAMES
    return starts


def split_recordings(names: Sequence[str], seed: int) -> dict[str, int]:
    """Assigns every recording to a split, in an order drawn from its name and the seed.

    An eighth each goes to validation and test; two recordings are enough for a validation split.

    Returns:
        Index into `SPLITS` per name.
    """
    shuffled = sorted(
        set(names), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()
    )
    n_held_out = round(HELD_OUT_SHARE * len(shuffled))
    n_valid = max(n_held_out, 1) if len(shuffled) >= 2 else 0
    n_test = max(n_held_out, 1) if len(shuffled) >= 3 else 0
    sizes = [len(shuffled) - n_valid - n_test, n_valid, n_test]
    return dict(zip(shuffled, np.repeat(np.arange(3), sizes).tolist(), strict=True))


def build_dataset(
    config: InstrumentConfig, recordings: Sequence[Recording], run_dir: Path
) -> dict[str, Any]:
    """Analyses, chunks, sifts and splits recordings; writes ``dataset.npz`` and ``dataset.json``.

    Real recordings that give reason for doubt are used, with a warning (see `pipeline.suspect`).

    Returns:
        The summary that ``dataset.json`` holds.

    Raises:
        UserError: A recording is not usable audio, or no clip is left.
    """
    clips: list[Clip] = []
    warnings: dict[str, list[str]] = {}
    dropped = Counter(
        {"duplicate recordings": len(recordings), "too short": 0, "low confidence": 0}
    )
    for recording, audio, features in analyse(recordings, config.data, run_dir / "features"):
        dropped["duplicate recordings"] -= 1
        if recording.real and (
            doubts := warn_of_issues(recording.path, from_pcm(audio), features, config.data)
        ):
            warnings[recording.name] = doubts
        found = list(cut_clips(recording, audio, features, config.data))
        dropped["too short"] += not found
        for clip, confidence in found:
            if confidence < config.data.confidence_threshold:
                dropped["low confidence"] += 1
            else:
                clips.append(clip)
    if not clips:
        raise UserError(
            f"no usable clip for the {config.instrument}: of {len(recordings)} recordings "
            f"{dropped['too short']} have no {config.data.min_clip_seconds:g} s of sound and "
            f"{dropped['low confidence']} clips no clear pitch; give longer, solo recordings"
        )
    splits: dict[str, int] = {}
    for real in (
        True,
        False,
    ):  # apart, so that a corpus beside them leaves the recordings' split as it is
        splits |= split_recordings(
            [clip.recording for clip in clips if clip.real is real], config.data.seed
        )
    summary = _summary(config, clips, splits, dropped, len(recordings)) | {"warnings": warnings}
    with atomic_write(run_dir / "dataset.npz") as temporary:
        np.savez_compressed(
            temporary,
            audio=np.stack([clip.audio for clip in clips]),
            f0_hz=np.stack([clip.features.f0_hz for clip in clips]),
            loudness_db=np.stack([clip.features.loudness_db for clip in clips]),
            confidence=np.stack([clip.features.confidence for clip in clips]),
            n_valid_frames=np.array([clip.n_valid_frames for clip in clips], dtype=np.int32),
            split=np.array([splits[clip.recording] for clip in clips], dtype=np.uint8),
            recording=np.array([clip.recording for clip in clips]),
            real=np.array([clip.real for clip in clips]),
        )
    write_json(run_dir / "dataset.json", summary)
    return summary


def cut_clips(
    recording: Recording, audio: npt.NDArray[np.int16], features: Features, config: DataConfig
) -> Iterator[tuple[Clip, float]]:
    """Yields the clips of a recording, each with the mean confidence of its audible frames."""
    n_frames = len(features.f0_hz)
    audible = audible_frames(features, config)
    min_frames = round(config.min_clip_seconds * FRAME_RATE)
    for start in chunk(n_frames, split_at_silences(features, config), min_frames):
        frames = slice(start, start + CLIP_FRAMES)
        samples = audio[start * HOP_SAMPLES : start * HOP_SAMPLES + CLIP_SAMPLES]
        n_valid = len(features.f0_hz[frames])
        padding = (0, CLIP_FRAMES - n_valid)
        clip = Clip(
            recording=recording.name,
            real=recording.real,
            audio=np.pad(samples, (0, CLIP_SAMPLES - len(samples))),
            features=Features(
                f0_hz=np.pad(features.f0_hz[frames], padding, mode="edge"),
                loudness_db=np.pad(
                    features.loudness_db[frames], padding, constant_values=-LOUDNESS_RANGE_DB
                ),
                confidence=np.pad(features.confidence[frames], padding),
            ),
            n_valid_frames=n_valid,
        )
        heard = features.confidence[frames][audible[frames]]
        yield clip, float(heard.mean()) if len(heard) else 0.0


def _summary(
    config: InstrumentConfig,
    clips: list[Clip],
    splits: dict[str, int],
    dropped: Counter[str],
    n_recordings: int,
) -> dict[str, Any]:
    """Collects what ``dataset.json`` holds."""
    valid = [slice(0, clip.n_valid_frames) for clip in clips]
    loudness_db = np.concatenate(
        [clip.features.loudness_db[v] for clip, v in zip(clips, valid, strict=True)]
    )
    f0_hz = np.concatenate([clip.features.f0_hz[v] for clip, v in zip(clips, valid, strict=True)])
    confidence = np.concatenate(
        [clip.features.confidence[v] for clip, v in zip(clips, valid, strict=True)]
    )
    lowest_hz, highest_hz = np.percentile(f0_hz, [0.5, 99.5])
    quietest_db, loudest_db = np.percentile(loudness_db, [5, 99.5])
    table = {
        split: {
            kind: {
                "clips": sum(splits[c.recording] == index and c.real is real for c in clips),
                "recordings": sorted(
                    {c.recording for c in clips if splits[c.recording] == index and c.real is real}
                ),
            }
            for kind, real in (("real", True), ("rendered", False))
        }
        for index, split in enumerate(SPLITS)
    }
    return {
        "instrument": config.instrument,
        "n_recordings": n_recordings,
        "n_clips": len(clips),
        "minutes": round(len(f0_hz) / FRAME_RATE / 60, 2),
        "minutes_real": round(sum(c.n_valid_frames for c in clips if c.real) / FRAME_RATE / 60, 2),
        "dropped": dict(dropped),
        "f0_hz": [round(float(lowest_hz), 1), round(float(highest_hz), 1)],
        "f0_notes": [str(librosa.hz_to_note(f, unicode=False)) for f in (lowest_hz, highest_hz)],
        "loudness_db": [round(float(quietest_db), 1), round(float(loudest_db), 1)],
        "mean_confidence": round(float(confidence.mean()), 3),
        "sample_rate": SAMPLE_RATE,
        "config": vars(config.data),
        "splits": table,
    }
