"""Errors of partials, of the noise between them, and of the ratio of both."""

from itertools import pairwise

import numpy as np

from pipeline.audio.features import Features
from pipeline.audio.partials import HIGHEST_HZ
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig
from pipeline.model.harmonic_spectra import (
    Doubles,
    Flags,
    Partials,
    SteadyFrames,
    find_partials,
    find_steady_frames,
    power_spectra,
)
from pipeline.model.losses import LOG_FLOOR, MSS_WINDOWS, SOUND_BAND_HZ
from pipeline.model.metrics import Array, mean

BANDS_HZ = {"low": (500.0, 2000.0), "mid": (2000.0, 4000.0), "high": (4000.0, 7000.0)}
ZONES_HZ = (200.0, 500.0, 1000.0, 2000.0, 3000.0, 4000.0, 5500.0, HIGHEST_HZ)
MIN_PARTIAL_DB = 6.0  # by which a partial has to exceed the noise within its width
MAX_PARTIAL_ERROR_DB = 30.0  # errors of partials are limited to it, such as that of a missing one
NOISE_REACH = 1.5  # times the pitch: to either side of a partial, where its noise is measured
MEAN_OVER_GEOMETRIC = float(np.exp(np.euler_gamma))  # of the powers of noise, which are exponential
MIN_NOISE_BINS = 3  # in a zone or beside a partial, to know the noise there


def harmonic_figures(
    reference: Array, estimate: Array, features: Features, config: DataConfig
) -> dict[str, float | None]:
    """Measures how far partials and noise of a rendering are from those of its recording.

    Both are measured in the same frames, those in which the recording is steady (see
    `pipeline.model.harmonic_spectra`). All differences are rendering minus recording, in dB.

    Args:
        reference: The recording, shape [n].
        estimate: The rendering, shape [n].
        features: Features of the recording.
        config: Lowest pitch, and the confidence above which a frame is voiced.

    Returns:
        ``partial_error_db``: mean absolute difference of the partials 1 to 12 below 7 kHz that
        exceed the recording's noise within their width by 6 dB; single differences are limited to
        30 dB. ``partial_bias_<band>_db``: mean difference of those in a band of `BANDS_HZ`.
        ``noise_bias_<band>_db``: mean difference between the partials.
        ``mss_partials``, ``mss_between``: the MSS from 200 to 7000 Hz on the partials and between
        them, in the one window of this analysis instead of six, most of which do not resolve
        partials; multiplied by six.
        ``hnr_bias_db``, ``hnr_error_db``: mean and mean absolute difference of the ratio of
        harmonics to noise from 200 to 7000 Hz.
        None where nothing can be measured.
    """
    frames = find_steady_frames(features, config)
    powers, estimated = (power_spectra(audio, frames) for audio in (reference, estimate))
    partials, found = (find_partials(spectra, frames) for spectra in (powers, estimated))
    between = partials.between & found.between
    return {
        **_distances(powers, estimated, between, frames),
        **_partial_figures(powers, partials, found, between, frames),
        **_noise_figures(powers, estimated, between, frames),
        **_hnr_figures(powers, estimated, between, frames),
    }


def _distances(
    powers: Doubles, estimated: Doubles, between: Flags, frames: SteadyFrames
) -> dict[str, float | None]:
    scale = np.sum(frames.window**2) / 2  # from a share of the power to the magnitudes of the MSS
    magnitudes = [np.sqrt(spectra * scale) for spectra in (powers, estimated)]
    compressed = [magnitude + np.log(magnitude + LOG_FLOOR) for magnitude in magnitudes]
    distance = len(MSS_WINDOWS) * np.abs(compressed[1] - compressed[0])
    lowest, highest = SOUND_BAND_HZ
    within = (frames.frequencies_hz >= lowest) & (frames.frequencies_hz <= highest)
    return {
        "mss_partials": mean(distance[within & ~between]),
        "mss_between": mean(distance[within & between]),
    }


