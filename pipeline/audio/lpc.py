"""The anchor of the listening test: what a vocoder by linear prediction makes of a recording.

Every window of 50 ms becomes an all-pole filter of order 10 that an impulse train at the
recording's pitch excites at the window's level, as in the listening test of Caspe et al., "DDX7"
(ISMIR 2022): the right pitch and loudness, a coarse timbre. A system that does not beat it has
learnt nothing.
"""

import librosa
import numpy as np
import numpy.typing as npt
import scipy.signal

from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

LPC_ORDER = 10
LPC_WINDOW = 800  # samples, Hann, overlapping by half
_SILENCE = 1e-5  # peak below which a window is left silent
_WARM_UP = (
    LPC_WINDOW  # samples by which a filter starts earlier, so that it rings when its window begins
)


def impulse_train(f0_hz: npt.NDArray, n_samples: int) -> npt.NDArray[np.float64]:
    """Makes one impulse of unit area a period, with continuous phase.

    An impulse between two samples is shared by both, which keeps high pitches in tune.

    Args:
        f0_hz: Pitch of every frame in Hz, shape [n_frames].
        n_samples: Length of the train.
    """
    times = np.arange(n_samples + 1)
    frame_times = HOP_SAMPLES * (np.arange(len(f0_hz)) + 1)
    turns = np.cumsum(np.interp(times, frame_times, f0_hz)) / SAMPLE_RATE
    before = np.flatnonzero(
        np.diff(np.floor(turns))
    )  # the period ends between this sample and the next
    steps = turns[before + 1] - turns[before]
    later = (np.floor(turns[before + 1]) - turns[before]) / steps
    train = np.zeros(n_samples + 1)
    np.add.at(train, before, 1 - later)
    np.add.at(train, before + 1, later)
    return train[:n_samples]


def lpc_anchor(audio: npt.NDArray, f0_hz: npt.NDArray) -> npt.NDArray[np.float32]:
    """Resynthesizes a recording.

    Args:
        audio: Samples, shape [n].
        f0_hz: Its pitch by frame, shape [ceil(n / 64)].

    Returns:
        Shape [n]; every window has the energy of the recording's.
    """
    hop = LPC_WINDOW // 2
    window = scipy.signal.get_window(
        "hann", LPC_WINDOW
    )  # periodic: overlapping halves add up to one
    n_windows = -(-len(audio) // hop) + 1
    padded = np.pad(np.asarray(audio, np.float64), (hop, n_windows * hop + hop - len(audio)))
    source = np.pad(impulse_train(f0_hz, n_windows * hop + hop), (_WARM_UP + hop, 0))
    output = np.zeros(len(padded))
    for start in range(0, n_windows * hop, hop):
        frame = padded[start : start + LPC_WINDOW] * window
        if np.abs(frame).max() < _SILENCE:
            continue
        try:
            poles = librosa.lpc(frame, order=LPC_ORDER)
        except FloatingPointError:  # nothing left to predict
            continue
        excitation = source[start : start + _WARM_UP + LPC_WINDOW]
        voice = scipy.signal.lfilter([1.0], poles, excitation)[_WARM_UP:] * window
        energy = np.sum(voice**2)
        if np.isfinite(energy) and energy > 0:
            output[start : start + LPC_WINDOW] += voice * np.sqrt(np.sum(frame**2) / energy)
    return output[hop : hop + len(audio)].astype(np.float32)
