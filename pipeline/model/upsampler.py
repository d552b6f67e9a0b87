"""The interpolation filter from 16 to 48 kHz."""

import numpy as np

FACTOR = 3
N_TAPS = 96
KAISER_BETA = 6.2
UNITY_Q15 = 2**15


def design_taps() -> np.ndarray:
    """Designs the filter: a windowed sinc of 95 taps around tap 48, and tap 0, which is zero.

    Returns:
        int32, Q15, shape [96]. Phase 0 is 1 at one tap and passes samples as they are; the taps of
        either other phase add up to 1, lest a constant became a tone of 16 kHz.
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
    return taps.T.ravel()
