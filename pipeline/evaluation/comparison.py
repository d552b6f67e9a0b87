"""Figures that compare a rendering with a recording or with the float model."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipeline.audio.features import Features, extract_features
from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.core.instrument_config import DataConfig
from pipeline.evaluation.rendering import Array, Pcm, synthesize
from pipeline.model.ddx7 import Ddx7
from pipeline.model.metrics import (
    f0_error_cents,
    level_error_db,
    log_mel_distance,
    loudness_error_db,
    mss_distance,
)
from pipeline.target import firmware

AUDIBLE_DBFS = -40.0  # recordings with a lower peak are left out of ``mss_audible``
Q32 = 2.0**32  # levels of the device per turn


def compare(
    reference: Pcm, estimate: Pcm, target: Features, config: DataConfig
) -> dict[str, float | None]:
    """Measures a rendering against its recording; see `pipeline.metrics`.

    Args:
        reference: The recording, shape [n].
        estimate: The rendering, shape [n].
        target: Features of the recording.
        config: Range of pitch, and confidence from which a frame has one.
    """
    audio = from_pcm(estimate)
    found = extract_features(audio, f0_min_hz=config.f0_min_hz, f0_max_hz=config.f0_max_hz)
    return {
        "mss": mss_distance(from_pcm(reference), audio),
        "log_mel_db": log_mel_distance(from_pcm(reference), audio),
        "f0_error_cents": f0_error_cents(target, found, min_confidence=config.confidence_threshold),
        "loudness_error_db": loudness_error_db(target, found),
    }


def compare_to_float(
    rendering: firmware.Rendering, model: Ddx7, floating: dict[str, Array], features: Features
) -> dict[str, float | None]:
    """Measures what quantization does: the firmware's rendering against the float model's.

    Both are dry, or both with the room.

    Returns:
        ``mss_to_float`` of the 16-bit samples; ``mss_to_float_unrounded``, where both models'
        levels are played dry by the float synthesizer, so that 16 bits' noise has no part in it;
        ``level_error_db``.
    """
    levels = rendering.levels_q32 / Q32
    unrounded = synthesize(levels, features, model)
    whole = floating["audio" if rendering.has_room else "dry"]
    return {
        "mss_to_float": mss_distance(from_pcm(to_pcm(whole)), from_pcm(rendering.pcm)),
        "mss_to_float_unrounded": mss_distance(floating["dry"], unrounded),
        "level_error_db": level_error_db(floating["levels"], levels),
    }


def mean_figures(
    per_recording: Iterable[dict[str, float | None]], peaks_dbfs: Sequence[float]
) -> dict[str, Any]:
    """Averages figures over recordings, leaving out what is unknown; adds ``mss_audible``."""
    rows = list(per_recording)
    audible = [
        row["mss"] for row, peak in zip(rows, peaks_dbfs, strict=True) if peak > AUDIBLE_DBFS
    ]
    columns: dict[str, list[float | None]] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["mss_audible"] = audible
    known = {name: [v for v in values if v is not None] for name, values in columns.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}
