"""The input gain of the device, bit for bit (``tflm_app/analysis/input_gain.c``)."""

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import CALIBRATED_LEVEL_DB, LOUDNESS_RANGE_DB, MIN_LOUDNESS_DB
from pipeline.reference.frame import log2_float32

DB_PER_OCTAVE = 3.01029996  # dB per factor of two in power
FLOOR_POWER = 1e-8
APERIODICITY = 0.2  # of frames that count, at most: the confidence of a clear pitch
QUIET_DB = -60.0  # of the first frame that counts, at least
RANGE_DB = 40.0  # frames that are so much softer than the level do not count
# The level is the 95th percentile: where it is, steps up and steps down outweigh each other.
UP, DOWN = 0.95, 0.05  # shares of a step
FIRST_STEP_DB, LAST_STEP_DB, SHRINK = 8.0, 0.04, 0.99  # a step, and its factor per frame
RISE_DB = 0.1  # of the gain in a frame, at most, because the first frames of a note are soft
BOUND_DB = 40.0  # of the automatic gain, in both directions
_EXP2_COEFFICIENTS = (  # the polynomial of ``exp2_small``, highest power first
    *(0.00133335581, 0.00961812911, 0.0555041087, 0.240226507, 0.693147181, 1.0),
)
Floats = npt.NDArray[np.float32]


def automatic_gain(loudness_db: Floats, aperiodicity: Floats) -> Floats:
    """Returns the gain that follows an input, from its first frame on.

    Args:
        loudness_db: Loudness of every frame before the gain, shape [n].
        aperiodicity: As the analysis measures it, shape [n].

    Returns:
        Gain of every frame in dB, shape [n].
    """
    up, down, shrink, last, rise, bound, range_db, target = (
        np.float32(x)
        for x in (UP, -DOWN, SHRINK, LAST_STEP_DB, RISE_DB, BOUND_DB, RANGE_DB, CALIBRATED_LEVEL_DB)
    )
    gain, level, step = np.float32(0), np.float32(2 * MIN_LOUDNESS_DB), np.float32(FIRST_STEP_DB)
    gains = np.empty(len(loudness_db), np.float32)
    for k, loudness in enumerate(np.asarray(loudness_db, np.float32)):
        is_first = level < np.float32(-LOUDNESS_RANGE_DB)
        softest = np.float32(QUIET_DB) if is_first else level - range_db
        if aperiodicity[k] < np.float32(APERIODICITY) and loudness >= softest:
            level = loudness if is_first else level
            level = level + (up if loudness > level else down) * step
            step = max(shrink * step, last)
            gain = min(max(min(target - level, gain + rise), -bound), bound)
        gains[k] = gain
    return gains


def amplify_loudness(power: Floats, gain_db: Floats) -> Floats:
    """Returns the loudness in dB of frames after a gain.

    Args:
        power: Power of the frames before the gain, at least `FLOOR_POWER`, shape [n].
        gain_db: Gain of each frame, shape [n].
    """
    floor = np.float32(FLOOR_POWER)
    factor = exp2_float32(np.asarray(gain_db, np.float32) * np.float32(1 / DB_PER_OCTAVE))
    raised = floor + factor * (np.asarray(power, np.float32) - floor)
    raised = np.where(factor == 1, power, raised).astype(np.float32)
    loudness_db = np.float32(DB_PER_OCTAVE) * log2_float32(raised)
    return np.asarray(np.minimum(loudness_db, np.float32(0)))


def exp2_float32(x: Floats) -> Floats:
    """Returns 2 to the power of x, at most 30 in magnitude, as ``exp2_small`` computes it."""
    whole = (np.asarray(x, np.float32) + np.float32(127.5)).astype(np.int32)
    t = x - (whole - 127).astype(np.float32)
    p = np.full_like(t, np.float32(_EXP2_COEFFICIENTS[0]))
    for coefficient in _EXP2_COEFFICIENTS[1:]:
        p = p * t + np.float32(coefficient)
    return np.asarray((whole << 23).view(np.float32) * p)
