"""The multi-scale spectral loss (MSS), by which models are trained and compared, and loudness.

For windows of 2048 to 64 samples, Hann, hop a quarter, normalized by the square root of the
window's length: the mean absolute difference of the magnitudes plus that of their logarithms,
summed over the windows (Engel et al., "DDSP", ICLR 2020; windows and normalization as in Caspe et
al., "DDX7", ISMIR 2022).

Of the MSS nearly all is logarithm, and most bins lie between the partials: a model that learns from
it alone gets the noise there right and plays 8 to 14 dB too softly. Hence the loudness.
"""

import librosa
import numpy as np
from keras import ops

from pipeline.core.constants import SAMPLE_RATE

MSS_WINDOWS = (2048, 1024, 512, 256, 128, 64)
LOG_FLOOR = 1e-7  # added to magnitudes before the logarithm
LOUDNESS_FLOOR_DB = -60.0  # re a full-scale sine: a pause
_ROOT_FLOOR = (
    1e-16  # keeps the gradient of the magnitude finite at silence; far below LOG_FLOOR squared
)


def magnitudes(audio, window: int):
    """Computes a normalized magnitude spectrogram with reflected edges.

    Args:
        audio: Shape [batch, n_samples].
        window: Length of the Hann window and of the FFT in samples.

    Returns:
        Shape [batch, 1 + 4 * n_samples // window, window // 2 + 1].
    """
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    padded = ops.pad(audio, [[0, 0], [window // 2, window // 2]], mode="reflect")
    real, imaginary = ops.stft(padded, window, window // 4, window, window=hann, center=False)
    return ops.sqrt(real**2 + imaginary**2 + _ROOT_FLOOR) / np.sqrt(window)


def spectrograms(audio) -> list:
    """Computes the magnitudes of `audio`, shape [batch, n_samples], at every window of the loss."""
    return [magnitudes(audio, window) for window in MSS_WINDOWS]


def mss(reference, estimate):
    """Multi-scale spectral distance of each clip.

    Args:
        reference: Audio, shape [batch, n_samples], or its `spectrograms` where these are needed
            again.
        estimate: The same.

    Returns:
        Distance, shape [batch]; 0 for equal clips.
    """
    total = 0.0
    for target, found in zip(_spectrograms(reference), _spectrograms(estimate), strict=True):
        linear = ops.abs(target - found)
        logarithmic = ops.abs(ops.log(target + LOG_FLOOR) - ops.log(found + LOG_FLOOR))
        total = total + ops.mean(linear + logarithmic, axis=(1, 2))
    return total


def loudness_distance(reference, estimate):
    """Mean absolute difference of A-weighted levels, over windows of 2048 samples.

    Args:
        reference: Audio, shape [batch, n_samples], or its `spectrograms`.
        estimate: The same.

    Returns:
        Difference in dB, shape [batch]; what lies below `LOUDNESS_FLOOR_DB` hardly counts.
    """
    target, found = (_loudness_db(_spectrograms(x)[0]) for x in (reference, estimate))
    return ops.mean(ops.abs(target - found), axis=-1)


def _spectrograms(audio) -> list:
    return audio if isinstance(audio, list) else spectrograms(audio)


def _loudness_db(spectrogram):
    """Returns dB re a full-scale 1 kHz sine, shape [batch, n_windows]; see `pipeline.features`."""
    window = MSS_WINDOWS[0]
    frequencies_hz = np.fft.rfftfreq(window, 1 / SAMPLE_RATE)[1:]
    weights = 10 ** (librosa.A_weighting(frequencies_hz, min_db=None) / 10)
    full_scale = 3 * window / 32  # a sine's sum over bins, Hann and the normalization included
    weights = np.concatenate([[0.0], weights / full_scale]).astype(np.float32)
    power = ops.sum(spectrogram**2 * weights, axis=-1)
    return 10 / np.log(10) * ops.log(power + 10 ** (LOUDNESS_FLOOR_DB / 10))
