"""Clamping and quantization of frames, bit for bit (``tflm_app/instrument/frame.c``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import (
    DEFAULT_F0_HZ,
    GATE_OPEN_DB,
    LOUDNESS_RANGE_DB,
    MAX_F0_HZ,
    MAX_LOUDNESS_DB,
    MIN_F0_HZ,
    MIN_LOUDNESS_DB,
    NOTE_OF_1_HZ,
    SEMITONES_PER_OCTAVE,
)
from pipeline.quantization.pitch_range import PitchRange

_LOG2_COEFFICIENTS = (  # the polynomial of ``frame_log2``, highest power first
    *(0.17063432, -0.27269839, 0.2972626, -0.35896174, 0.48046504, -0.72137588, 1.44269973),
)
GATE_BITS = 10  # 1024 steps of 1/256 dB between the floor and the open gate
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


def gate_q10(loudness_db: Floats) -> npt.NDArray[np.int32]:
    """Returns the factor of operator levels and noise gains as ``frame_gate_q10`` does.

    Args:
        loudness_db: Loudness of clamped frames, any shape.

    Returns:
        Same shape: 1024 from `GATE_OPEN_DB` up, 0 at the floor, linear in dB.
    """
    above_q8 = (loudness_db * np.float32(256)).astype(np.int32) - int(256 * MIN_LOUDNESS_DB)
    return np.minimum(above_q8, 1 << GATE_BITS)


def gate_levels(levels_q32: npt.NDArray[np.int32], loudness_db: Floats) -> npt.NDArray[np.int32]:
    """Closes the gate on operator levels as ``instrument_set_levels`` does.

    Args:
        levels_q32: Turns times 2**32, shape [n_frames, 6].
        loudness_db: Loudness of clamped frames, shape [n_frames].

    Returns:
        Same shape as `levels_q32`.
    """
    closing = loudness_db < GATE_OPEN_DB
    gated = (levels_q32 >> GATE_BITS) * gate_q10(loudness_db)[:, None]
    return np.where(closing[:, None], gated, levels_q32).astype(np.int32)


@dataclass(frozen=True)
class FrameScaling:
    """The constants with which frames are quantized, the fields of ``frame_scaling_t``.

    Attributes:
        f0_gain: Steps of the decoder's input per octave.
        f0_offset: Input at 1 Hz.
        loudness_gain: Steps per dB.
        loudness_offset: Input at 0 dB.
        lowest: Smallest input, that of the lowest note and of silence.
        highest: Largest input.
    """

    f0_gain: np.float32
    f0_offset: np.float32
    loudness_gain: np.float32
    loudness_offset: np.float32
    lowest: np.float32
    highest: np.float32

    @classmethod
    def of(cls, scale: float, zero_point: int, bits: int, pitch: PitchRange) -> "FrameScaling":
        """Computes the constants of a model.

        Args:
            scale: Scale of the model's input tensor.
            zero_point: Its zero point.
            bits: Its width, 8 or 16.
            pitch: The notes that it spans.
        """
        steps = np.float32(1) / np.float32(scale)
        zero = np.float32(zero_point)
        below = np.float32((pitch.lowest_note - NOTE_OF_1_HZ) / pitch.n_semitones)
        return cls(
            f0_gain=steps * (np.float32(SEMITONES_PER_OCTAVE) / np.float32(pitch.n_semitones)),
            f0_offset=zero - steps * below,
            loudness_gain=steps * (np.float32(1) / np.float32(LOUDNESS_RANGE_DB)),
            loudness_offset=zero + steps,
            lowest=zero,
            highest=np.float32(2 ** (bits - 1) - 1),
        )


def silent_frame(scaling: FrameScaling) -> npt.NDArray[np.int16]:
    """Returns the quantized frame of silence, 440 Hz at -80 dB, shape [2].

    A decoder begins as if it had decoded this frame forever.
    """
    silence = np.array([[DEFAULT_F0_HZ, MIN_LOUDNESS_DB]], np.float32)
    return np.asarray(quantize_frames(silence, scaling)[0])


def quantize_frames(clamped: Floats, scaling: FrameScaling) -> npt.NDArray[np.int16]:
    """Quantizes clamped frames to the decoder's input as ``frame_quantize`` does.

    Args:
        clamped: From `clamp_frames`, shape [n_frames, 2].
        scaling: Constants of the model.

    Returns:
        Integers in the range of the model's input, same shape.
    """
    f0 = scaling.f0_gain * log2_float32(clamped[:, 0]) + scaling.f0_offset
    loudness = scaling.loudness_gain * clamped[:, 1] + scaling.loudness_offset
    values = np.clip(np.stack([f0, loudness], axis=1), scaling.lowest, scaling.highest)
    return np.floor(values + np.float32(0.5)).astype(np.int16)
