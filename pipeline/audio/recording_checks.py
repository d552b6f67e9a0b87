"""Checks recordings for an unclear pitch, a pitch out of range, and a damaged or disturbed sound.

A recording with such issues is used anyway, because its owner may know better, unless most of it
lies above the search range: a high note also repeats after twice its period, and would be learnt an
octave too low. A warning reports the issues, so that a voice over the music or a wrong folder is
noticed before a model is trained.

Measured on 54 excerpts of URMP and on rendered phrases of the four instruments: the mean confidence
is at least 0.84, except for two trumpets (0.76 in noise, 0.01 in a pause). Chords have 0.3 to 0.8,
a tone in white noise of half its power 0.68. At most 3.4 % of their frames appear to lie below the
pitch range and 4.4 % above it (9.4 % for the noisy trumpet); for tones out of range, all do.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from pipeline.audio import file_facts
from pipeline.audio.autocorrelation import (
    LAGS_PER_SECOND,
    LOWEST_HZ,
    PITCH_WINDOW,
    periods,
    pitch_windows,
)
from pipeline.audio.features import Doubles, Features, Floats
from pipeline.audio.file_facts import FileFacts
from pipeline.audio.inspection_levels import Hum, find_hum
from pipeline.audio.issue_log import Issue
from pipeline.audio.pcm import Pcm, from_pcm
from pipeline.core.constants import FRAME_RATE, SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig

OUT_OF_RANGE_SHARE = 0.2  # share of the audible frames
MOSTLY = 0.5  # share of the audible frames
CLEAR = 0.8  # periodicity from which a pitch counts
LONGER_IS_BETTER = 0.1  # a period below the range must be this much clearer than the one found,
# because a signal with a period in the range also repeats after every multiple of it
SHORTER_IS_AS_GOOD = 0.95  # a period above the range needs only this share of the clearness,
# because the period found may be a multiple of it
HIGHEST_SEEN_HZ = 6400.0  # above what can be tracked, so that the reason is found
LOW_PARTIALS = 0.01  # share of the power
# Below the strongest partial: the fundamental of soft high notes of a trumpet lies 21 to 39 dB
# below it, the lower register that sounds on where a flute overblows, 30 to 40 dB.
MISSING_DB = 30.0
MAX_CHECKED_FRAMES = 500  # limits time and memory
MIN_PITCH_FRAMES = 5
CLIPPED_SHARE = 1e-3  # share of the samples
LOUD_HUM_DB = -60.0  # a softer hum is inaudible beside an instrument
LOST_SHARE = 0.01  # of a file's announced length; some formats only estimate it

UNCLEAR = "unclear pitch: several notes at once, noise, or a pitch out of range"
BELOW = "lower than the pitches looked for, or a chord"
ABOVE = "higher than the pitches looked for"
CLIPPED = "clipped samples"
ONE_SIDED = "silent channels, which are left out"
OPPOSED = "channels that cancel each other, of which the loudest is used"
OFFSET = "DC offset, which is removed"
HUM = "mains hum"
DAMAGED = "a damaged file, of which the beginning is used"


@dataclass(frozen=True)
class OutOfRange:
    """What a recording has below or above the search range of the pitch tracker.

    Attributes:
        share: Share of the audible frames that a pitch out of range explains better.
        nearest_hz: The pitch nearest to the range, without the last 5 % of these frames; None
            without any, and for chords, which repeat slower than any of their notes.
        farthest_hz: The pitch farthest out, likewise.
    """

    share: float
    nearest_hz: float | None = None
    farthest_hz: float | None = None


@dataclass(frozen=True)
class Checks:
    """What was measured on a recording to find its issues.

    Attributes:
        file: What the file itself shows.
        sounding_seconds: Duration of the audible frames.
        confidence: Mean confidence of the audible frames.
        pitch_hz: Median pitch of the audible and clear frames; None if there are hardly any.
        below: What lies below the search range.
        above: What lies above it.
        hum: Mains hum, None without.
    """

    file: FileFacts
    sounding_seconds: float
    confidence: float
    pitch_hz: float | None
    below: OutOfRange
    above: OutOfRange
    hum: Hum | None

    @property
    def is_mostly_above(self) -> bool:
        """Whether most of it is too high, so that the pitch found is a fraction of the true one."""
        return self.above.share > MOSTLY


def audible_frames(features: Features, config: DataConfig) -> npt.NDArray[np.bool_]:
    """Marks the frames less than ``silence_db`` below the loudest one, shape [n_frames]."""
    return np.asarray(features.loudness_db >= features.loudness_db.max() - config.silence_db)


def check_recording(audio: Pcm, features: Features, facts: FileFacts, config: DataConfig) -> Checks:
    """Measures a recording to find its issues.

    Args:
        audio: The recording at 16 kHz, shape [n], at least 1024 samples.
        features: Features of `audio`, extracted within the range.
        facts: What its file shows.
        config: Pitch range, and thresholds for audible and confident frames.
    """
    audible = audible_frames(features, config)
    clear = audible & (features.confidence >= config.confidence_threshold)
    below, above = find_out_of_range(audio, features, config)
    return Checks(
        file=facts,
        sounding_seconds=float(audible.sum() / FRAME_RATE),
        confidence=float(features.confidence[audible].mean()),
        pitch_hz=float(np.median(features.f0_hz[clear]))
        if clear.sum() >= MIN_PITCH_FRAMES
        else None,
        below=below,
        above=above,
        hum=find_hum(audio),
    )


def find_issues(checks: Checks, config: DataConfig) -> list[Issue]:
    """Names the issues of a recording, its file's included; an empty list if there are none."""
    below, above, hum = checks.below, checks.above, checks.hum
    percent_below = f"{100 * below.share:.0f} % repeats slower than {config.f0_min_hz:g} Hz"
    percent_above = f"{100 * above.share:.0f} % lies above {config.f0_max_hz:g} Hz"
    found = (
        (
            checks.confidence < config.confidence_threshold,
            Issue(UNCLEAR, f"mean confidence {checks.confidence:.2f}"),
        ),
        (below.share > OUT_OF_RANGE_SHARE, Issue(BELOW, percent_below)),
        (above.share > OUT_OF_RANGE_SHARE, Issue(ABOVE, percent_above)),
        (
            hum is not None and hum.level_db > LOUD_HUM_DB,
            Issue(HUM, f"{hum.mains_hz} Hz at {hum.level_db:.0f} dBFS" if hum else ""),
        ),
    )
    return [issue for applies, issue in found if applies] + find_file_issues(checks.file)


