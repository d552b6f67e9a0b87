"""Cuts recordings into clips of four seconds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.audio.features import Features
from pipeline.audio.pcm import Pcm
from pipeline.audio.recording_checks import audible_frames
from pipeline.audio.recordings import Recording
from pipeline.core.constants import (
    CLIP_FRAMES,
    CLIP_SAMPLES,
    FRAME_RATE,
    HOP_SAMPLES,
    LOUDNESS_RANGE_DB,
)
from pipeline.core.instrument_config import DataConfig


@dataclass(frozen=True)
class Clip:
    """Four seconds of a recording.

    Attributes:
        recording: Name of the recording.
        real: Whether a musician was recorded; False for rendered audio.
        audio: Samples, shape [64000].
        features: Features, 1000 frames.
        n_valid_frames: Number of frames before the padding.
    """

    recording: str
    real: bool
    audio: Pcm
    features: Features
    n_valid_frames: int


def split_at_silences(features: Features, config: DataConfig) -> list[tuple[int, int]]:
    """Finds the stretches of sound.

    Frames less than ``silence_db`` below the loudest one are sound, and so are pauses shorter than
    ``pause_seconds``.

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
    """Places clips in the stretches of sound.

    A stretch gives whole clips, and one more if at least `min_frames` remain; that clip continues
    beyond the stretch, or begins earlier if the recording ends. A recording that is no longer than
    a clip is one clip, because somebody has already cut it, unless it is shorter than `min_frames`.

    Args:
        n_frames: Length of the recording.
        segments: From `split_at_silences`.
        min_frames: Shortest remainder that gives a clip.

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


def cut_clips(
    recording: Recording, audio: Pcm, features: Features, config: DataConfig
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
        confidence = features.confidence[frames][audible[frames]]
        yield clip, float(confidence.mean()) if len(confidence) else 0.0
