"""How far a rendering is from a recording, and a quantized model from its float one.

Distances compare audio at 16 kHz of the same length, mono, in [-1, 1]; 0 stands for equality.
Errors compare what `pipeline.features` says of them, so that a rendering is judged by the ears that
the decoder was given.
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
MEL_FLOOR_DB = -100.0  # re full scale: below it a band is silent
MSS_SECONDS = 32  # of a long recording that are compared at once, for the memory's sake
MIN_LOUDNESS_DB = -60.0  # frames of the recording below it are a pause
AUDIBLE_LEVEL = MAX_LEVEL * 10 ** (-60 / 20)  # turns: what a softer operator does is not heard


def mss_distance(reference: Array, estimate: Array) -> float:
    """Multi-scale spectral distance (see `pipeline.losses.mss`), shape [n_samples] each."""
    starts = range(0, len(reference), MSS_SECONDS * SAMPLE_RATE)
    distances, weights = [], []
    for start in starts:
        part = slice(start, start + MSS_SECONDS * SAMPLE_RATE)
        pair = [
            _at_least(np.asarray(x[part], np.float32), model_losses.MSS_WINDOWS[0])
            for x in (reference, estimate)
        ]
        distances.append(
            float(ops.convert_to_numpy(model_losses.mss(pair[0][None], pair[1][None]))[0])
        )
        weights.append(len(reference[part]))
    return float(np.average(distances, weights=weights))


def _at_least(audio: Array, n_samples: int) -> Array:
    return np.pad(audio, (0, max(n_samples - len(audio), 0)))


def log_mel_distance(reference: Array, estimate: Array) -> float:
    """Mean absolute difference in dB of 80 mel bands, down to -100 dB; shape [n_samples] each."""
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
    """Median absolute error of pitch in cents over frames in which the recording has one.

    Returns:
        None if it has none.
    """
    voiced = (reference.confidence >= min_confidence) & (reference.loudness_db > MIN_LOUDNESS_DB)
    if not voiced.any():
        return None
    cents = 1200 * np.log2(estimate.f0_hz[voiced] / reference.f0_hz[voiced])
    return float(np.median(np.abs(cents)))


def loudness_error_db(reference: Features, estimate: Features) -> float | None:
    """Mean absolute error of loudness in dB over frames that sound in the recording, if any."""
    sounding = reference.loudness_db > MIN_LOUDNESS_DB
    if not sounding.any():
        return None
    return float(np.abs(estimate.loudness_db - reference.loudness_db)[sounding].mean())


def level_error_db(reference: Array, estimate: Array) -> float:
    """Mean absolute error in dB of the levels that are audible, above -60 dB of the largest.

    Args:
        reference: Levels of the float model in turns, shape [n_frames, 6].
        estimate: Levels of the quantized one, same shape, above 0.

    Returns:
        0 if none is audible.
    """
    audible = reference > AUDIBLE_LEVEL
    if not audible.any():
        return 0.0
    return float(np.abs(20 * np.log10(estimate[audible] / reference[audible])).mean())
