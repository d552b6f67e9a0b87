"""All figures that compare a rendering with its recording.

Figures that end in ``bias_db`` are signed, rendering minus recording; the others are 0 for equal
sounds, except for ``silence_dbfs``. Thresholds are relative to the recording's loud frames, so the
figures do not depend on the recording's level as long as audio and features share it.
"""

import numpy as np

from pipeline.audio.features import Features, extract_features
from pipeline.core.instrument_config import DataConfig
from pipeline.model.harmonic_metrics import harmonic_figures
from pipeline.model.metrics import (
    Array,
    f0_error_cents,
    log_mel_distance,
    loudness_error_db,
    mss_distance,
)
from pipeline.model.onset_metrics import onset_figures
from pipeline.model.silence_metrics import silence_level_dbfs
from pipeline.model.spectral_regions import region_figures

Figures = dict[str, float | None]
"""Figures by name; None where a figure is not defined, such as the pitch error of noise."""


def measure(reference: Array, estimate: Array, features: Features, config: DataConfig) -> Figures:
    """Measures how far a rendering is from its recording.

    Args:
        reference: The recording at 16 kHz, in [-1, 1], shape [n].
        estimate: The rendering, at the level of the recording, shape [n].
        features: Features of the recording, at the same level.
        config: Pitch range, and the confidence above which a frame is voiced.

    Returns:
        ``mss``, ``log_mel_db``, ``f0_error_cents``, ``loudness_error_db`` of
        `pipeline.model.metrics`, the figures of `region_figures`, `harmonic_figures` and
        `onset_figures`, and ``silence_dbfs`` of `silence_level_dbfs`. The names are those of
        `pipeline.model.figure_names` for all recordings.
    """
    reference, estimate = (np.asarray(audio, np.float32) for audio in (reference, estimate))
    found = extract_features(estimate, **config.f0_bounds)
    return {
        "mss": mss_distance(reference, estimate),
        **region_figures(reference, estimate, features),
        "log_mel_db": log_mel_distance(reference, estimate),
        **harmonic_figures(reference, estimate, features, config),
        "f0_error_cents": f0_error_cents(
            features, found, min_confidence=config.confidence_threshold
        ),
        "loudness_error_db": loudness_error_db(features, found),
        **onset_figures(reference, estimate, features, found, config),
        "silence_dbfs": silence_level_dbfs(reference, estimate),
    }
