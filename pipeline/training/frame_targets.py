"""What single frames of recordings should sound like: their partials, and the noise between them.

The MSS compares audio, whose noise fills most bins of a spectrogram; partials fill few and hardly
count, and its gradient to the levels of an FM patch leads astray. These targets compare partial by
partial, and need neither audio nor spectrograms of the model: a step costs a third of one with the
MSS.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from pipeline.audio.a_weighting import a_weighting_db
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.patch import Patch
from pipeline.core.stretch import inharmonicity, partial_hz
from pipeline.model.frame_spectra import FRAME_STRIDE, N_PARTIALS
from pipeline.model.harmonic_metrics import MEAN_OVER_GEOMETRIC
from pipeline.model.noise import TABLE_SAMPLES

HIGHEST_HZ = 7600.0  # resampled recordings end there
FLOOR = 1e-10  # mean square of the rounding to 16 bits, about; added to all powers
WINDOWS = (1024, 2048, 4096)  # samples, Hann
LOBE_BINS = 2  # half the width of the main lobe
BINS_PER_PITCH = 6.0  # a window that is long enough leaves some between two partials
RANGE_DB = 60.0  # partials this far below the loudest one, as heard, have the smallest weight
MIN_WEIGHT = 0.1
NOISE_WEIGHT = 0.5
TARGETS = ("frame_power_db", "frame_weights", "frame_bins", "frame_lobes")
Arrays = dict[str, npt.NDArray[np.generic]]
Floats = npt.NDArray[np.floating]


def measure_frames(dataset: Mapping[str, npt.NDArray[np.generic]], patch: Patch) -> Arrays:
    """Measures every fourth frame of clips: frames 3, 7, and so on.

    Frames whose window reaches beyond what was recorded have no weight.

    Args:
        dataset: ``audio``, in [-1, 1], ``f0_hz`` and ``sounding``, as in
            `pipeline.training.dataset.load_dataset`.
        patch: The patch, whose stretch says where partials are looked for.

    Returns:
        For the partials 1 to 48, and then for the noise below each of them, shape [n_clips,
        n_frames // 4, 96]: ``frame_power_db``, the squared amplitude of a partial with the noise
        within its width, or the variance of white noise as strong as that between partials;
        ``frame_weights``; and ``frame_bins``, the bin of the noise's spectrum
        (`pipeline.model.noise`) there. ``frame_lobes``, shape [n_clips, n_frames // 4, 1]: how much
        noise of variance 1 adds to the power of a partial.
    """
    rows = [
        _measure_clip(*clip, patch)
        for clip in zip(dataset["audio"], dataset["f0_hz"], dataset["sounding"], strict=True)
    ]
    return {name: np.stack([row[name] for row in rows]) for name in TARGETS}


def _measure_clip(
    audio: Floats, f0_hz: Floats, sounding: npt.NDArray[np.bool_], patch: Patch
) -> Arrays:
    """Measures the frames of one clip; see `measure_frames`."""
    frames = np.arange(FRAME_STRIDE - 1, len(f0_hz), FRAME_STRIDE)
    pitch_hz = f0_hz[frames].astype(np.float64)
    stiffness = inharmonicity(patch.inharmonicity, pitch_hz) if patch.is_stretched else 0 * pitch_hz
    partials_hz = partial_hz(pitch_hz[:, None], np.arange(N_PARTIALS + 1), stiffness[:, None])
    between_hz = (partials_hz[:, 1:] + partials_hz[:, :-1]) / 2
    centres_hz = np.concatenate([partials_hz[:, 1:], between_hz], axis=1)
    long_enough = np.array(WINDOWS) * pitch_hz[:, None] / SAMPLE_RATE >= BINS_PER_PITCH
    choice = np.where(long_enough.any(axis=1), long_enough.argmax(axis=1), len(WINDOWS) - 1)
    powers = np.zeros_like(centres_hz)
    usable = np.zeros(len(frames), bool)
    for number, window in enumerate(WINDOWS):
        chosen = choice == number
        powers[chosen] = _powers(audio, frames[chosen], centres_hz[chosen], window)
        usable[chosen] = _within(sounding, frames[chosen], window)
    power_db = 10 * np.log10(powers + FLOOR)
    weights = _weights(power_db, centres_hz) * usable[:, None]
    bins = np.minimum(np.round(centres_hz * TABLE_SAMPLES / SAMPLE_RATE), TABLE_SAMPLES // 2)
    lobes = 4 * (2 * LOBE_BINS + 1) / np.array(WINDOWS)[choice]
    return {
        "frame_power_db": power_db.astype(np.float16),
        "frame_weights": weights.astype(np.float16),
        "frame_bins": bins.astype(np.int16),
        "frame_lobes": lobes[:, None].astype(np.float32),
    }


def _powers(
    audio: Floats, frames: npt.NDArray[np.int64], centres_hz: Floats, n_samples: int
) -> Floats:
    """Measures partials and the noise between them in windows of one length.

    Args:
        audio: Samples, shape [n].
        frames: Numbers of the frames, shape [n_frames].
        centres_hz: Frequencies of partials, then of the noise, shape [n_frames, 96].
        n_samples: Length of the window.

    Returns:
        Powers as in `measure_frames`, not in dB, shape [n_frames, 96].
    """
    window = get_window("hann", n_samples)
    padded = np.pad(audio, (n_samples // 2, n_samples))
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_samples)
    spectra = np.abs(np.fft.rfft(windows[HOP_SAMPLES * (frames + 1)] * window)) ** 2
    spectra /= np.sum(window**2)
    centres = np.round(centres_hz * n_samples / SAMPLE_RATE).astype(int)
    centres = np.minimum(centres, n_samples // 2 - LOBE_BINS)
    rows = np.arange(len(frames))[:, None]
    lobe = [spectra[rows, centres[:, :N_PARTIALS] + o] for o in range(-LOBE_BINS, LOBE_BINS + 1)]
    between = [spectra[rows, np.maximum(centres[:, N_PARTIALS:] + o, 1)] for o in (-1, 0, 1)]
    noise = MEAN_OVER_GEOMETRIC * np.exp(np.mean(np.log(np.array(between) + 1e-20), axis=0))
    return np.concatenate([4 / n_samples * np.sum(lobe, axis=0), noise], axis=1)


def _within(
    sounding: npt.NDArray[np.bool_], frames: npt.NDArray[np.int64], n_samples: int
) -> npt.NDArray[np.bool_]:
    """Returns whether a recording fills the windows around the ends of frames."""
    reach = n_samples // 2 // HOP_SAMPLES
    before = np.concatenate([[0], np.cumsum(sounding)])
    first, last = frames + 1 - reach, frames + 1 + reach
    count = before[np.minimum(last, len(sounding))] - before[np.maximum(first, 0)]
    return np.asarray(count == 2 * reach)


def _weights(power_db: Floats, centres_hz: Floats) -> Floats:
    """Returns how much partials and noise count: partials the more, the louder they are heard."""
    weights = np.where(centres_hz < HIGHEST_HZ, 1.0, 0.0)
    partials = slice(N_PARTIALS)
    heard_db = power_db[:, partials] + a_weighting_db(centres_hz[:, partials])
    heard_db = np.where(weights[:, partials] > 0, heard_db, -np.inf)
    below_db = np.maximum(heard_db - heard_db.max(axis=1, keepdims=True), -RANGE_DB)
    weights[:, partials] *= np.maximum(1 + below_db / RANGE_DB, MIN_WEIGHT)
    weights[:, N_PARTIALS:] *= NOISE_WEIGHT
    return np.asarray(weights)
