"""The reverb of the device (``tflm_app/reverb``), to one step of the samples."""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import FULL_SCALE
from pipeline.model.reverb import Array, wet_taps

Pcm = npt.NDArray[np.int16]


def play_reverb(pcm: Pcm, response: Array) -> Pcm:
    """Plays samples in a room, from silence.

    Args:
        pcm: int16, shape [n].
        response: From `shorten`, 1 at time 0.

    Returns:
        int16, shape [n]: the convolution in float64, rounded and saturated. The firmware's samples
        are at most 1 away, because its spectra are float32.
    """
    n_fft = 1 << (len(pcm) + len(response)).bit_length()
    spectrum = np.fft.rfft(pcm, n_fft) * np.fft.rfft(wet_taps(response), n_fft)
    wet = np.fft.irfft(spectrum, n_fft)[: len(pcm)]
    return np.clip(np.floor(pcm + wet + 0.5), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