def _partial_figures(
    powers: Doubles, partials: Partials, found: Partials, between: Flags, frames: SteadyFrames
) -> dict[str, float | None]:
    noise = _noise_of_partials(powers, partials, between, frames)
    with np.errstate(invalid="ignore"):
        stands = partials.powers > noise * 10 ** (MIN_PARTIAL_DB / 10)
        difference_db = 10 * np.log10(found.powers / partials.powers)
    # A stretch may move one of both above the highest frequency.
    stands &= np.isfinite(difference_db)
    difference_db = np.clip(difference_db, -MAX_PARTIAL_ERROR_DB, MAX_PARTIAL_ERROR_DB)
    figures = {"partial_error_db": mean(np.abs(difference_db[stands]))}
    for band, (lowest, highest) in BANDS_HZ.items():
        within = (partials.centres_hz >= lowest) & (partials.centres_hz < highest)
        figures[f"partial_bias_{band}_db"] = mean(difference_db[stands & within])
    return figures


def _noise_of_partials(
    powers: Doubles, partials: Partials, between: Flags, frames: SteadyFrames
) -> Doubles:
    """Measures the noise within the width of each partial, shape [n_frames, n_partials].

    Where the gaps beside a partial are too narrow, the noise is unknown and taken as 0.
    """
    bin_hz = SAMPLE_RATE / frames.window_samples
    reach_hz = NOISE_REACH * frames.f0_hz[:, None]
    edges = [
        np.clip(np.round((partials.centres_hz + side * reach_hz) / bin_hz), 0, powers.shape[1])
        for side in (-1, 1)
    ]
    first, last = (edge.astype(int) for edge in edges)
    logs, count = (
        np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
        for values in (np.where(between, np.log(powers), 0), between)
    )
    sum_logs, n_bins = (
        np.take_along_axis(sums, last, axis=1) - np.take_along_axis(sums, first, axis=1)
        for sums in (logs, count)
    )
    density = MEAN_OVER_GEOMETRIC * np.exp(sum_logs / np.maximum(n_bins, 1))
    width = 2 * frames.reach_hz(partials.centres_hz) / bin_hz + 1
    return np.where(n_bins >= MIN_NOISE_BINS, density * width, 0.0)


def _noise_figures(
    powers: Doubles, estimated: Doubles, between: Flags, frames: SteadyFrames
) -> dict[str, float | None]:
    difference_db = 10 * np.log10(estimated / powers)
    frequencies_hz = frames.frequencies_hz
    figures = {}
    for band, (lowest, highest) in BANDS_HZ.items():
        within = (frequencies_hz >= lowest) & (frequencies_hz < highest)
        figures[f"noise_bias_{band}_db"] = mean(difference_db[between & within])
    return figures


def _hnr_figures(
    powers: Doubles, estimated: Doubles, between: Flags, frames: SteadyFrames
) -> dict[str, float | None]:
    ratios_db = [hnr_db(spectra, between, frames) for spectra in (powers, estimated)]
    difference_db = ratios_db[1] - ratios_db[0]
    return {"hnr_bias_db": mean(difference_db), "hnr_error_db": mean(np.abs(difference_db))}


def hnr_db(powers: Doubles, between: Flags, frames: SteadyFrames) -> Doubles:
    """Measures the harmonics-to-noise ratio, shape [n_frames].

    In each of `ZONES_HZ`, the noise has the density that it has between the partials. Zones without
    a gap count neither as harmonics nor as noise.
    """
    frequencies_hz = frames.frequencies_hz
    total, noise = np.zeros((2, len(powers)))
    for lowest, highest in pairwise(ZONES_HZ):
        bins = (frequencies_hz >= lowest) & (frequencies_hz < highest)
        gaps = between[:, bins]
        n_gaps = gaps.sum(axis=1)
        logs = np.where(gaps, np.log(powers[:, bins]), 0).sum(axis=1) / np.maximum(n_gaps, 1)
        is_known = n_gaps >= MIN_NOISE_BINS
        total += np.where(is_known, powers[:, bins].sum(axis=1), 0)
        noise += np.where(is_known, MEAN_OVER_GEOMETRIC * np.exp(logs) * bins.sum(), 0)
    known = noise > 0
    total, noise = total[known], noise[known]
    # A frame of noise alone has about 0 harmonics: the ratio is limited to -20 dB.
    return 10 * np.log10(np.maximum(total - noise, 0.01 * noise) / noise)
