"""Clamping and quantization of frames, bit for bit (``tflm_app/instrument/frame.c``)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import (
    DEFAULT_F0_HZ,
    GATE_OPEN_DB,
    LOUDNESS_RANGE_DB,
    MAX_F0_HZ,
    MAX_LOUDNESS_DB,
    MAX_NOTE,
    MIN_F0_HZ,
    MIN_LOUDNESS_DB,
    NOTE_OF_1_HZ,
    SEMITONES_PER_OCTAVE,
)

_LOG2_COEFFICIENTS = (  # the polynomial of ``frame_log2``, highest power first
    *(0.17063432, -0.27269839, 0.2972626, -0.35896174, 0.48046504, -0.72137588, 1.44269973),
)
Floats = npt.NDArray[np.float32]


def log2_float32(x: Floats) -> Floats:
    """Returns log2 as ``frame_log2`` computes it.

    Args:
        x: Positive normal float32, any shape.

    Returns:
        float32 of the same shape, within 3e-7 and an ulp of the exact value.
    """
    one, sqrt_half = 0x3F800000, 0x3F3504F3
    bits = np.asarray(x, np.float32).view(np.int32) + np.int32(one - sqrt_half)
    exponent = (bits >> 23) - 127
    t = ((bits & 0x007FFFFF) + np.int32(sqrt_half)).view(np.float32) - np.float32(1)
    p = np.full_like(t, _LOG2_COEFFICIENTS[0])
    for coefficient in _LOG2_COEFFICIENTS[1:]:
        p = p * t + np.float32(coefficient)
    return np.asarray(exponent.astype(np.float32) + p * t)


def clamp_frames(frames: npt.NDArray[np.floating]) -> Floats:
    """Limits frames to what the instrument can play: 20 to 4000 Hz, -80 to 0 dB.

    Args:
        frames: f0_hz and loudness_db, float32 of shape [n_frames, 2]; any values.

    Returns:
        float32 of the same shape. A NaN in f0 holds the last pitch (440 Hz before the first); a NaN
        in loudness is silence.
    """
    f0_hz, loudness_db = np.asarray(frames, np.float32).T
    known = np.concatenate([[True], ~np.isnan(f0_hz)])
    last_known = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))
    f0_hz = np.concatenate([[np.float32(DEFAULT_F0_HZ)], f0_hz])[last_known[1:]]
    loudness_db = np.where(np.isnan(loudness_db), np.float32(MIN_LOUDNESS_DB), loudness_db)
    return np.stack(
        [
            np.clip(f0_hz, MIN_F0_HZ, MAX_F0_HZ),
            np.clip(loudness_db, MIN_LOUDNESS_DB, MAX_LOUDNESS_DB),
        ],
        axis=1,
    ).astype(np.float32)


def gate_q8(loudness_db: Floats) -> npt.NDArray[np.int32]:
    """Returns the factor of operator levels and noise gains as ``frame_gate_q8`` does.

    Args:
        loudness_db: Loudness of clamped frames, any shape.

    Returns:
        Same shape: 256 from `GATE_OPEN_DB` up, 0 at the floor, linear in dB.
    """
    above_q8 = (loudness_db * np.float32(256)).astype(np.int32) - int(256 * MIN_LOUDNESS_DB)
    return np.minimum(above_q8 // int(GATE_OPEN_DB - MIN_LOUDNESS_DB), 256)


def gate_levels(levels_q32: npt.NDArray[np.int32], loudness_db: Floats) -> npt.NDArray[np.int32]:
    """Closes the gate on operator levels as ``instrument_set_levels`` does.

    Args:
        levels_q32: Turns times 2**32, shape [n_frames, 6].
        loudness_db: Loudness of clamped frames, shape [n_frames].

    Returns:
        Same shape as `levels_q32`.
    """
    closing = loudness_db < GATE_OPEN_DB
    gated = (levels_q32 >> 8) * gate_q8(loudness_db)[:, None]
    return np.where(closing[:, None], gated, levels_q32).astype(np.int32)


def quantize_frames(
    clamped: Floats, scale: float, zero_point: int, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Quantizes clamped frames to the decoder's input as ``frame_quantize`` does.

    Args:
        clamped: From `clamp_frames`, shape [n_frames, 2].
        scale: Scale of the model's input tensor.
        zero_point: Zero point of the model's input tensor.
        dtype: int8 or int16.

    Returns:
        Integers of `dtype`, same shape.
    """
    steps = np.float32(1) / np.float32(scale)
    zero = np.float32(zero_point)
    f0_gain = steps * (np.float32(SEMITONES_PER_OCTAVE) / np.float32(MAX_NOTE))
    f0_offset = zero - steps * np.float32(-NOTE_OF_1_HZ / MAX_NOTE)
    loudness_gain = steps * (np.float32(1) / np.float32(LOUDNESS_RANGE_DB))
    loudness_offset = zero + steps
    f0 = f0_gain * log2_float32(clamped[:, 0]) + f0_offset
    loudness = loudness_gain * clamped[:, 1] + loudness_offset
    limits = np.iinfo(np.dtype(dtype))
    values = np.clip(
        np.stack([f0, loudness], axis=1), np.float32(limits.min), np.float32(limits.max)
    )
    return np.floor(values + np.float32(0.5)).astype(dtype)
