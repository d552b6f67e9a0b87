"""The anchor of the listening test: a vocoder by linear prediction.

Every window of 50 ms becomes an all-pole filter of order 10 that an impulse train at the
recording's pitch excites at the window's level, as in the listening test of Caspe et al., "DDX7"
(ISMIR 2022). The anchor has the right pitch and loudness, and a coarse timbre. A system that does
not beat it has learnt nothing.
"""

import librosa
import numpy as np
import numpy.typing as npt
import scipy.signal

from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

LPC_ORDER = 10
LPC_WINDOW = 800  # samples, Hann, overlapping by half
_SILENCE = 1e-5  # windows with a lower peak stay silent
_WARM_UP = LPC_WINDOW  # samples by which each filter starts early, so that it already rings


def impulse_train(f0_hz: npt.ArrayLike, n_samples: int) -> npt.NDArray[np.float64]:
    """Makes one impulse of unit area per period, with continuous phase.

    An impulse between two samples is shared by both, which keeps high pitches in tune.

    Args:
        f0_hz: Pitch of every frame in Hz, shape [n_frames].
        n_samples: Length of the train.

    Returns:
        Shape [n_samples].
    """
    pitch_hz = np.asarray(f0_hz)
    times = np.arange(n_samples + 1)
    frame_times = HOP_SAMPLES * (np.arange(len(pitch_hz)) + 1)
    turns = np.cumsum(np.interp(times, frame_times, pitch_hz)) / SAMPLE_RATE
    # A period ends between each of these samples and the next.
    before = np.flatnonzero(np.diff(np.floor(turns)))
    steps = turns[before + 1] - turns[before]
    later = (np.floor(turns[before + 1]) - turns[before]) / steps
    train = np.zeros(n_samples + 1)
    np.add.at(train, before, 1 - later)
    np.add.at(train, before + 1, later)
    return train[:n_samples]


def lpc_anchor(audio: npt.ArrayLike, f0_hz: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Resynthesizes a recording by linear prediction.

    Args:
        audio: Samples, shape [n].
        f0_hz: Pitch of every frame in Hz, shape [ceil(n / 64)].

    Returns:
        Shape [n]; every window has the energy of the recording's.
    """
    samples = np.asarray(audio, np.float64)
    hop = LPC_WINDOW // 2
    window = scipy.signal.get_window("hann", LPC_WINDOW)  # periodic: overlapping halves add up to 1
    n_windows = -(-len(samples) // hop) + 1
    padded = np.pad(samples, (hop, n_windows * hop + hop - len(samples)))
    source = np.pad(impulse_train(f0_hz, n_windows * hop + hop), (_WARM_UP + hop, 0))
    output = np.zeros(len(padded))
    for start in range(0, n_windows * hop, hop):
        frame = padded[start : start + LPC_WINDOW] * window
        if np.abs(frame).max() < _SILENCE:
            continue
        try:
            poles = librosa.lpc(frame, order=LPC_ORDER)
        except FloatingPointError:  # the prediction error has reached 0
            continue
        excitation = source[start : start + _WARM_UP + LPC_WINDOW]
        voice = scipy.signal.lfilter([1.0], poles, excitation)[_WARM_UP:] * window
        energy = np.sum(voice**2)
        if np.isfinite(energy) and energy > 0:
            output[start : start + LPC_WINDOW] += voice * np.sqrt(np.sum(frame**2) / energy)
    return output[hop : hop + len(samples)].astype(np.float32)
