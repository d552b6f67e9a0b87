"""Shimmer as the device has it: its noise, and levels lowered by it, to the bit.

What it is for says `pipeline.synth.Shimmer`; the C is ``control/shimmer.h``.
"""

import numpy as np
import numpy.typing as npt

from pipeline.config import N_OPERATORS


def shimmer_noise(n_frames: int) -> np.ndarray:
    """Returns what shimmers from reset on: uint16, shape [n_frames, 6], the device's own.

    The upper half of a linear congruential generator, one draw an operator.
    """
    n = n_frames * N_OPERATORS
    gains = np.cumprod(np.full(n, 1664525, np.uint32), dtype=np.uint32)
    offsets = np.cumsum(np.concatenate([[1], gains[:-1]])[:n], dtype=np.uint32)
    state = gains + np.uint32(1013904223) * offsets  # from state 1
    return (state >> 16).astype(np.uint16).reshape(n_frames, N_OPERATORS)


def shimmer_q16(depths: npt.ArrayLike) -> list[int]:
    """Returns depths of shimmer, 0 to 1, as the device holds them: 0 to 65535, 2**16 being 1."""
    return np.clip(np.round(np.asarray(depths) * 2**16), 0, 2**16 - 1).astype(int).tolist()


def shimmer_levels(levels: np.ndarray, depths_q16: list[int]) -> np.ndarray:
    """Lowers levels from reset on.

    Args:
        levels: int32, Q32 turns, shape [n_frames, 6].
        depths_q16: From `shimmer_q16`.

    Returns:
        int32 of the same shape.
    """
    amounts = shimmer_noise(len(levels)).astype(np.int64) * np.array(depths_q16)
    return (levels - (levels.astype(np.int64) * amounts >> 32)).astype(np.int32)
