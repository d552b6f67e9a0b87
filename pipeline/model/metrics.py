"""Distances of a rendering to its recording, and of a quantized model to the float model.

Distances compare audio at 16 kHz of the same length, mono, in [-1, 1]; 0 means equal. Errors
compare features (`pipeline.audio.features`), that is, the quantities that the decoder was given.
"""

import librosa
import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.audio.features import Features
from pipeline.core.constants import MAX_LEVEL, SAMPLE_RATE
from pipeline.model import losses as model_losses

Array = npt.NDArray[np.floating]
N_MELS = 80
MEL_WINDOW, MEL_HOP = 2048, 256  # samples
MEL_FLOOR_DB = -100.0  # re full scale; bands below it count as silent
MSS_SECONDS = 32  # longer recordings are compared in parts, to limit memory
PAUSE_DB = -60.0  # frames in which the recording is softer are pauses
AUDIBLE_DB = -60.0  # re MAX_LEVEL; errors of softer operators do not count
AUDIBLE_LEVEL = MAX_LEVEL * 10 ** (AUDIBLE_DB / 20)  # turns


def mss_distance(reference: Array, estimate: Array) -> float:
    """Measures the multi-scale spectral distance (see `pipeline.model.losses.mss`).

    Args:
        reference: Audio, shape [n_samples].
        estimate: The same.
    """
    starts = range(0, len(reference), MSS_SECONDS * SAMPLE_RATE)
    distances, weights = [], []
    for start in starts:
        part = slice(start, start + MSS_SECONDS * SAMPLE_RATE)
        pair = [
            _at_least(np.asarray(x[part], np.float32), model_losses.MSS_WINDOWS[0])
            for x in (reference, estimate)
        ]
        distance = model_losses.mss(pair[0][None], pair[1][None])
        distances.append(float(ops.convert_to_numpy(distance)[0]))
        weights.append(len(reference[part]))
    return float(np.average(distances, weights=weights))


def _at_least(audio: Array, n_samples: int) -> Array:
    """Pads audio with zeros to a minimum length."""
    return np.pad(audio, (0, max(n_samples - len(audio), 0)))


def log_mel_distance(reference: Array, estimate: Array) -> float:
    """Measures the mean absolute difference in dB of 80 mel bands, down to -100 dB.

    Args:
        reference: Audio, shape [n_samples].
        estimate: The same.
    """
    bands_db = [
        librosa.power_to_db(
            librosa.feature.melspectrogram(
                y=np.asarray(audio, np.float32),
                sr=SAMPLE_RATE,
                n_fft=MEL_WINDOW,
                hop_length=MEL_HOP,
                n_mels=N_MELS,
                norm=None,
            )
            / (MEL_WINDOW / 4) ** 2,  # a full-scale sine has 0 dB
            amin=10 ** (MEL_FLOOR_DB / 10),
            top_db=None,
        )
        for audio in (reference, estimate)
    ]
    return float(np.abs(bands_db[0] - bands_db[1]).mean())


def f0_error_cents(
    reference: Features, estimate: Features, *, min_confidence: float
) -> float | None:
    """Measures the median absolute error of pitch in cents over voiced frames.

    Args:
        reference: Features of the recording.
        estimate: Features of the rendering.
        min_confidence: Frames of the recording with less confidence are unvoiced.

    Returns:
        None if the recording has no voiced frame.
    """
    voiced = (reference.confidence >= min_confidence) & (reference.loudness_db > PAUSE_DB)
    if not voiced.any():
        return None
    cents = 1200 * np.log2(estimate.f0_hz[voiced] / reference.f0_hz[voiced])
    return float(np.median(np.abs(cents)))


def loudness_error_db(reference: Features, estimate: Features) -> float | None:
    """Measures the mean absolute error of loudness in dB over frames that are not pauses.

    Returns:
        None if all frames of the recording are pauses.
    """
    sounding = reference.loudness_db > PAUSE_DB
    return mean(np.abs(estimate.loudness_db - reference.loudness_db)[sounding])


def mean(values: Array) -> float | None:
    """Returns the mean of values; None if there are none."""
    return float(values.mean()) if values.size else None


def level_error_db(reference: Array, estimate: Array) -> float:
    """Measures the mean absolute error in dB of the audible levels, above -60 dB re MAX_LEVEL.

    Args:
        reference: Levels of the float model in turns, shape [..., 6].
        estimate: Levels of the quantized model in turns, same shape, above 0.

    Returns:
        0 if no level is audible.
    """
    audible = reference > AUDIBLE_LEVEL
    return mean(np.abs(20 * np.log10(estimate[audible] / reference[audible]))) or 0.0


def logit_error_db(reference: Array, estimate: Array) -> float:
    """Measures `level_error_db` on logits, whose levels are ``MAX_LEVEL * sigmoid(logit)``.

    The levels are computed in float64 and in dB, so that small errors of saturated levels count.

    Args:
        reference: Logits of the float network, shape [..., 6].
        estimate: Logits of the quantized network, same shape.

    Returns:
        0 if no level is audible.
    """
    reference_db, estimate_db = (
        -20 * np.log10(1 + np.exp(-logits.astype(np.float64))) for logits in (reference, estimate)
    )
    return mean(np.abs(estimate_db - reference_db)[reference_db > AUDIBLE_DB]) or 0.0
