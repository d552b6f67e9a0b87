"""The reverb of the device, exact to one PCM step (``tflm_app/reverb``)."""

import numpy as np

from pipeline.audio.pcm import FULL_SCALE, Pcm
from pipeline.core.constants import HOP_SAMPLES
from pipeline.model.reverb import Array, wet_taps

TAIL_SAMPLES = 256  # taps of a partition of the tail; partitions of the head have 64
TAIL_START = 2 * TAIL_SAMPLES  # taps of a head before a tail, whose result takes that long
LONGEST_HEAD = 3200  # taps; up to this length, 0.2 s, a head alone is cheaper
GROUP_FLOATS = 8  # floats of four bins that are neighbours in memory


def n_partitions(n_taps: int) -> tuple[int, int]:
    """Returns how many partitions of 64 taps a response has, and how many of 256 follow them."""
    if n_taps <= LONGEST_HEAD:
        return -(-n_taps // HOP_SAMPLES), 0
    return TAIL_START // HOP_SAMPLES, -(-(n_taps - TAIL_START) // TAIL_SAMPLES)


def play_reverb(pcm: Pcm, response: Array) -> Pcm:
    """Adds the reverb to samples that follow silence.

    Args:
        pcm: int16, shape [n].
        response: From `pipeline.model.reverb.shorten`, 1 at time 0.

    Returns:
        int16, shape [n]: the convolution in float64, rounded and saturated. The firmware's samples
        differ by at most 1, because its spectra are float32.
    """
    n_fft = 1 << (len(pcm) + len(response)).bit_length()
    spectrum = np.fft.rfft(pcm, n_fft) * np.fft.rfft(wet_taps(response), n_fft)
    wet = np.fft.irfft(spectrum, n_fft)[: len(pcm)]
    return np.clip(np.floor(pcm + wet + 0.5), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
