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

from pipeline.core.constants import HOP_SAMPLES, N_OPERATORS, SAMPLE_RATE

TABLE_SAMPLES = 1024  # of noise, which repeats; so a grain may begin anywhere
GRAIN_SAMPLES = 2 * HOP_SAMPLES
N_LAYERS = 2  # tables
COLOUR_HZ = (  # where the colour is learnt: densely where rooms rumble and where recordings end
    *(0, 60, 125, 250, 375, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 7000),
    *(7400, 7600, 7800, 8000),
)
MIDDLE = (0.55, 0.7, *[-0.6] * N_OPERATORS)  # controls (see below) at which the colour is learnt
QUIET_DB = -70.0  # loudness from which downwards breath fades ...
FADE = 2  # ... by so many octaves of amplitude a dB
OCTAVE_DB = 20 * np.log10(2.0)  # of amplitude
UNIT_DB = 40.0  # of what is learnt, so that steps of the optimizer are of a like size
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class NoiseParameters:
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


UNTRAINED = NoiseParameters(
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
