"""The filtered noise in the device's integers, bit for bit (``tflm_app/noise/noise.c``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import (
    HOP_SAMPLES,
    LEVEL_FLOOR,
    LOUDNESS_RANGE_DB,
    MAX_LEVEL,
    MAX_NOTE,
    NOTE_OF_1_HZ,
    SEMITONES_PER_OCTAVE,
)
from pipeline.model.noise import (
    FADE,
    GRAIN_SAMPLES,
    MIDDLE,
    N_LAYERS,
    OCTAVE_DB,
    QUIET_DB,
    UNIT_DB,
    Floats,
    NoiseParameters,
    grain_offsets,
    noise_tables,
)
from pipeline.reference.frame import GATE_BITS, gate_q10

# Largest gain of a layer, so that the sum of both layers fits 16 bits; 16 * 4096 is a gain of 1.
MAX_GAIN_Q12 = 15 * 4096 - 1
Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True)
class FixedNoise:
    """The noise in the device's integers. The last axis of an array is the layer.

    Attributes:
        tables: The noise, its peak at half of full scale, int16, shape [1024 + 128, 2].
        gain_q12: Exponent of two of the gain at 1 Hz, 0 dB and the largest levels, plus 16; times
            2**12. Shape [2], like the next two.
        per_octave_q12: How much the exponent grows per octave of pitch, times 2**12.
        per_db_q16: How much the exponent grows per dB of loudness, times 2**16.
        per_level_q12: How much the exponent grows per octave of an operator's level, times 2**12,
            shape [6, 2].
    """

    tables: npt.NDArray[np.int16]
    gain_q12: Int32s
    per_octave_q12: Int32s
    per_db_q16: Int32s
    per_level_q12: Int32s


def to_fixed_noise(parameters: NoiseParameters) -> FixedNoise:
    """Quantizes the noise that a model has learnt."""
    tables = noise_tables(parameters.colour)
    peaks = np.abs(tables).max(axis=0)
    slopes = np.asarray(parameters.slopes, np.float64)
    by_pitch, by_loudness = slopes[:2] * UNIT_DB / OCTAVE_DB
    by_level = np.clip(slopes[2:], -4, 4)
    gain = np.log2(peaks) + by_pitch * (NOTE_OF_1_HZ / MAX_NOTE - MIDDLE[0])
    gain += by_loudness * (1.0 - MIDDLE[1]) - by_level.sum(axis=0) * MIDDLE[2] * UNIT_DB / OCTAVE_DB

    def integers(values: Floats) -> Int32s:
        return np.round(values).astype(np.int32)

    return FixedNoise(
        tables=np.round(tables * (16383 / peaks)).astype(np.int16),
        gain_q12=integers(4096 * (16 + gain)),
        per_octave_q12=integers(4096 * np.clip(by_pitch * SEMITONES_PER_OCTAVE / MAX_NOTE, -4, 4)),
        per_db_q16=integers(65536 * np.clip(by_loudness / LOUDNESS_RANGE_DB, -1, 1)),
        per_level_q12=integers(4096 * by_level),
    )


def level_octaves_q12(levels_q32: npt.NDArray[np.integer]) -> Int32s:
    """Returns log2 of levels relative to the largest, with a floor of `LEVEL_FLOOR`, times 2**12.

    Args:
        levels_q32: Turns times 2**32, 0 to `MAX_LEVEL`, any shape.
    """
    values = np.asarray(levels_q32, np.int64) + round(LEVEL_FLOOR * MAX_LEVEL * 2**32)
    exponent = np.frexp(values.astype(np.float64))[1] - 1  # position of the highest bit
    t = (values << 31 - exponent >> 19).astype(np.int32) & 4095
    largest = round(4096 * np.log2(MAX_LEVEL * 2**32))
    fraction = t * (5515 - (1419 * t >> 12)) >> 12  # log2(1 + t / 4096)
    return np.asarray((exponent << 12) + fraction - largest)


def noise_gains(
    noise: FixedNoise,
    log2_f0: npt.NDArray[np.float32],
    loudness_db: npt.NDArray[np.float32],
    levels_q32: npt.NDArray[np.integer],
) -> Int32s:
    """Returns the gains of clamped frames.

    Args:
        noise: The noise of the model.
        log2_f0: log2 of f0 in Hz by the device's own logarithm, shape [n_frames].
        loudness_db: Shape [n_frames].
        levels_q32: Operator levels, turns times 2**32, shape [n_frames, 6].

    Returns:
        Step and exponent of each layer, int32, shape [2, n_layers, n_frames]: ``step / 512 *
        2**(exponent - 15)``. Steps are below 256 only where the gate closes.
    """
    octaves_q12 = (log2_f0 * np.float32(4096)).astype(np.int32)[:, None]
    db_q8 = (loudness_db * np.float32(256)).astype(np.int32)[:, None]
    gain_q12 = noise.gain_q12 + (noise.per_octave_q12 * octaves_q12 >> 12)
    gain_q12 += noise.per_db_q16 * db_q8 >> 12
    by_level = noise.per_level_q12 * level_octaves_q12(levels_q32)[:, :, None] >> 12
    gain_q12 += by_level.sum(axis=1) - 16 * FADE * np.maximum(int(256 * QUIET_DB) - db_q8, 0)
    gain_q12 = np.clip(gain_q12.T, 0, MAX_GAIN_Q12)
    t = gain_q12 & 4095
    step = 256 + (t * (10756 + (5628 * t >> 12)) >> 18)  # 256 * 2**(t / 4096)
    step[gain_q12 == 0] = 0
    step = step * gate_q10(loudness_db) >> GATE_BITS
    return np.stack([step, gain_q12 >> 12]).astype(np.int32)


def noise_pcm(noise: FixedNoise, gains: Int32s, *, voice: int = 0) -> Int32s:
    """Plays the noise, starting from reset.

    Args:
        noise: The noise of the model.
        gains: From `noise_gains`; 0 is silence.
        voice: Number of the player's voice; each voice has its own random positions.

    Returns:
        The samples to add to the voice's PCM, int32, shape [64 * n_frames].
    """
    step, exponent = np.concatenate([np.zeros((2, N_LAYERS, 1), np.int32), gains], axis=2)
    largest = np.maximum(exponent[:, :-1], exponent[:, 1:]).max(axis=0)
    fade_in = step[:, 1:] >> largest - exponent[:, 1:]
    fade_out = step[:, :-1] >> largest - exponent[:, :-1]

    offsets = grain_offsets(len(largest), voice=voice)[:, None] + np.arange(GRAIN_SAMPLES)
    ramp = np.arange(1, HOP_SAMPLES + 1)
    sums = np.zeros((len(largest), HOP_SAMPLES), np.int32)
    for layer in range(N_LAYERS):
        grains = noise.tables[:, layer].astype(np.int32)[offsets]
        ending = np.concatenate([np.zeros((1, HOP_SAMPLES), np.int32), grains[:-1, HOP_SAMPLES:]])
        sums += grains[:, :HOP_SAMPLES] * (fade_in[layer, :, None] * ramp)
        sums += ending * (fade_out[layer, :, None] * (HOP_SAMPLES - ramp))
    shift = (29 - largest)[:, None]
    return np.asarray(sums + (1 << shift - 1) >> shift, np.int32).ravel()
