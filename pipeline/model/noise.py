"""The filtered noise that is added to the operators: its parameters and its tables.

FM produces partials only. A recording also has breath, bow, hammer or room noise between them,
where most bins of a spectrogram lie. The noise is read from two tables, the layers, with learnt
spectra. It is played in grains of two blocks from random positions, the same ones in both tables.
Each grain fades in during one block and out during the next, so that frame k's level is reached at
the end of block k, like the operators' levels. The gain of a layer, in dB, is linear in the scaled
pitch, the scaled loudness and the operators' levels in dB; through these levels the network
controls the noise too. Below a loudness of -70 dB, the gain falls by 12 dB per dB, so that room
noise ends before the gate (`pipeline.model.gate`) brings it to zero.

`pipeline.model.noise_layer` learns the noise; ``tflm_app/noise/noise.h`` plays it on the device
with the same tables and random positions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import (
    HOP_SAMPLES,
    N_OPERATORS,
    RANDOM_INCREMENT,
    RANDOM_MULTIPLIER,
    RANDOM_SEED_STEP,
    SAMPLE_RATE,
)

TABLE_SAMPLES = 1024  # period of the noise, so that a grain may begin anywhere
GRAIN_SAMPLES = 2 * HOP_SAMPLES
GRAIN_STEP = 2  # samples; grains begin at its multiples, so that the device reads pairs as words
N_LAYERS = 2
COLOUR_HZ = (  # frequencies of the learnt spectra, dense at room rumble and at the band limit
    *(0, 60, 125, 250, 375, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 7000),
    *(7400, 7600, 7800, 8000),
)
MIDDLE = (0.55, 0.7, *[-0.6] * N_OPERATORS)  # controls at which a gain is 0 dB
QUIET_DB = -70.0  # the noise fades below this loudness
FADE = 2  # octaves of amplitude per dB below QUIET_DB
OCTAVE_DB = 20 * np.log10(2.0)  # dB per doubling of the amplitude
UNIT_DB = 40.0  # unit of the parameters, so that steps of the optimizer are of a similar size

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class NoiseParameters:
    """The learnt parameters of a model's noise.

    Attributes:
        colour: Level of each layer at `COLOUR_HZ` in a frame with the controls `MIDDLE`, in units
            of 40 dB re white noise of variance 1, shape [20, 2]; linear in Hz in between.
        slopes: Change of the gain in units of 40 dB per unit of each control, shape [8, 2]. The
            controls are scaled pitch and loudness (see `pipeline.model.inputs.scale_features`) and
            the operators' levels in units of 40 dB re the largest level, with a floor at -60 dB.
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
"""Initial values: -52 dB at middle loudness and -88 dB in silence; the second layer is darker."""


def white_spectrum() -> npt.NDArray[np.complex128]:
    """Returns a spectrum of equal magnitudes and random phases, complex, shape [513].

    It is 0 at 0 Hz: a constant would add to every grain as an offset that follows the gain.
    """
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, TABLE_SAMPLES // 2 + 1)
    phases[-1] = 0.0
    spectrum = np.sqrt(TABLE_SAMPLES) * np.exp(1j * phases)
    spectrum[0] = 0.0
    return np.asarray(spectrum)


def colour_curves() -> Floats:
    """Returns the contribution of each `COLOUR_HZ` point to each bin's level, shape [20, 513]."""
    frequencies_hz = np.fft.rfftfreq(TABLE_SAMPLES, 1 / SAMPLE_RATE)
    points = np.eye(len(COLOUR_HZ))
    return np.stack([np.interp(frequencies_hz, COLOUR_HZ, point) for point in points])


def noise_tables(colour: Floats) -> Floats:
    """Returns the noise of both layers, shape [1024 + 128, 2]; the first grain repeats at the end.

    Both layers are the same noise with different spectra, so their sum has a spectrum in between.
    """
    levels = np.asarray(colour, np.float64).T @ colour_curves()
    tables = np.fft.irfft(10 ** (UNIT_DB / 20 * levels) * white_spectrum()).T
    return np.concatenate([tables, tables[:GRAIN_SAMPLES]])


def voice_seed(voice: int) -> int:
    """Returns the random state with which a voice of the player starts."""
    return (1 + RANDOM_SEED_STEP * voice) % 2**32


def grain_offsets(n_frames: int, *, voice: int = 0) -> npt.NDArray[np.int32]:
    """Returns where in the table the grain of each frame after a reset begins, shape [n_frames].

    Offsets are the upper bits of a linear congruential generator, multiples of `GRAIN_STEP`.
    """
    gains = np.cumprod(np.full(n_frames, RANDOM_MULTIPLIER, np.uint32), dtype=np.uint32)
    terms = np.cumsum(np.concatenate([[1], gains[:-1]])[:n_frames], dtype=np.uint32)
    state = gains * np.uint32(voice_seed(voice)) + np.uint32(RANDOM_INCREMENT) * terms
    return np.asarray(GRAIN_STEP * (state >> np.uint32(23)).astype(np.int32))


def grains_like(frames: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    """Returns the grain offsets of voice 0 for each of several clips.

    Args:
        frames: An array with as many clips and frames, shape [n_clips, n_frames, ...].

    Returns:
        int32, shape [n_clips, n_frames].
    """
    return np.broadcast_to(grain_offsets(frames.shape[1]), frames.shape[:2])
