"""The interpolation filter from 16 to 48 kHz."""

import numpy as np
import numpy.typing as npt

FACTOR = 3
N_TAPS = 96
KAISER_BETA = 6.2
UNITY_Q15 = 2**15


def design_taps() -> npt.NDArray[np.int32]:
    """Designs the filter: a windowed sinc of 95 taps around tap 48; tap 0 is zero.

    Returns:
        int32, Q15, shape [96]. Phase 0 is 1 at one tap and copies the input samples. The taps of
        each other phase sum to 1; otherwise a constant would become a tone of 16 kHz.
    """
    distance = np.arange(N_TAPS) - N_TAPS // 2
    window = np.concatenate([[0.0], np.kaiser(N_TAPS - 1, KAISER_BETA)])
    phases = (np.sinc(distance / FACTOR) * window).reshape(-1, FACTOR).T  # [phase, tap]
    exact = phases * (UNITY_Q15 / phases.sum(axis=1, keepdims=True))
    taps = np.round(exact).astype(np.int32)
    for phase, wanted in zip(taps, exact, strict=True):
        missing = UNITY_Q15 - phase.sum()
        nearest = np.argsort(-np.sign(missing) * (wanted - phase))[: abs(missing)]
        phase[nearest] += np.sign(missing)
    return np.asarray(taps.T.ravel())
