"""The anchors of the evaluation: vocoders by linear prediction.

Every window of 50 ms becomes an all-pole filter of order 10 that an impulse train at the
recording's pitch excites at the window's level, as in the listening test of Caspe et al., "DDX7"
(ISMIR 2022). This anchor has the right pitch and loudness, and a coarse timbre. A system that does
not beat it has learnt nothing. It has no noise, however, which spectral distances punish more than
listeners do; a second anchor adds as much noise as the recording has.
"""

from collections.abc import Sequence

import librosa
import numpy as np
import numpy.typing as npt
import scipy.signal

from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

LPC_ORDER = 10
LPC_WINDOW = 800  # samples, Hann, overlapping by half
HOP = LPC_WINDOW // 2
_SILENCE = 1e-5  # windows with a lower peak stay silent
_WARM_UP = LPC_WINDOW  # samples by which each filter starts early, so that it already rings

Doubles = npt.NDArray[np.float64]


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
    return _excite(samples, [(impulse_train(f0_hz, _source_samples(samples)), None)])


def lpc_noise_anchor(
    audio: npt.ArrayLike, f0_hz: npt.ArrayLike, harmonicity: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Resynthesizes a recording by linear prediction of a tone and of noise.

    The impulses have as large a share of a window's energy as what is periodic has in the
    recording, and white noise has the rest. Both pass through the same filter.

    Args:
        audio: Samples, shape [n].
        f0_hz: Pitch of every frame in Hz, shape [ceil(n / 64)].
        harmonicity: Share of the recording that is periodic, same shape, in [0, 1]: the
            ``confidence`` of `pipeline.audio.features`.

    Returns:
        Shape [n]; tone and noise of a window together have the energy of the recording's, but for
        their chance correlation. The same noise is used for every recording.
    """
    samples = np.asarray(audio, np.float64)
    share = np.asarray(harmonicity, np.float64)
    noise = np.random.default_rng(0).normal(size=_source_samples(samples))
    impulses = impulse_train(f0_hz, len(noise))
    return _excite(samples, [(impulses, share), (noise, 1 - share)])


def _n_windows(samples: Doubles) -> int:
    return -(-len(samples) // HOP) + 1


def _source_samples(samples: Doubles) -> int:
    """Returns how many samples of an excitation the windows of some audio need."""
    return (_n_windows(samples) + 1) * HOP


def _excite(
    samples: Doubles, sources: Sequence[tuple[Doubles, Doubles | None]]
) -> npt.NDArray[np.float32]:
    """Plays excitations through the filters that predict some audio.

    Args:
        samples: The audio, shape [n].
        sources: For each excitation its samples, shape [_source_samples], and its share of the
            energy per frame; None for all of it.
    """
    window = scipy.signal.get_window("hann", LPC_WINDOW)  # periodic: overlapping halves add up to 1
    end = _n_windows(samples) * HOP
    padded = np.pad(samples, (HOP, end + HOP - len(samples)))
    excitations = [np.pad(source, (_WARM_UP + HOP, 0)) for source, _ in sources]
    output = np.zeros(len(padded))
    for start in range(0, end, HOP):
        frame = padded[start : start + LPC_WINDOW] * window
        if np.abs(frame).max() < _SILENCE:
            continue
        try:
            poles = librosa.lpc(frame, order=LPC_ORDER)
        except FloatingPointError:  # the prediction error has reached 0
            continue
        centre = min(start // HOP_SAMPLES, -(-len(samples) // HOP_SAMPLES) - 1)
        for excitation, (_, shares) in zip(excitations, sources, strict=True):
            part = excitation[start : start + _WARM_UP + LPC_WINDOW]
            voice = scipy.signal.lfilter([1.0], poles, part)[_WARM_UP:] * window
            energy = np.sum(voice**2)
            if np.isfinite(energy) and energy > 0:
                share = 1.0 if shares is None else shares[centre]
                gain = np.sqrt(share * np.sum(frame**2) / energy)
                output[start : start + LPC_WINDOW] += voice * gain
    return output[HOP : HOP + len(samples)].astype(np.float32)
