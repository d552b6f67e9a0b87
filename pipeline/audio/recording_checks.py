"""What in a recording gives reason for doubt: no clear pitch, another range of pitch, clipping.

Such a recording is used all the same, for whoever made it knows best; but that somebody talked
over it or took the wrong folder should not be found out by the sound of a model.

Measured on 54 excerpts of URMP and on rendered phrases of the four instruments: mean confidence is
at least 0.84, but for two trumpets (0.76 in noise, 0.01 in a pause); of chords it is 0.3 to 0.8, of
a tone in white noise of half its power 0.68. Of their frames at most 3.4 % seem to lie below the
range and 4.4 % above it (9.4 % of the noisy trumpet's); of tones that do lie there, all.
"""

import sys
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import soundfile as sf
from tqdm import tqdm

from pipeline.audio.features import PITCH_WINDOW, Features, Floats
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig

OUT_OF_RANGE_SHARE = 0.2  # of the audible frames
LOWEST_HZ = 3 * SAMPLE_RATE / PITCH_WINDOW  # three periods in the window, as features want it
HIGHEST_HZ = SAMPLE_RATE / 4
CLEAR = 0.8  # periodicity of a pitch that is worth naming
LONGER_IS_BETTER = 0.1  # more than a period in the range has, which a longer one may be made of
SHORTER_IS_AS_GOOD = 0.95  # of it: a tone repeats after two and three of its periods, too
N_LOOKS = 500  # frames in which another pitch is looked for, for time and memory's sake
OVERSAMPLING = 4  # of the autocorrelation: the shortest period is 16 steps
CLIPPED_SHARE = 1e-3  # of the samples
CLIPPING_PEAK = 0.1  # of full scale; below it the steps of 16 bits make rows of equal samples, too


def audible_frames(features: Features, config: DataConfig) -> npt.NDArray[np.bool_]:
    """Tells which frames are less than `silence_db` below the loudest one, shape [n_frames]."""
    return np.asarray(features.loudness_db >= features.loudness_db.max() - config.silence_db)


def warn_of_issues(path: Path, audio: Floats, features: Features, config: DataConfig) -> list[str]:
    """Prints what `find_doubts` finds, if anything, as one line on stderr, and returns it."""
    doubts = find_issues(path, audio, features, config)
    if doubts:
        tqdm.write(f"warning: {path}: {'; '.join(doubts)}", file=sys.stderr)
    return doubts


def find_issues(path: Path, audio: Floats, features: Features, config: DataConfig) -> list[str]:
    """Says in a few words each what speaks against a recording; an empty list if nothing does.

    Args:
        path: The recording, for only the file itself shows how it was clipped.
        audio: What `pipeline.features.load_audio` made of it, shape [n].
        features: And what was extracted from that.
        config: Range of pitch, and what counts as audible and as confident.
    """
    audible = audible_frames(features, config)
    confidence = float(features.confidence[audible].mean())
    below, above = out_of_range_shares(audio, features, config)
    clipped = clipped_share(path)
    doubts = []
    if confidence < config.confidence_threshold:
        doubts.append(
            f"mean confidence {confidence:.2f}, less than {config.confidence_threshold:g}: several "
            "notes at once, noise, or a pitch out of range"
        )
    if below > OUT_OF_RANGE_SHARE:
        doubts.append(
            f"{100 * below:.0f} % repeats slower than {config.f0_min_hz:g} Hz, the lowest pitch "
            "looked for: lower notes, or a chord"
        )
    if above > OUT_OF_RANGE_SHARE:
        doubts.append(
            f"{100 * above:.0f} % lies above {config.f0_max_hz:g} Hz, the highest pitch looked for"
        )
    if clipped > CLIPPED_SHARE:
        doubts.append(f"{100 * clipped:.1f} % of its samples are clipped")
    return doubts


def out_of_range_shares(
    audio: Floats, features: Features, config: DataConfig
) -> tuple[float, float]:
    """Returns the shares of audible frames that are explained better by a pitch out of range.

    Args:
        audio: Samples at 16 kHz, shape [n], at least 1024.
        features: Extracted from them within the range.
        config: Its limits, beyond which is looked from 47 Hz to 4 kHz.

    Returns:
        Below the range, and above it.
    """
    frames = np.flatnonzero(audible_frames(features, config))
    frames = frames[:: -(-len(frames) // N_LOOKS)]
    n_fft, n_steps = 2 * PITCH_WINDOW, 2 * PITCH_WINDOW * OVERSAMPLING
    window = librosa.filters.get_window("hann", PITCH_WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(audio, PITCH_WINDOW)
    starts = np.clip(HOP_SAMPLES * (frames + 1) - PITCH_WINDOW // 2, 0, len(windows) - 1)
    power = np.abs(np.fft.rfft(windows[starts] * window, n_fft)) ** 2
    power[:, np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE) < LOWEST_HZ / 2] = 0.0  # rumble
    curve = np.fft.irfft(power, n_steps)
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, n_fft)) ** 2, n_steps)

    steps_per_second = OVERSAMPLING * SAMPLE_RATE
    lags = np.arange(int(steps_per_second / HIGHEST_HZ), int(steps_per_second / LOWEST_HZ) + 1)
    energy = np.maximum(curve[:, :1], 1e-9)
    periodicity = curve[:, lags] / energy * (of_window[0] / of_window[lags])
    left, middle, right = periodicity[:, :-2], periodicity[:, 1:-1], periodicity[:, 2:]
    peaks = np.where((middle > left) & (middle >= right), middle, 0.0)
    f0_hz = steps_per_second / lags[1:-1]
    confidence = features.confidence[frames]
    lower = peaks.max(axis=1, initial=0.0, where=f0_hz < config.f0_min_hz)
    higher = peaks.max(axis=1, initial=0.0, where=f0_hz > config.f0_max_hz)
    below = lower > np.maximum(CLEAR, confidence + LONGER_IS_BETTER)
    above = higher > np.maximum(CLEAR, SHORTER_IS_AS_GOOD * confidence)
    return float(below.mean()), float(above.mean())


def clipped_share(path: Path) -> float:
    """Returns the share of a file's samples that stand in a row at its peaks, three or more.

    At the file's own highest and lowest value, for what was clipped may have been turned down
    afterwards. In lossy formats and after resampling the rows are gone.
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
