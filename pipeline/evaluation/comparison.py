"""Compares the firmware with the float model, and averages figures over recordings."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipeline.audio.features import Features
from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.evaluation.rendering import Array, synthesize
from pipeline.model.ddx7 import Ddx7
from pipeline.model.measurement import Figures
from pipeline.model.metrics import level_error_db, mss_distance
from pipeline.target import firmware

AUDIBLE_DBFS = -40.0  # recordings with a lower peak are left out of ``mss_audible``
Q32 = 2.0**32  # the device's levels per turn


def compare_to_float(
    rendering: firmware.Rendering, model: Ddx7, floating: dict[str, Array], features: Features
) -> Figures:
    """Measures the effect of quantization: how far the firmware is from the float model.

    Both are dry, or both have the reverb.

    Args:
        rendering: Rendering by the firmware.
        model: Float model of the same variant.
        floating: Result of `render_float` with this model.
        features: Features of the recording.

    Returns:
        ``mss_to_float`` of the 16-bit samples; ``mss_to_float_unrounded``, for which the float
        synthesizer plays the levels of both models dry, so that the rounding to 16 bits does not
        contribute; ``level_error_db``.
    """
    levels = rendering.levels_q32 / Q32
    unrounded = synthesize(levels, features, model)
    whole = floating["audio" if rendering.has_reverb else "dry"]
    return {
        "mss_to_float": mss_distance(from_pcm(to_pcm(whole)), from_pcm(rendering.pcm)),
        "mss_to_float_unrounded": mss_distance(floating["dry"], unrounded),
        "level_error_db": level_error_db(floating["levels"], levels),
    }


def mean_figures(per_recording: Iterable[Figures], peaks_dbfs: Sequence[float]) -> dict[str, Any]:
    """Averages figures over recordings, ignoring None, and adds ``mss_audible``."""
    rows = list(per_recording)
    audible = [
        row["mss"] for row, peak in zip(rows, peaks_dbfs, strict=True) if peak > AUDIBLE_DBFS
    ]
    columns: dict[str, list[float | None]] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["mss_audible"] = audible
    known = {name: [v for v in values if v is not None] for name, values in columns.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}
