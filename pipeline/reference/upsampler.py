"""The upsampler of the device, and its reverse, bit for bit (``tflm_app/upsampler``)."""

import numpy as np

from pipeline.audio.pcm import FULL_SCALE, Pcm
from pipeline.model.upsampler import FACTOR, design_taps


def upsample(pcm: Pcm) -> Pcm:
    """Interpolates samples that follow silence to three times their rate, as the firmware does.

    Args:
        pcm: int16 at 16 kHz, shape [n].

    Returns:
        int16 at 48 kHz, shape [3 n], delayed by 48 samples (1 ms).
    """
    stuffed = np.zeros(FACTOR * len(pcm), np.int64)
    stuffed[::FACTOR] = pcm
    sums = np.convolve(stuffed, design_taps().astype(np.int64))[: len(stuffed)]
    return np.asarray(np.clip(sums >> 15, -FULL_SCALE, FULL_SCALE - 1), np.int16)


def downsample(pcm: Pcm) -> Pcm:
    """Filters samples that follow silence and keeps a third of them, as the firmware's input does.

    Args:
        pcm: int16 at 48 kHz, shape [3 n].

    Returns:
        int16 at 16 kHz, shape [n], delayed by 46 samples at 48 kHz.
    """
    phases = pcm.astype(np.int64).reshape(-1, FACTOR).T
    filters = design_taps().astype(np.int64).reshape(-1, FACTOR).T
    total = np.zeros(phases.shape[1], np.int64)
    for phase, taps in zip(phases[::-1], filters, strict=True):
        sums = np.convolve(phase, taps)[: len(total)]
        total += np.clip(sums >> 15, -FULL_SCALE, FULL_SCALE - 1)
    mean = (total * 10923 + 2**14) >> 15
    return np.asarray(np.clip(mean, -FULL_SCALE, FULL_SCALE - 1), np.int16)
