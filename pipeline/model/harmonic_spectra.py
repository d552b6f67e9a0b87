"""Spectra of a tone's steady frames, divided into its partials and what lies between them.

The Blackman-Harris window is 12 periods of the instrument's lowest pitch long. Its main lobe then
leaves a third of the distance between the partials of the lowest note free, and its side lobes lie
92 dB below a partial, so that noise between loud partials can be measured. Where the pitch moves,
partials are as wide as their movement. Frames in which it moves by more than `MAX_MOVEMENT` to
either side within the middle half of the window are left out, and so are unvoiced and soft ones,
and those whose window, or the pitch tracker's, exceeds the recording.

The partials of struck and plucked strings are stretched (see `pipeline.core.stretch`). Their
inharmonicity B is chosen per frame, and is 0 unless another value finds much more energy.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import get_window

from pipeline.audio.autocorrelation import PITCH_WINDOW
from pipeline.audio.features import Features
from pipeline.audio.partials import HIGHEST_HZ, TRACKING_ERROR
from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig
from pipeline.core.stretch import partial_hz
from pipeline.model.losses import LOUD_PERCENTILE

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PERIODS = 12  # of the lowest pitch in a window
LOBE_BINS = 4  # half the width of the window's main lobe
EVERY_FRAMES = 4  # distance of the analysed frames: 16 ms
MAX_MOVEMENT = 0.02  # relative to the pitch, about a third of a semitone
RANGE_DB = 28.0  # below the loud frames; softer frames are left out
NUMBERS = np.arange(1, 13)  # of the partials that are compared
STRETCHES = np.concatenate([[0.0], np.geomspace(3e-5, 3e-3, 24)])  # values of B
MIN_STRETCH_GAIN_DB = 20.0  # sum over partials by which a stretch has to be better than none
ROUNDING_POWER = 1 / 12 / FULL_SCALE**2  # of the rounding to 16 bits; there is no less in a file


@dataclass(frozen=True)
class SteadyFrames:
    """The frames of a recording whose partials can be measured.

    Attributes:
        numbers: Numbers of the frames, shape [n_frames].
        f0_hz: Their pitch, same shape.
        movement: Half the range of the pitch within the middle of the window, relative to it.
        window_samples: Length of the window.
    """

    numbers: npt.NDArray[np.int64]
    f0_hz: Doubles
    movement: Doubles
    window_samples: int

    @property
    def frequencies_hz(self) -> Doubles:
        """Frequencies of the bins, shape [n_bins]."""
        return np.asarray(scipy.fft.rfftfreq(self.window_samples, 1 / SAMPLE_RATE))

    @property
    def window(self) -> Doubles:
        """The window, shape [window_samples]."""
        return np.asarray(get_window("blackmanharris", self.window_samples))

    def reach_hz(self, centres_hz: Doubles) -> Doubles:
        """Returns how far partials extend to either side.

        Args:
            centres_hz: Their frequencies, shape [n_frames, n].
        """
        lobe_hz = LOBE_BINS * SAMPLE_RATE / self.window_samples
        return lobe_hz + (TRACKING_ERROR + self.movement[:, None]) * centres_hz


def find_steady_frames(features: Features, config: DataConfig) -> SteadyFrames:
    """Finds the frames of a recording that are voiced, loud enough and steady in pitch.

    Args:
        features: Features of the recording.
        config: Lowest pitch, and the confidence above which a frame is voiced.
    """
    window_samples = scipy.fft.next_fast_len(round(PERIODS * SAMPLE_RATE / config.f0_min_hz))
    window_samples += window_samples % 2
    span = max(window_samples // (2 * HOP_SAMPLES), 1) | 1  # frames in the middle half
    f0_hz = features.f0_hz.astype(np.float64)
    highest, lowest = (f(f0_hz, span, mode="nearest") for f in (maximum_filter1d, minimum_filter1d))
    movement = (highest - lowest) / 2 / f0_hz
    voiced = features.confidence >= config.confidence_threshold
    usable = minimum_filter1d(voiced, span, mode="nearest") & (movement <= MAX_MOVEMENT)
    if voiced.any():
        loud_db = np.percentile(features.loudness_db[voiced], LOUD_PERCENTILE)
        usable &= features.loudness_db >= loud_db - RANGE_DB
    centres = HOP_SAMPLES * (np.arange(len(f0_hz)) + 1)
    edge = max(window_samples, PITCH_WINDOW) // 2
    usable &= (centres >= edge) & (centres + edge <= HOP_SAMPLES * len(f0_hz))
    numbers = np.flatnonzero(usable & (np.arange(len(f0_hz)) % EVERY_FRAMES == 0))
    return SteadyFrames(numbers, f0_hz[numbers], movement[numbers], window_samples)


def power_spectra(audio: npt.ArrayLike, frames: SteadyFrames) -> Doubles:
    """Measures the power in every bin, at least that of the rounding to 16 bits.

    The powers of a frame add up to the mean square of its samples, weighted by the window.

    Args:
        audio: Samples, shape [n].
        frames: The frames to measure; frame k is centred on sample ``64 * (k + 1)``.

    Returns:
        Shape [n_frames, n_bins].
    """
    n_samples = frames.window_samples
    window = frames.window
    # The last block may be incomplete, and the audio shorter than a window.
    padded = np.pad(np.asarray(audio, np.float64), (0, n_samples))
    starts = HOP_SAMPLES * (frames.numbers + 1) - n_samples // 2
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_samples)[starts]
    powers = np.abs(scipy.fft.rfft(windows * window)) ** 2 * (2 / n_samples / np.sum(window**2))
    return np.asarray(np.maximum(powers, ROUNDING_POWER * 2 / n_samples))


@dataclass(frozen=True)
class Partials:
    """Where the partials of steady frames lie, and what they measure.

    Attributes:
        powers: Mean square of partials 1 to 12, shape [n_frames, 12]; NaN above `HIGHEST_HZ`.
        centres_hz: Their frequencies, same shape.
        between: Whether a bin lies outside all partials, shape [n_frames, n_bins].
    """

    powers: Doubles
    centres_hz: Doubles
    between: Flags


def find_partials(powers: Doubles, frames: SteadyFrames) -> Partials:
    """Finds the partials in `power_spectra`.

    Args:
        powers: Shape [n_frames, n_bins].
        frames: The frames.
    """
    stretch = _find_stretch(powers, frames)
    centres_hz = partial_hz(frames.f0_hz[:, None], NUMBERS, stretch[:, None])
    energies = _sum_bins(powers, frames, centres_hz, frames.reach_hz(centres_hz))
    energies[centres_hz > HIGHEST_HZ] = np.nan
    return Partials(energies, centres_hz, _between(stretch, frames))


def _find_stretch(powers: Doubles, frames: SteadyFrames) -> Doubles:
    """Chooses B per frame, shape [n_frames]."""
    scores_db = []
    for stretch in STRETCHES:
        centres_hz = partial_hz(frames.f0_hz[:, None], NUMBERS, stretch)
        energies = _sum_bins(powers, frames, centres_hz, frames.reach_hz(centres_hz) / 2)
        energies[centres_hz > HIGHEST_HZ] = 1.0
        scores_db.append(10 * np.log10(energies).sum(axis=1))
    scores = np.stack(scores_db)
    best = scores.argmax(axis=0)
    is_stretched = scores.max(axis=0, initial=-np.inf) > scores[0] + MIN_STRETCH_GAIN_DB
    return np.where(is_stretched, STRETCHES[best], 0.0)


def _sum_bins(
    powers: Doubles, frames: SteadyFrames, centres_hz: Doubles, reach_hz: Doubles
) -> Doubles:
    """Adds up the bins within `reach_hz` of `centres_hz`, both of shape [n_frames, n]."""
    bin_hz = SAMPLE_RATE / frames.window_samples
    n_bins = powers.shape[1]
    total = np.pad(np.cumsum(powers, axis=1), ((0, 0), (1, 0)))
    first = np.clip(np.ceil((centres_hz - reach_hz) / bin_hz), 0, n_bins - 1).astype(int)
    last = np.clip(np.floor((centres_hz + reach_hz) / bin_hz), 0, n_bins - 1).astype(int)
    last = np.maximum(last, first)
    upper, lower = (np.take_along_axis(total, i, axis=1) for i in (last + 1, first))
    return np.maximum(upper - lower, ROUNDING_POWER * 2 / frames.window_samples)


def _between(stretch: Doubles, frames: SteadyFrames) -> Flags:
    """Marks the bins that lie outside all partials, shape [n_frames, n_bins]."""
    frequencies_hz = np.broadcast_to(
        frames.frequencies_hz, (len(stretch), len(frames.frequencies_hz))
    )
    ratio = (frequencies_hz / frames.f0_hz[:, None]) ** 2
    b = stretch[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        number = np.where(b > 0, np.sqrt((np.sqrt(1 + 4 * b * ratio) - 1) / (2 * b)), ratio**0.5)
    nearest = np.maximum(np.round(number), 1)
    centres_hz = partial_hz(frames.f0_hz[:, None], nearest, b)
    is_outside: Flags = np.abs(frequencies_hz - centres_hz) > frames.reach_hz(centres_hz)
    return is_outside
