"""Analysed recordings made of given features, and short recorded notes."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from support.sounds import make_tone

from pipeline.audio.analysis import Analysis
from pipeline.audio.features import Features
from pipeline.audio.recordings import Recording
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

Floats = npt.NDArray[np.float32]


def make_take(
    loudness_db: npt.ArrayLike,
    *,
    confidence: npt.ArrayLike = 1.0,
    name: str = "a.wav",
    source: str = "pack",
    f0_hz: float = 440.0,
    edge: float = 0.0,
) -> Analysis:
    """Makes an analysed recording with a sample for each frame number, to see where frames went.

    Args:
        loudness_db: Loudness, shape [n_frames].
        confidence: Confidence, shape [n_frames] or a single value.
        name: Name of the file.
        source: Source of the recording.
        f0_hz: Pitch of all frames.
        edge: Level of the first 0.12 s; 0 if the recording rises from silence.
    """
    loudness = np.asarray(loudness_db, np.float32)
    n_frames = len(loudness)
    audio = np.repeat(np.arange(1, n_frames + 1), HOP_SAMPLES).astype(np.int16)
    audio[:HOP_SAMPLES] = round(edge * 32767)
    checks: Any = None  # not looked at when recordings are cut
    return Analysis(
        recording=Recording(f"{source}/{name}", Path(name), real=True, source=source),
        stored=audio,
        n_cut=(0, 0),
        features=Features(
            f0_hz=np.full(n_frames, f0_hz, np.float32),
            loudness_db=loudness,
            confidence=np.broadcast_to(np.float32(confidence), n_frames).copy(),
        ),
        checks=checks,
    )


def make_note(seconds: float, f0_hz: float = 523.25, *, fade: float = 0.1) -> Floats:
    """Makes a note that rises within 20 ms and fades within `fade` seconds, float32."""
    tone = make_tone(seconds, f0_hz)
    t = np.arange(len(tone)) / SAMPLE_RATE
    return tone * np.minimum(np.minimum(t / 0.02, 1), (seconds - t) / fade).clip(0).astype("f4")
