"""Removes what a recording contains below its instrument: the rumble of the room, hum and wind.

Training would learn it as the instrument's noise, and the firmware would play it with every note.
"""

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi

from pipeline.audio.digital_silence import silent_runs
from pipeline.audio.pcm import PIECE, Pcm, from_pcm, to_pcm
from pipeline.core.constants import SAMPLE_RATE

CUTOFF = 0.85  # of the lowest pitch that is looked for
ORDER = 8  # for either direction in time: -6 dB at the cutoff, -0.6 dB at the lowest pitch


def remove_rumble(audio: Pcm, f0_min_hz: float) -> Pcm:
    """Removes sound below an instrument's pitches, without shifting any phase.

    A filter runs forwards and backwards over the recording, which is mirrored at its ends, block by
    block: in floating point, a whole recording of hours would not fit into the memory.

    Args:
        audio: Samples at 16 kHz, shape [n].
        f0_min_hz: The lowest pitch that is looked for.

    Returns:
        The same shape; digital silence stays zero.
    """
    if not len(audio):
        return audio
    sections = butter(ORDER, CUTOFF * f0_min_hz, "highpass", fs=SAMPLE_RATE, output="sos")
    steady = sosfilt_zi(sections)  # the state of the filter after a long constant 1
    padding = min(len(audio) - 1, SAMPLE_RATE)
    pieces = np.split(audio, range(PIECE, len(audio), PIECE))
    mirrored = [audio[padding:0:-1], *pieces, audio[-2 : -padding - 2 : -1]]
    blocks = [block for block in mirrored if len(block)]
    state = steady * from_pcm(blocks[0])[0]
    states = []
    for block in blocks:
        states.append(state)
        forward, state = sosfilt(sections, from_pcm(block), zi=state)
    state = steady * forward[-1]
    filtered = np.empty(len(audio) + 2 * padding, np.int16)
    stop = len(filtered)
    # Backwards, what the first filter gives is computed again from its state before each block.
    for block, state_before in zip(reversed(blocks), reversed(states), strict=True):
        forward, _ = sosfilt(sections, from_pcm(block), zi=state_before)
        backward, state = sosfilt(sections, forward[::-1], zi=state)
        filtered[stop - len(block) : stop] = to_pcm(backward[::-1])
        stop -= len(block)
    filtered = filtered[padding : padding + len(audio)]
    for first, last in silent_runs(audio):
        filtered[first:last] = 0
    return filtered
