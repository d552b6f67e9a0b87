"""Short-time autocorrelation, corrected for its window, as a measure of periodicity.

After Boersma ("Accurate short-term analysis of the fundamental frequency", IFA Proceedings 17,
1993): the autocorrelation of a windowed signal, divided by that of the window, is 1 at the period
of a perfectly periodic signal, whatever the period.

Every autocorrelation is also high near lag 0. In a low note with a strong fundamental, partials
ripple this slope, and the ripples are not periods. Similar to McLeod and Wyvill ("A smarter way to
find pitch", ICMC 2005), who wait for the first zero crossing, a period is looked for only once the
autocorrelation has been below a half: under hum as strong as the note, it does not reach zero.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from pipeline.audio.samples import Samples
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

PITCH_WINDOW = 1024  # samples, Hann: 64 ms, at least three periods of the lowest pitch
LOWEST_HZ = 3 * SAMPLE_RATE / PITCH_WINDOW
HIGHEST_HZ = SAMPLE_RATE / 4
OVERSAMPLING = 4  # lags per sample: the shortest period, at HIGHEST_HZ, is 16 lags
LAGS_PER_SECOND = OVERSAMPLING * SAMPLE_RATE
HALF = 0.5  # an autocorrelation that has fallen to it has left its slope at lag 0
_N_FFT = 2 * PITCH_WINDOW  # twice the window: the circular autocorrelation equals the linear one

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def pitch_windows(
    audio: Samples, frames: Indices, *, length: int = PITCH_WINDOW
) -> npt.NDArray[Any]:
    """Cuts out the samples from which the pitch of frames is measured.

    Only whole windows are used; frames near an end of the audio take the nearest one.

    Args:
        audio: Samples, shape [n]; padded with zeros if shorter than a window.
        frames: Frame numbers, shape [n_frames].
        length: Length of the windows in samples.

    Returns:
        Samples around the end of each frame's block, shape [n_frames, length].
    """
    starts = HOP_SAMPLES * (frames + 1) - length // 2
    starts = np.clip(starts, 0, max(len(audio) - length, 0))
    first, last = (int(starts.min()), int(starts.max())) if len(starts) else (0, 0)
    span = audio[first : last + length]
    missing = length - len(span)
    padded = np.pad(span, (0, missing)) if missing > 0 else span  # a copy could be long
    return np.lib.stride_tricks.sliding_window_view(padded, length)[starts - first]


def periodicity(windows: Floats, lags: Indices, *, high_pass_hz: float) -> Doubles:
    """Measures how well windows of a signal repeat after each lag.

    Args:
        windows: Samples, shape [n_frames, PITCH_WINDOW].
        lags: In units of 1 / LAGS_PER_SECOND, shape [n_lags].
        high_pass_hz: Frequencies below it are ignored.

    Returns:
        Normalized autocorrelation, 1 for a perfect repetition, shape [n_frames, n_lags]; 0 before
        it first falls below `HALF`.
    """
    window = get_window("hann", PITCH_WINDOW)
    pass_band = np.fft.rfftfreq(_N_FFT, 1 / SAMPLE_RATE) >= high_pass_hz
    power = np.abs(np.fft.rfft(windows * window, _N_FFT)) ** 2 * pass_band
    correlation = np.fft.irfft(power, OVERSAMPLING * _N_FFT)
    window_power = np.abs(np.fft.rfft(window, _N_FFT)) ** 2
    window_correlation = np.fft.irfft(window_power, OVERSAMPLING * _N_FFT)
    energy = np.maximum(correlation[:, :1], 1e-9)
    correction = window_correlation[0] / window_correlation[lags]
    has_fallen = np.logical_or.accumulate(correlation[:, : lags.max() + 1] < HALF * energy, axis=1)
    return np.asarray(correlation[:, lags] / energy * correction * has_fallen[:, lags])


def periods(windows: Floats, lags: Indices) -> tuple[Doubles, Doubles]:
    """Measures the periodicity of windows over the range of the tracker.

    Args:
        windows: Samples, shape [n_frames, PITCH_WINDOW].
        lags: In units of 1 / LAGS_PER_SECOND, shape [n_lags].

    Returns:
        The periodicity, shape [n_frames, n_lags], and the heights of its peaks without the ends, 0
        elsewhere, shape [n_frames, n_lags - 2].
    """
    curve = periodicity(windows, lags, high_pass_hz=LOWEST_HZ / 2)
    return curve, np.where(local_maxima(curve), curve[:, 1:-1], 0.0)


def local_maxima(curve: Floats) -> npt.NDArray[np.bool_]:
    """Finds the positive peaks along the last axis, without the ends; shape [..., n - 2]."""
    left, middle, right = curve[..., :-2], curve[..., 1:-1], curve[..., 2:]
    return np.asarray((middle > left) & (middle >= right) & (middle > 0))
