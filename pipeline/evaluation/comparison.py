"""Compares the firmware with the float model, and averages figures over recordings."""

from collections.abc import Mapping, Sequence
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


def summarize(
    per_recording: Mapping[str, Figures],
    peaks_dbfs: Mapping[str, float],
    sources: Mapping[str, str],
) -> dict[str, Any]:
    """Sums up the figures of a system over recordings.

    Args:
        per_recording: Figures by recording.
        peaks_dbfs: Peak by recording.
        sources: Source by recording, such as the folder that it came from.

    Returns:
        ``mean`` and ``spread``, the standard deviation over recordings, of each figure, ignoring
        None; and for each source under ``by_source`` the same with ``n_recordings``.
    """
    audible = {
        name: figures | {"mss_audible": figures["mss"] if peaks_dbfs[name] > AUDIBLE_DBFS else None}
        for name, figures in per_recording.items()
    }
    by_source: dict[str, list[Figures]] = {}
    for name, figures in audible.items():
        by_source.setdefault(sources[name], []).append(figures)
    return _statistics(list(audible.values())) | {
        "by_source": {
            source: {"n_recordings": len(rows), **_statistics(rows)}
            for source, rows in by_source.items()
        }
    }


def _statistics(rows: Sequence[Figures]) -> dict[str, Figures]:
    mean, spread = Figures(), Figures()
    for name in rows[0]:
        values = [value for row in rows if (value := row[name]) is not None]
        if name == "silence_dbfs" and values:  # a mean of powers, of which some are 0
            mean[name] = float(10 * np.log10(np.mean(10 ** (np.array(values) / 10))))
        else:
            mean[name] = float(np.mean(values)) if values else None
        spread[name] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": mean, "spread": spread}
