"""Removes what a recording contains below its instrument: the rumble of the room, hum and wind.

Training would learn it as the instrument's noise, and the firmware would play it with every note.
"""

import numpy as np
from scipy.signal import butter, sosfiltfilt

from pipeline.audio.digital_silence import silent_samples
from pipeline.audio.pcm import Pcm, from_pcm, to_pcm
from pipeline.core.constants import SAMPLE_RATE

CUTOFF = 0.85  # of the lowest pitch that is looked for
ORDER = 8  # for either direction in time: -6 dB at the cutoff, -0.6 dB at the lowest pitch


def remove_rumble(audio: Pcm, f0_min_hz: float) -> Pcm:
    """Removes sound below an instrument's pitches, without shifting any phase.

    Args:
        audio: Samples at 16 kHz, shape [n].
        f0_min_hz: The lowest pitch that is looked for.

    Returns:
        The same shape; digital silence stays zero.
    """
    sections = butter(ORDER, CUTOFF * f0_min_hz, "highpass", fs=SAMPLE_RATE, output="sos")
    if not len(audio):
        return audio
    padding = min(len(audio) - 1, SAMPLE_RATE)
    filtered = sosfiltfilt(sections, from_pcm(audio), padtype="even", padlen=padding)
    return to_pcm(np.where(silent_samples(audio), 0, filtered))
