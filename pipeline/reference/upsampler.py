"""The upsampler of the device, bit for bit (``tflm_app/upsampler``)."""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import FULL_SCALE
from pipeline.model.upsampler import FACTOR, design_taps

Pcm = npt.NDArray[np.int16]


def upsample(pcm: Pcm) -> Pcm:
    """Interpolates samples to three times their rate, from silence, as the firmware does.

    Args:
        pcm: int16 at 16 kHz, shape [n].

    Returns:
        int16 at 48 kHz, shape [3 n], 48 samples (1 ms) late.
    """
    stuffed = np.zeros(FACTOR * len(pcm), np.int64)
    stuffed[::FACTOR] = pcm
    sums = np.convolve(stuffed, design_taps().astype(np.int64))[: len(stuffed)]
    return np.asarray(np.clip(sums >> 15, -FULL_SCALE, FULL_SCALE - 1), np.int16)
