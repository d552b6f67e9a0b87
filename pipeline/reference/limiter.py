"""The limiter of the player's mix, bit for bit (``tflm_app/player/limiter.c``)."""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES

UNITY = 1 << 24
RAMP_SAMPLES = 16
HOLD_BLOCKS = 25
RELEASE_SHIFT, RELEASE = 8, 1 << 10


def limit(mix: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Turns the sum of voices down where it does not fit into 16 bits.

    Args:
        mix: Sums of samples, within 2**23, shape [64 * n_blocks].

    Returns:
        Samples, shape [64 * n_blocks].
    """
    samples = np.empty((len(mix) // HOP_SAMPLES, HOP_SAMPLES), np.int16)
    gain, n_held = UNITY, 0
    for block, sums in enumerate(mix.reshape(samples.shape)):
        before, largest = gain, _largest_gain(sums)
        if largest < gain:
            gain, n_held = largest, HOLD_BLOCKS
        elif n_held:
            n_held -= 1
        else:
            gain = min(gain + (UNITY - gain >> RELEASE_SHIFT) + RELEASE, largest)
        ramp = before + (gain - before >> 4) * np.arange(1, RAMP_SAMPLES + 1)
        gains = np.concatenate([ramp, np.full(HOP_SAMPLES - RAMP_SAMPLES, gain)])
        samples[block] = np.clip(sums * gains >> 24, -FULL_SCALE, FULL_SCALE - 1)
    return samples.ravel()


def _largest_gain(sums: npt.NDArray[np.int64]) -> int:
    """Returns the largest gain, at most 1, with which a block fits."""
    if sums.max() < FULL_SCALE and sums.min() >= -FULL_SCALE:
        return UNITY
    return (FULL_SCALE - 1 << 16) // int(np.abs(sums).max()) << 8
