"""Measures the partials of frames: the amplitudes of a tone at multiples of its pitch."""

import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from pipeline.audio.autocorrelation import pitch_windows
from pipeline.audio.pcm import Pcm, from_pcm
from pipeline.core.constants import SAMPLE_RATE

Floats = npt.NDArray[np.float32]
N_FFT = 4096  # zero-padded, so that peaks are found between bins
HIGHEST_HZ = 7000.0  # partials above it are not measured
TRACKING_ERROR = 0.004  # of the tracked pitch, relative
MAIN_LOBE_HZ = 8.0  # to either side, in which the peak of a partial is looked for
BATCH_FRAMES = 200  # limits the memory


def measure_partials(
    audio: Pcm, frames: npt.NDArray[np.int64], f0_hz: Floats, n_partials: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Measures the partials of frames in windows of the pitch tracker.

    Args:
        audio: Samples at 16 kHz, shape [n].
        frames: Numbers of the frames, shape [n_frames].
        f0_hz: Their pitch in Hz, same shape.
        n_partials: Number of partials.

    Returns:
        The amplitudes, shape [n_frames, n_partials], and whether each partial lies below
        `HIGHEST_HZ`.
    """
    amplitudes = np.zeros((len(frames), n_partials), np.float32)
    centres_hz = f0_hz[:, None] * np.arange(1, n_partials + 1)
    known = centres_hz < HIGHEST_HZ
    bin_hz = SAMPLE_RATE / N_FFT
    reach = np.maximum(TRACKING_ERROR * centres_hz, MAIN_LOBE_HZ)
    first = np.maximum(np.floor((centres_hz - reach) / bin_hz), 1).astype(int)
    last = np.ceil((centres_hz + reach) / bin_hz).astype(int)
    for start in range(0, len(frames), BATCH_FRAMES):
        batch = slice(start, start + BATCH_FRAMES)
        windows = from_pcm(pitch_windows(audio, frames[batch]))
        window = get_window("hann", windows.shape[1])
        spectra = np.abs(np.fft.rfft(windows * window, N_FFT)) * (2 / window.sum())
        for row, spectrum in enumerate(spectra, start):
            for partial in np.flatnonzero(known[row]):
                peak = spectrum[first[row, partial] : last[row, partial] + 1].max()
                amplitudes[row, partial] = peak
    return amplitudes, known
