"""Estimates from the ends of notes how long the room rings.

After a note ends, the sound of a room falls by a constant number of dB per second. The estimate is
the time for 60 dB (RT60), from the lowest straight stretch of 20 dB that stays above the noise. An
instrument that rings itself, such as a piano, is measured in the same way, so the shortest times of
a set of recordings come nearest to the room.
"""

import numpy as np
import numpy.typing as npt

from pipeline.audio.inspection_levels import block_levels
from pipeline.audio.pcm import Pcm
from pipeline.core.constants import SAMPLE_RATE

Doubles = npt.NDArray[np.float64]
BLOCK = 128  # samples, 8 ms
SMOOTH_BLOCKS = 5
SPAN_DB = 20.0  # range of the line, as in the T20 of ISO 3382
ABOVE_NOISE_DB = 8.0
LOWEST_DB = -75.0  # below it, 16-bit steps bend the line
MIN_FALL_DB = 30.0
RISE_DB = 6.0  # a rise by this much ends a fall
STRAIGHT_DB = 1.5  # largest standard deviation from the line
MIN_BLOCKS = 4  # a steeper fall than 20 dB in 32 ms is a cut


def decay_times(audio: Pcm) -> list[float]:
    """Returns the RT60 in seconds of every note end that falls along a straight line.

    Args:
        audio: Samples at 16 kHz, shape [n].
    """
    power = 10 ** (block_levels(audio, BLOCK, around=0.0) / 10)
    if len(power) < SMOOTH_BLOCKS:
        return []
    smooth = np.convolve(power, np.full(SMOOTH_BLOCKS, 1 / SMOOTH_BLOCKS), mode="valid")
    level_db = 10 * np.log10(smooth)
    times = [_decay_time(smooth[first : last + 1]) for first, last in _falls(level_db)]
    return [time for time in times if time is not None]


def _falls(level_db: Doubles) -> list[tuple[int, int]]:
    """Finds the stretches in which the level falls by `MIN_FALL_DB` without rising in between."""
    falls = []
    top = low = 0
    levels = level_db.tolist()
    for index, level in enumerate(levels):
        if level > levels[low] + RISE_DB:
            falls.append((top, low))
            top = low = index
        elif level >= levels[top]:
            top = low = index
        elif level < levels[low]:
            low = index
    falls.append((top, low))
    return [(top, low) for top, low in falls if levels[top] - levels[low] >= MIN_FALL_DB]


def _decay_time(power: Doubles) -> float | None:
    """Fits the lowest straight 20 dB of a fall; None if there is no such stretch."""
    signal = np.maximum(power - 0.9 * power[-1], 1e-12)
    level_db = 10 * np.log10(signal)
    lowest_db = max(float(10 * np.log10(power[-1])) + ABOVE_NOISE_DB, LOWEST_DB)
    end_db = lowest_db
    while end_db + SPAN_DB <= level_db.max() - 3:
        last = int(np.flatnonzero(level_db >= end_db)[-1])
        first = int(np.flatnonzero(level_db >= end_db + SPAN_DB)[-1])
        if last - first >= MIN_BLOCKS:
            blocks = np.arange(first, last + 1)
            slope, start = np.polyfit(blocks, level_db[blocks], 1)
            error_db = float(np.std(level_db[blocks] - (start + slope * blocks)))
            if error_db < STRAIGHT_DB and slope < 0:
                return float(-60 / slope * BLOCK / SAMPLE_RATE)
        end_db += SPAN_DB / 4
    return None
