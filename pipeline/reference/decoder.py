"""The device's level table and its interpolation (``tflm_app/decoder/decoder_levels.c``)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import MAX_LEVEL

Levels = npt.NDArray[np.int32]


def level_table(scale: float, zero_point: int, bits: int) -> Levels:
    """Returns the levels that the firmware looks up.

    Args:
        scale: Scale of the quantized logits.
        zero_point: Zero point of the quantized logits.
        bits: Size of a logit, 8 or 16.

    Returns:
        int32, shape [257]: level in turns, Q32, at every ``2**bits / 256`` steps from the smallest
        logit. Levels below one PCM step are 0; otherwise rounding would set single bits of what
        should be silence.
    """
    quantized = np.arange(-128, 129) * 2.0 ** (bits - 8)
    levels = MAX_LEVEL / (1.0 + np.exp(-scale * (quantized - zero_point)))
    levels[levels < MAX_LEVEL / FULL_SCALE] = 0.0
    return np.asarray(np.floor(levels * 2.0**32 + 0.5), np.int32)


def levels_q32(table: Levels, logits: npt.NDArray[Any]) -> Levels:
    """Interpolates the table as ``decoder_levels`` does.

    Args:
        table: From `level_table`.
        logits: int8 or int16, any shape.

    Returns:
        int32, same shape: levels in turns, Q32.
    """
    position = logits.astype(np.int32) * 2 ** (16 - 8 * logits.dtype.itemsize) + 32768
    below, above = table[position >> 8], table[(position >> 8) + 1]
    return np.asarray(below + ((above - below) >> 8) * (position & 255))