def find_file_issues(file: FileFacts) -> list[Issue]:
    """Names the issues that a file itself shows, and what was mended when it was loaded."""
    left_out = file.channels - len(file.used)
    there = file.n_samples / max(file.n_samples + file.n_lost, 1)
    found = (
        (
            file.clipped_share > CLIPPED_SHARE,
            Issue(CLIPPED, f"{100 * file.clipped_share:.1f} % of its samples are clipped"),
        ),
        (
            file.choice == file_facts.WITH_SOUND,
            Issue(ONE_SIDED, f"{left_out} of {file.channels}"),
        ),
        (file.choice == file_facts.LOUDEST, Issue(OPPOSED, f"channel {file.used[0] + 1}")),
        (file.removes_offset, Issue(OFFSET, f"{100 * file.offset:.1f} % of full scale")),
        (1 - there > LOST_SHARE, Issue(DAMAGED, f"{100 * there:.0f} % of its length")),
    )
    return [issue for applies, issue in found if applies]


def find_out_of_range(
    audio: Pcm, features: Features, config: DataConfig
) -> tuple[OutOfRange, OutOfRange]:
    """Finds the audible frames that a pitch out of range explains better.

    Args:
        audio: Samples at 16 kHz, shape [n], at least 1024.
        features: Features of `audio`, extracted within the range.
        config: The pitch range; pitches outside it are looked for from 47 Hz to 6.4 kHz.

    Returns:
        What lies below the range, and what lies above it.
    """
    frames = np.flatnonzero(audible_frames(features, config))
    frames = frames[:: -(-len(frames) // MAX_CHECKED_FRAMES)]
    lags = np.arange(
        int(LAGS_PER_SECOND / HIGHEST_SEEN_HZ) - 1, int(LAGS_PER_SECOND / LOWEST_HZ) + 1
    )
    windows = from_pcm(pitch_windows(audio, frames))
    _, peaks = periods(windows, lags)
    f0_hz = LAGS_PER_SECOND / lags[1:-1]
    confidence = features.confidence[frames]
    lower = np.where(f0_hz < config.f0_min_hz, peaks, 0.0)
    higher = np.where(f0_hz > config.f0_max_hz, peaks, 0.0)
    is_below = lower.max(axis=1) > np.maximum(CLEAR, confidence + LONGER_IS_BETTER)
    is_above = higher.max(axis=1) > np.maximum(CLEAR, SHORTER_IS_AS_GOOD * confidence)
    power = np.abs(np.fft.rfft(windows * get_window("hann", PITCH_WINDOW))) ** 2
    is_above &= ~_has_fundamental(power, features.f0_hz[frames])
    below = _out_of_range(is_below, lower, f0_hz, percentiles=(95, 5))
    if below.farthest_hz and not _has_low_partials(power[is_below], below.farthest_hz):
        below = OutOfRange(below.share)
    return below, _out_of_range(is_above, higher, f0_hz, percentiles=(5, 95))


def _has_fundamental(power: Doubles, f0_hz: Floats) -> npt.NDArray[np.bool_]:
    """Whether the pitch that was found sounds itself, so that it is no fraction of a higher one.

    Args:
        power: Power spectra, shape [n_frames, n_bins].
        f0_hz: The pitch, shape [n_frames].

    Returns:
        Shape [n_frames].
    """
    bins = np.round(f0_hz / SAMPLE_RATE * PITCH_WINDOW).astype(int)[:, None] + np.arange(-1, 2)
    fundamental = np.take_along_axis(power, bins, axis=1).max(axis=1)
    return np.asarray(fundamental > 10 ** (-MISSING_DB / 10) * power.max(axis=1))


def _has_low_partials(power: Doubles, f0_hz: float) -> bool:
    """Whether most spectra have one of the lowest three partials of a pitch, as single notes do.

    The partials of a chord begin higher: its lowest note is a multiple of what it repeats at.

    Args:
        power: Power spectra, shape [n, n_bins].
        f0_hz: The pitch.
    """
    partial = np.fft.rfftfreq(PITCH_WINDOW, 1 / SAMPLE_RATE) / f0_hz
    low = power[:, (partial > 0.5) & (partial < 3.5)].sum(axis=1)
    return bool(np.median(low / np.maximum(power.sum(axis=1), 1e-12)) > LOW_PARTIALS)


def _out_of_range(
    is_out: npt.NDArray[np.bool_],
    peaks: npt.NDArray[np.float64],
    f0_hz: npt.NDArray[np.float64],
    *,
    percentiles: tuple[float, float],
) -> OutOfRange:
    """Describes the frames out of range by the shortest period that explains each of them."""
    if not is_out.any():
        return OutOfRange(0.0)
    chosen = peaks[is_out]
    # Lags ascend, so the first peak that is nearly as high as the highest has the shortest period.
    first = (chosen >= SHORTER_IS_AS_GOOD * chosen.max(axis=1, keepdims=True)).argmax(axis=1)
    nearest_hz, farthest_hz = np.percentile(f0_hz[first], percentiles)
    return OutOfRange(float(is_out.mean()), float(nearest_hz), float(farthest_hz))
