"""The upsampler of the device, bit for bit (``tflm_app/upsampler``)."""

import numpy as np

from pipeline.audio.pcm import FULL_SCALE
from pipeline.model.upsampler import FACTOR, design_taps


def upsample(pcm: np.ndarray) -> np.ndarray:
    """Plays samples at three times their rate, as the firmware does, from silence.

    Args:
        pcm: int16 at 16 kHz, shape [n].

    Returns:
        int16 at 48 kHz, shape [3 n], 48 samples (1 ms) late.
    """
    stuffed = np.zeros(FACTOR * len(pcm), np.int64)
    stuffed[::FACTOR] = pcm
    sums = np.convolve(stuffed, design_taps().astype(np.int64))[: len(stuffed)]
    return np.clip(sums >> 15, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
