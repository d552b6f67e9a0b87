"""Breath: coloured noise whose level follows pitch and loudness, to the bit as the device plays it.

FM gives partials and nothing between them; a recording has breath there, or bow, hammer and room,
and most bins of a spectrogram are these. A table of noise, coloured as the model has learnt, is
read in grains of two blocks from random places. Each fades in through a block and out through the
next, so that frame k's level is reached at the end of block k, as operator levels are. The gain in
dB is linear in pitch and loudness, down to -70 dB; below, where nobody plays, it falls by 12 dB a
dB, so that silence is silent. `pipeline.synth.Breath` learns it; the C is ``fm/breath.h``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import HOP_SAMPLES, LOUDNESS_RANGE_DB, SAMPLE_RATE

TABLE_SAMPLES = 1024  # of noise, which repeats; so a grain may begin anywhere
GRAIN_SAMPLES = 2 * HOP_SAMPLES
COLOUR_HZ = (0, 500, 1000, 1500, 2000, 3000, 4000, 5500, 8000)  # where the colour is learnt
MIDDLE = (0.55, 0.7)  # scaled pitch and loudness at which the colour is learnt
QUIET_DB = -70.0  # loudness from which downwards breath fades ...
FADE = 2  # ... by so many octaves of amplitude a dB
UNIT_DB = 40.0  # of what is learnt, so that steps of the optimizer are of a like size

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Breath:
    """What a model has learnt of its noise.

    Attributes:
        colour: Level at `COLOUR_HZ` of a frame at `MIDDLE`, in units of 40 dB, 0 being white noise
            of variance 1, shape [9]; between them it is linear in Hz.
        slopes: Gain, in units of 40 dB, per unit of scaled pitch and of scaled loudness (see
            `pipeline.tcn.scale_features`), shape [2].
    """

    colour: Floats
    slopes: Floats


UNTRAINED = Breath(np.full(len(COLOUR_HZ), -1.3), np.array([0.0, 1.3]))
"""Where training begins: -52 dB at middle loudness, -88 dB in silence."""


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
    """Returns what each point of the colour adds to the level of each bin, shape [9, 513]."""
    frequencies_hz = np.fft.rfftfreq(TABLE_SAMPLES, 1 / SAMPLE_RATE)
    points = np.eye(len(COLOUR_HZ))
    return np.stack([np.interp(frequencies_hz, COLOUR_HZ, point) for point in points])


def noise_table(colour: Floats) -> Floats:
    """Returns noise of a colour, shape [1024 + 128]: its first grain follows again at its end."""
    magnitudes = 10 ** (UNIT_DB / 20 * np.asarray(colour, np.float64) @ colour_curves())
    table = np.fft.irfft(magnitudes * white_spectrum())
    return np.concatenate([table, table[:GRAIN_SAMPLES]])


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
    """Breath in the device's numbers.

    Attributes:
        table: The noise, its peak at full scale, int16, shape [1024 + 128].
        gain_q12: Exponent of its gain, a power of two, at 1 Hz and 0 dB, plus 16; times 2**12.
        per_octave_q12: How much the exponent grows with pitch.
        per_db_q16: Likewise with loudness, times 2**16.
    """

    table: npt.NDArray[np.int16]
    gain_q12: int
    per_octave_q12: int
    per_db_q16: int


def device_breath(breath: Breath) -> DeviceBreath:
    """Quantizes what a model has learnt."""
    table = noise_table(breath.colour)
    peak = np.abs(table).max()
    by_pitch, by_loudness = np.asarray(breath.slopes, np.float64) * UNIT_DB / (20 * np.log10(2.0))
    at_1_hz = by_pitch * ((69 - 12 * np.log2(440.0)) / 127 - MIDDLE[0])
    at_0_db = by_loudness * (1.0 - MIDDLE[1])
    return DeviceBreath(
        table=np.round(table * (32767 / peak)).astype(np.int16),
        gain_q12=round(4096 * (16 + np.log2(peak) + at_1_hz + at_0_db)),
        per_octave_q12=round(4096 * np.clip(by_pitch * 12 / 127, -4, 4)),
        per_db_q16=round(65536 * np.clip(by_loudness / LOUDNESS_RANGE_DB, -1, 1)),
    )


def breath_gains(
    breath: DeviceBreath, log2_f0: npt.NDArray[np.float32], loudness_db: npt.NDArray[np.float32]
) -> npt.NDArray[np.int32]:
    """Returns the gains of clamped frames.

    Args:
        breath: Of the model.
        log2_f0: log2 of f0 in Hz, by the device's own logarithm, shape [n_frames].
        loudness_db: Shape [n_frames].

    Returns:
        Step and exponent, int32, shape [2, n_frames]: ``step / 512 * 2**(exponent - 15)``.
    """
    octaves_q12 = (log2_f0 * np.float32(4096)).astype(np.int32)
    db_q8 = (loudness_db * np.float32(256)).astype(np.int32)
    gain_q12 = breath.gain_q12 + (breath.per_octave_q12 * octaves_q12 >> 12)
    gain_q12 += breath.per_db_q16 * db_q8 >> 12
    gain_q12 -= 16 * FADE * np.maximum(int(256 * QUIET_DB) - db_q8, 0)
    gain_q12 = np.clip(gain_q12, 0, 65535)
    t = gain_q12 & 4095
    step = 256 + (t * (10756 + (5628 * t >> 12)) >> 18)  # 256 * 2**(t / 4096)
    step[gain_q12 == 0] = 0
    return np.stack([step, gain_q12 >> 12])


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
    step, exponent = np.concatenate([np.zeros((2, 1), np.int32), gains], axis=1)
    larger = np.maximum(exponent[:-1], exponent[1:])
    fade_in, fade_out = step[1:] >> larger - exponent[1:], step[:-1] >> larger - exponent[:-1]

    offsets = grain_offsets(len(larger), voice=voice)[:, None] + np.arange(GRAIN_SAMPLES)
    grains = breath.table.astype(np.int32)[offsets]
    ending = np.concatenate([np.zeros((1, HOP_SAMPLES), np.int32), grains[:-1, HOP_SAMPLES:]])
    ramp = np.arange(1, HOP_SAMPLES + 1)
    sums = grains[:, :HOP_SAMPLES] * (fade_in[:, None] * ramp)
    sums += ending * (fade_out[:, None] * (HOP_SAMPLES - ramp))
    shift = (30 - larger)[:, None]
    return (sums + (1 << shift - 1) >> shift).astype(np.int32).ravel()
