"""Breath: coloured noise that follows what is played, to the bit as the device plays it.

FM gives partials and nothing between them; a recording has breath there, or bow, hammer and room,
and most bins of a spectrogram are these. Two tables of noise, coloured as the model has learnt, are
read in grains of two blocks from random places, both from the same ones. Each grain fades in
through a block and out through the next, so that frame k's level is reached at the end of block k,
as operator levels are. The gain of either table, in dB, is linear in pitch, in loudness and in the
operators' levels in dB: so the network, which gives these, has a hand in the noise as well. Below
-70 dB of loudness, where nobody plays, it falls by 12 dB a dB, so that silence is silent.
`pipeline.synth.Breath` learns it; the C is ``noise/noise.h``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import (
    HOP_SAMPLES,
    LEVEL_FLOOR,
    LOUDNESS_RANGE_DB,
    MAX_LEVEL,
    N_OPERATORS,
    SAMPLE_RATE,
)

TABLE_SAMPLES = 1024  # of noise, which repeats; so a grain may begin anywhere
GRAIN_SAMPLES = 2 * HOP_SAMPLES
N_LAYERS = 2  # tables
COLOUR_HZ = (  # where the colour is learnt: densely where rooms rumble and where recordings end
    *(0, 60, 125, 250, 375, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 7000),
    *(7400, 7600, 7800, 8000),
)
MIDDLE = (0.55, 0.7, *[-0.6] * N_OPERATORS)  # controls (see below) at which the colour is learnt
MAX_GAIN_Q12 = 15 * 4096 - 1  # of the device, 16 * 4096 being 1: both layers fit into 16 bits
QUIET_DB = -70.0  # loudness from which downwards breath fades ...
FADE = 2  # ... by so many octaves of amplitude a dB
OCTAVE_DB = 20 * np.log10(2.0)  # of amplitude
UNIT_DB = 40.0  # of what is learnt, so that steps of the optimizer are of a like size

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Breath:
    """What a model has learnt of its noise.

    Attributes:
        colour: Level at `COLOUR_HZ` of a frame at `MIDDLE`, in units of 40 dB, 0 being white noise
            of variance 1, shape [20, 2]; between them it is linear in Hz.
        slopes: Gain, in units of 40 dB, per unit of each control, shape [8, 2]: scaled pitch and
            loudness (see `pipeline.tcn.scale_features`), and the operators' levels in units of 40
            dB re the largest, with a floor at -60 dB.
    """

    colour: Floats
    slopes: Floats


UNTRAINED = Breath(
    colour=np.stack(
        [np.full(len(COLOUR_HZ), -1.3), np.interp(COLOUR_HZ, [0, 1000, 8000], [-1.4, -2.0, -2.4])],
        axis=1,
    ),
    slopes=np.array([[0.0, 0.0], [1.3, 0.6], *[[0.0, 0.0]] * N_OPERATORS]),
)
"""Where training begins: -52 dB at middle loudness, -88 dB in silence, and a darker layer below."""


def white_spectrum() -> np.ndarray:
    """Returns a spectrum of equal magnitudes and random phases, complex, shape [513].

    At 0 Hz it is 0: every grain would push the same way, by an offset that swells with the tone.
    """
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, TABLE_SAMPLES // 2 + 1)
    phases[-1] = 0.0
    spectrum = np.sqrt(TABLE_SAMPLES) * np.exp(1j * phases)
    spectrum[0] = 0.0
    return spectrum


def colour_curves() -> Floats:
    """Returns what each point of the colour adds to the level of each bin, shape [20, 513]."""
    frequencies_hz = np.fft.rfftfreq(TABLE_SAMPLES, 1 / SAMPLE_RATE)
    points = np.eye(len(COLOUR_HZ))
    return np.stack([np.interp(frequencies_hz, COLOUR_HZ, point) for point in points])


def noise_tables(colour: Floats) -> Floats:
    """Returns noise of both colours, shape [1024 + 128, 2]: its first grain follows at its end.

    It is the same noise but for the colour, so that between the two lies any mixture of them.
    """
    levels = np.asarray(colour, np.float64).T @ colour_curves()
    tables = np.fft.irfft(10 ** (UNIT_DB / 20 * levels) * white_spectrum()).T
    return np.concatenate([tables, tables[:GRAIN_SAMPLES]])


def voice_seed(voice: int) -> int:
    """Returns the random state from which the performances of a player's voice begin."""
    return (1 + 0x9E3779B9 * voice) % 2**32


def grain_offsets(n_frames: int, *, voice: int = 0) -> npt.NDArray[np.int32]:
    """Returns where in the table the grain of each frame begins, from reset on, shape [n_frames].

    The upper bits of a linear congruential generator, and even, so that two samples are one word.
    """
    gains = np.cumprod(np.full(n_frames, 1664525, np.uint32), dtype=np.uint32)
    terms = np.cumsum(np.concatenate([[1], gains[:-1]])[:n_frames], dtype=np.uint32)
    state = gains * np.uint32(voice_seed(voice)) + np.uint32(1013904223) * terms
    return 2 * (state >> np.uint32(23)).astype(np.int32)


@dataclass(frozen=True)
class DeviceBreath:
    """Breath in the device's numbers; an array's last axis is the layer.

    Attributes:
        tables: The noise, its peak at half of full scale, int16, shape [1024 + 128, 2].
        gain_q12: Exponent of its gain, a power of two, at 1 Hz, 0 dB and the largest levels, plus
            16; times 2**12. Shape [2], as the next two.
        per_octave_q12: How much the exponent grows with pitch.
        per_db_q16: Likewise with loudness, times 2**16.
        per_level_q12: Likewise with log2 of the operators' levels, shape [6, 2].
    """

    tables: npt.NDArray[np.int16]
    gain_q12: npt.NDArray[np.int32]
    per_octave_q12: npt.NDArray[np.int32]
    per_db_q16: npt.NDArray[np.int32]
    per_level_q12: npt.NDArray[np.int32]


