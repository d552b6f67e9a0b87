"""The multi-scale spectral loss (MSS), which trains and compares models, and what is kin to it.

The MSS is the mean absolute difference of the magnitudes plus that of their logarithms, summed over
Hann windows of 2048 to 64 samples (Engel et al., "DDSP", ICLR 2020). The hop is a quarter of the
window, and magnitudes are normalized by the square root of its length, as in Caspe et al., "DDX7"
(ISMIR 2022).

The logarithmic part is nearly all of the MSS, and most bins lie between the partials. A model that
is trained with the MSS alone matches the noise there and plays 8 to 14 dB too softly; the loudness
distance prevents that.

A room's rumble, the filter of a resampler and the noise of pauses move the MSS as much as the
instrument does. The sound distance is the MSS of what is left without them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.audio.a_weighting import a_weighting_db
from pipeline.core.constants import HOP_SAMPLES, MIN_LOUDNESS_DB, SAMPLE_RATE
from pipeline.model.stft import stft
from pipeline.model.synth import Tensor

MSS_WINDOWS = (2048, 1024, 512, 256, 128, 64)
OVERLAP = 4  # windows that cover each sample
LOG_FLOOR = 1e-7  # added to magnitudes before log()
LOUDNESS_FLOOR_DB = -60.0  # re a full-scale sine; softer windows are pauses
SOUND_BAND_HZ = (200.0, 7000.0)  # lowest and highest frequency that the sound distance compares
SOUND_RANGE_DB = 35.0  # frames that are softer than a recording's loud ones by more do not count
LOUD_PERCENTILE = 95  # of the loudness of a recording's frames: its loud ones
# Keeps the gradient of the magnitude finite at silence; small compared with LOG_FLOOR squared.
_ROOT_FLOOR = 1e-16
_UNIT_SAMPLES = 16  # the hops of all windows are multiples of it


@dataclass(frozen=True)
class Spectra:
    """What the distances compare.

    Magnitude and logarithm rise and fall together, so the absolute difference of their sum is the
    sum of their absolute differences. One array per window and one absolute value do.

    Attributes:
        compressed: Magnitude plus logarithm of the magnitude for each of `MSS_WINDOWS`, shape
            [batch, n_windows, n_bins].
        loudness_db: A-weighted level of the longest windows in dB re a full-scale 1 kHz sine, shape
            [batch, n_windows].
    """

    compressed: list[Tensor]
    loudness_db: Tensor


def spectra(audio: Tensor, overlap: int = OVERLAP) -> Spectra:
    """Computes the spectra of audio, whose edges are reflected.

    Args:
        audio: Shape [batch, n_samples].
        overlap: Number of windows that cover each sample, 2 or 4.
    """
    powers = [power_spectrogram(audio, window, overlap) for window in MSS_WINDOWS]
    magnitudes = [
        ops.sqrt(power + _ROOT_FLOOR / window)
        for power, window in zip(powers, MSS_WINDOWS, strict=True)
    ]
    return Spectra([m + ops.log(m + LOG_FLOOR) for m in magnitudes], _loudness_db(powers[0]))


def power_spectrogram(audio: Tensor, window: int, overlap: int = OVERLAP) -> Tensor:
    """Computes squared magnitudes, divided by the length of the window.

    Args:
        audio: Shape [batch, n_samples].
        window: Length of the Hann window in samples.
        overlap: Number of windows that cover each sample.

    Returns:
        Shape [batch, 1 + overlap * n_samples // window, window // 2 + 1].
    """
    real, imaginary = stft(audio, window, window // overlap)
    return real**2 + imaginary**2


def window_weights(sounding: Tensor, overlap: int = OVERLAP) -> list[Tensor]:
    """Returns how much each window counts: the share of its samples that belong to a recording.

    A window outside all recordings compares nothing, and one at an edge mostly compares the edge.

    Args:
        sounding: Whether a frame of 64 samples belongs to a recording, shape [batch, n_frames].
        overlap: As in `spectra`.

    Returns:
        For each of `MSS_WINDOWS`, shape [batch, n_windows], 0 to 1.
    """
    units = ops.repeat(ops.cast(sounding, "float32"), HOP_SAMPLES // _UNIT_SAMPLES, axis=-1)
    before = ops.pad(ops.cumsum(units, axis=-1), [[0, 0], [1, 0]])
    n_units = units.shape[-1]
    weights = []
    for window in MSS_WINDOWS:
        centres = np.arange(0, n_units * _UNIT_SAMPLES + 1, window // overlap) // _UNIT_SAMPLES
        reach = window // 2 // _UNIT_SAMPLES
        first, last = (np.clip(centres + d, 0, n_units) for d in (-reach, reach))
        within = ops.take(before, last, axis=-1) - ops.take(before, first, axis=-1)
        weights.append(within / (last - first).astype(np.float32))
    return weights


def mss(
    reference: Tensor | Spectra,
    estimate: Tensor | Spectra,
    weights: Sequence[Tensor] | None = None,
) -> Tensor:
    """Computes the multi-scale spectral distance of each clip.

    Args:
        reference: Audio, shape [batch, n_samples], or its `spectra` if they are known.
        estimate: The same.
        weights: From `window_weights`; without them, all windows count.

    Returns:
        Distance, shape [batch]; 0 for equal clips.
    """
    return _distance(reference, estimate, weights, (0.0, SAMPLE_RATE / 2))


def sound_frames(
    loudness_db: npt.NDArray[np.floating], sounding: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.bool_]:
    """Finds the frames that the sound distance compares: those not far below the loud ones.

    Args:
        loudness_db: Loudness of a recording's frames, shape [n_frames].
        sounding: Whether a frame belongs to the recording, same shape; without it, all do.

    Returns:
        Shape [n_frames]; frames with the lowest loudness are never among them.
    """
    audible = loudness_db > MIN_LOUDNESS_DB
    audible = audible if sounding is None else audible & sounding
    if not audible.any():
        return audible
    loud_db = np.percentile(loudness_db[audible], LOUD_PERCENTILE)
    return np.asarray(audible & (loudness_db >= loud_db - SOUND_RANGE_DB))


def sound_distance(
    reference: Tensor | Spectra,
    estimate: Tensor | Spectra,
    weights: Sequence[Tensor] | None = None,
) -> Tensor:
    """Computes the MSS of the bins within `SOUND_BAND_HZ`.

    The shortest windows resolve 500 Hz, so a strong rumble still reaches their lowest bins.

    Args:
        reference: Audio, shape [batch, n_samples], or its `spectra` if they are known.
        estimate: The same.
        weights: `window_weights` of the `sound_frames`; without them, all windows count.

    Returns:
        Distance, shape [batch]; 0 for clips that are equal there.
    """
    return _distance(reference, estimate, weights, SOUND_BAND_HZ)


def loudness_distance(
    reference: Tensor | Spectra,
    estimate: Tensor | Spectra,
    weights: Sequence[Tensor] | None = None,
) -> Tensor:
    """Computes the mean absolute difference of A-weighted levels over windows of 2048 samples.

    Args:
        reference: Audio, shape [batch, n_samples], or its `spectra` if they are known.
        estimate: The same.
        weights: From `window_weights`; without them, all windows count.

    Returns:
        Difference in dB, shape [batch]; levels below `LOUDNESS_FLOOR_DB` barely count.
    """
    difference_db = ops.abs(_spectra(reference).loudness_db - _spectra(estimate).loudness_db)
    return _mean(difference_db, weights[0] if weights else None)


def _distance(
    reference: Tensor | Spectra,
    estimate: Tensor | Spectra,
    weights: Sequence[Tensor] | None,
    band_hz: tuple[float, float],
) -> Tensor:
    """Computes the `mss` of the bins within a band."""
    total = 0.0
    pairs = zip(_spectra(reference).compressed, _spectra(estimate).compressed, strict=True)
    for number, (target, found) in enumerate(pairs):
        bin_hz = SAMPLE_RATE / MSS_WINDOWS[number]
        bins = slice(math.ceil(band_hz[0] / bin_hz), math.floor(band_hz[1] / bin_hz) + 1)
        distances = ops.mean(ops.abs(target[..., bins] - found[..., bins]), axis=-1)
        total = total + _mean(distances, weights[number] if weights else None)
    return total


def _spectra(audio: Tensor | Spectra) -> Spectra:
    return audio if isinstance(audio, Spectra) else spectra(audio)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Averages windows; values and weights have the shape [batch, n_windows]."""
    if weights is None:
        return ops.mean(values, axis=-1)
    # A clip without any weight has the distance 0.
    return ops.sum(values * weights, axis=-1) / ops.maximum(ops.sum(weights, axis=-1), 1e-3)


def _loudness_db(power: Tensor) -> Tensor:
    """Computes dB re a full-scale 1 kHz sine, as `pipeline.audio.features` does.

    Args:
        power: Spectrogram for the longest window, shape [batch, n_windows, n_bins].

    Returns:
        Shape [batch, n_windows].
    """
    window = MSS_WINDOWS[0]
    frequencies_hz = np.fft.rfftfreq(window, 1 / SAMPLE_RATE)[1:]
    weights = 10 ** (a_weighting_db(frequencies_hz) / 10)
    full_scale = 3 * window / 32  # a sine's power over bins, for the Hann window, normalized
    weights = np.concatenate([[0.0], weights / full_scale]).astype(np.float32)
    level = ops.squeeze(ops.matmul(power, weights[:, None]), axis=-1)
    return 10 / np.log(10) * ops.log(level + 10 ** (LOUDNESS_FLOOR_DB / 10))
