"""The multi-scale spectral loss (MSS), by which models are trained and compared.

For windows of 2048 to 64 samples, Hann, hop a quarter, normalized by the square root of the
window's length: the mean absolute difference of the magnitudes plus that of their logarithms,
summed over the windows (Engel et al., "DDSP", ICLR 2020; windows and normalization as in Caspe et
al., "DDX7", ISMIR 2022).
"""

import numpy as np
from keras import ops

MSS_WINDOWS = (2048, 1024, 512, 256, 128, 64)
LOG_FLOOR = 1e-7  # added to magnitudes before the logarithm
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
        estimate: Audio, shape [batch, n_samples].

    Returns:
        Distance, shape [batch]; 0 for equal clips.
    """
    references = reference if isinstance(reference, list) else spectrograms(reference)
    total = 0.0
    for target, found in zip(references, spectrograms(estimate), strict=True):
        linear = ops.abs(target - found)
        logarithmic = ops.abs(ops.log(target + LOG_FLOOR) - ops.log(found + LOG_FLOOR))
        total = total + ops.mean(linear + logarithmic, axis=(1, 2))
    return total