def device_breath(breath: Breath) -> DeviceBreath:
    """Quantizes what a model has learnt."""
    tables = noise_tables(breath.colour)
    peaks = np.abs(tables).max(axis=0)
    slopes = np.asarray(breath.slopes, np.float64)
    by_pitch, by_loudness = slopes[:2] * UNIT_DB / OCTAVE_DB
    by_level = np.clip(slopes[2:], -4, 4)
    gain = np.log2(peaks) + by_pitch * ((69 - 12 * np.log2(440.0)) / 127 - MIDDLE[0])
    gain += by_loudness * (1.0 - MIDDLE[1]) - by_level.sum(axis=0) * MIDDLE[2] * UNIT_DB / OCTAVE_DB

    def integers(values: Floats) -> npt.NDArray[np.int32]:
        return np.round(values).astype(np.int32)

    return DeviceBreath(
        tables=np.round(tables * (16383 / peaks)).astype(np.int16),
        gain_q12=integers(4096 * (16 + gain)),
        per_octave_q12=integers(4096 * np.clip(by_pitch * 12 / 127, -4, 4)),
        per_db_q16=integers(65536 * np.clip(by_loudness / LOUDNESS_RANGE_DB, -1, 1)),
        per_level_q12=integers(4096 * by_level),
    )


def level_octaves_q12(levels_q32: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Returns log2 of levels re the largest, with a floor of `LEVEL_FLOOR`, times 2**12.

    Args:
        levels_q32: Turns times 2**32, 0 to `MAX_LEVEL`, any shape.
    """
    values = np.asarray(levels_q32, np.int64) + round(LEVEL_FLOOR * MAX_LEVEL * 2**32)
    exponent = np.frexp(values.astype(np.float64))[1] - 1  # of its highest bit
    t = (values << 31 - exponent >> 19).astype(np.int32) & 4095
    largest = round(4096 * np.log2(MAX_LEVEL * 2**32))
    return (exponent << 12) + (t * (5515 - (1419 * t >> 12)) >> 12) - largest  # of 1 + t / 4096


def breath_gains(
    breath: DeviceBreath,
    log2_f0: npt.NDArray[np.float32],
    loudness_db: npt.NDArray[np.float32],
    levels_q32: npt.NDArray[np.integer],
) -> npt.NDArray[np.int32]:
    """Returns the gains of clamped frames.

    Args:
        breath: Of the model.
        log2_f0: log2 of f0 in Hz, by the device's own logarithm, shape [n_frames].
        loudness_db: Shape [n_frames].
        levels_q32: Operator levels, turns times 2**32, shape [n_frames, 6].

    Returns:
        Step and exponent of either layer, int32, shape [2, n_layers, n_frames]: ``step / 512 *
        2**(exponent - 15)``.
    """
    octaves_q12 = (log2_f0 * np.float32(4096)).astype(np.int32)[:, None]
    db_q8 = (loudness_db * np.float32(256)).astype(np.int32)[:, None]
    gain_q12 = breath.gain_q12 + (breath.per_octave_q12 * octaves_q12 >> 12)
    gain_q12 += breath.per_db_q16 * db_q8 >> 12
    by_level = breath.per_level_q12 * level_octaves_q12(levels_q32)[:, :, None] >> 12
    gain_q12 += by_level.sum(axis=1) - 16 * FADE * np.maximum(int(256 * QUIET_DB) - db_q8, 0)
    gain_q12 = np.clip(gain_q12.T, 0, MAX_GAIN_Q12)
    t = gain_q12 & 4095
    step = 256 + (t * (10756 + (5628 * t >> 12)) >> 18)  # 256 * 2**(t / 4096)
    step[gain_q12 == 0] = 0
    return np.stack([step, gain_q12 >> 12]).astype(np.int32)


def breath_pcm(
    breath: DeviceBreath, gains: npt.NDArray[np.int32], *, voice: int = 0
) -> npt.NDArray[np.int32]:
    """Plays breath from reset on.

    Args:
        breath: Of the model.
        gains: From `breath_gains`; 0 is silence.
        voice: Of the player, each of which has noise of its own.

    Returns:
        What is added to the voice's PCM, int32, shape [64 * n_frames].
    """
    step, exponent = np.concatenate([np.zeros((2, N_LAYERS, 1), np.int32), gains], axis=2)
    largest = np.maximum(exponent[:, :-1], exponent[:, 1:]).max(axis=0)
    fade_in = step[:, 1:] >> largest - exponent[:, 1:]
    fade_out = step[:, :-1] >> largest - exponent[:, :-1]

    offsets = grain_offsets(len(largest), voice=voice)[:, None] + np.arange(GRAIN_SAMPLES)
    ramp = np.arange(1, HOP_SAMPLES + 1)
    sums = np.zeros((len(largest), HOP_SAMPLES), np.int32)
    for layer in range(N_LAYERS):
        grains = breath.tables[:, layer].astype(np.int32)[offsets]
        ending = np.concatenate([np.zeros((1, HOP_SAMPLES), np.int32), grains[:-1, HOP_SAMPLES:]])
        sums += grains[:, :HOP_SAMPLES] * (fade_in[layer, :, None] * ramp)
        sums += ending * (fade_out[layer, :, None] * (HOP_SAMPLES - ramp))
    shift = (29 - largest)[:, None]
    return (sums + (1 << shift - 1) >> shift).astype(np.int32).ravel()
