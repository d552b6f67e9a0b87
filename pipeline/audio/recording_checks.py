"""Checks recordings for an unclear pitch, a pitch out of range, and clipping.

A recording with such issues is used anyway, because its owner may know better. A warning reports
them, so that a voice over the music or a wrong folder is noticed before a model is trained.

Measured on 54 excerpts of URMP and on rendered phrases of the four instruments: the mean confidence
is at least 0.84, except for two trumpets (0.76 in noise, 0.01 in a pause). Chords have 0.3 to 0.8,
a tone in white noise of half its power 0.68. At most 3.4 % of their frames appear to lie below the
pitch range and 4.4 % above it (9.4 % for the noisy trumpet); for tones out of range, all do.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
from tqdm import tqdm

from pipeline.audio.autocorrelation import (
    HIGHEST_HZ,
    LAGS_PER_SECOND,
    LOWEST_HZ,
    local_maxima,
    periodicity,
    pitch_windows,
)
from pipeline.audio.features import Features, Floats
from pipeline.core.instrument_config import DataConfig

OUT_OF_RANGE_SHARE = 0.2  # share of the audible frames
CLEAR = 0.8  # periodicity from which a pitch counts
LONGER_IS_BETTER = 0.1  # a period below the range must be this much clearer than the one found,
# because a signal with a period in the range also repeats after every multiple of it
SHORTER_IS_AS_GOOD = 0.95  # a period above the range needs only this share of the clearness,
# because the period found may be a multiple of it
MAX_CHECKED_FRAMES = 500  # limits time and memory
CLIPPED_SHARE = 1e-3  # share of the samples
# Relative to full scale; in quieter files, 16-bit steps also make neighbouring samples equal.
CLIPPING_PEAK = 0.1


def audible_frames(features: Features, config: DataConfig) -> npt.NDArray[np.bool_]:
    """Marks the frames less than ``silence_db`` below the loudest one, shape [n_frames]."""
    return np.asarray(features.loudness_db >= features.loudness_db.max() - config.silence_db)


def warn_of_issues(path: Path, audio: Floats, features: Features, config: DataConfig) -> list[str]:
    """Prints the issues of a recording, if any, as one line on stderr, and returns them.

    See `find_issues` for the arguments.
    """
    issues = find_issues(path, audio, features, config)
    if issues:
        tqdm.write(f"warning: {path}: {'; '.join(issues)}", file=sys.stderr)
    return issues


def find_issues(path: Path, audio: Floats, features: Features, config: DataConfig) -> list[str]:
    """Describes the issues of a recording, in a few words each.

    Args:
        path: The recording; only the file itself shows clipping.
        audio: The recording, loaded at 16 kHz, shape [n].
        features: Features of `audio`.
        config: Pitch range, and thresholds for audible and confident frames.

    Returns:
        An empty list if there is none.
    """
    audible = audible_frames(features, config)
    confidence = float(features.confidence[audible].mean())
    below, above = out_of_range_shares(audio, features, config)
    clipped = clipped_share(path)
    issues = []
    if confidence < config.confidence_threshold:
        issues.append(
            f"mean confidence {confidence:.2f}, less than {config.confidence_threshold:g}: several "
            "notes at once, noise, or a pitch out of range"
        )
    if below > OUT_OF_RANGE_SHARE:
        issues.append(
            f"{100 * below:.0f} % repeats slower than {config.f0_min_hz:g} Hz, the lowest pitch "
            "looked for: lower notes, or a chord"
        )
    if above > OUT_OF_RANGE_SHARE:
        issues.append(
            f"{100 * above:.0f} % lies above {config.f0_max_hz:g} Hz, the highest pitch looked for"
        )
    if clipped > CLIPPED_SHARE:
        issues.append(f"{100 * clipped:.1f} % of its samples are clipped")
    return issues


def out_of_range_shares(
    audio: Floats, features: Features, config: DataConfig
) -> tuple[float, float]:
    """Returns the shares of audible frames that a pitch out of range explains better.

    Args:
        audio: Samples at 16 kHz, shape [n], at least 1024.
        features: Features of `audio`, extracted within the range.
        config: The pitch range; pitches outside it are looked for from 47 Hz to 4 kHz.

    Returns:
        The share below the range, and the share above it.
    """
    frames = np.flatnonzero(audible_frames(features, config))
    frames = frames[:: -(-len(frames) // MAX_CHECKED_FRAMES)]
    lags = np.arange(int(LAGS_PER_SECOND / HIGHEST_HZ), int(LAGS_PER_SECOND / LOWEST_HZ) + 1)
    curve = periodicity(pitch_windows(audio, frames), lags, high_pass_hz=LOWEST_HZ / 2)
    peaks = np.where(local_maxima(curve), curve[:, 1:-1], 0.0)
    f0_hz = LAGS_PER_SECOND / lags[1:-1]
    confidence = features.confidence[frames]
    lower = peaks.max(axis=1, initial=0.0, where=f0_hz < config.f0_min_hz)
    higher = peaks.max(axis=1, initial=0.0, where=f0_hz > config.f0_max_hz)
    below = lower > np.maximum(CLEAR, confidence + LONGER_IS_BETTER)
    above = higher > np.maximum(CLEAR, SHORTER_IS_AS_GOOD * confidence)
    return float(below.mean()), float(above.mean())


def clipped_share(path: Path) -> float:
    """Returns the share of a file's samples that are clipped: at a peak, three or more in a row.

    The peaks are the highest and the lowest value of the file, because the level may have been
    turned down after the clipping. Lossy formats and resampling remove the rows of equal samples.
    """
    samples = sf.read(path, dtype="float32", always_2d=True)[0]
    highest, lowest = samples.max(axis=0), samples.min(axis=0)
    if max(highest.max(), -lowest.min()) < CLIPPING_PEAK:
        return 0.0
    clipped = np.zeros(samples.shape, bool)
    for at_peak in (samples == highest, samples == lowest):
        middle = at_peak[:-2] & at_peak[1:-1] & at_peak[2:]
        for shift in range(3):
            clipped[shift : len(samples) - 2 + shift] |= middle
    return float(clipped.mean())
