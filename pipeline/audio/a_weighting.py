"""A-weighting as digital filters."""

import librosa
import numpy as np
from scipy import optimize, signal

from pipeline.core.constants import SAMPLE_RATE

POLES_HZ = (20.598997, 107.65265, 737.86223)  # of A-weighting, IEC 61672-1; 12.2 kHz is fitted


def weighting_sections() -> np.ndarray:
    """Designs A-weighting at 16 kHz: two high-pass sections by the bilinear transform, and a rest.

    The poles at 12.2 kHz lie beyond the band, where that transform fails, so the third section is
    fitted to what is missing from 20 Hz to 7.9 kHz (error at most 0.1 dB, rms 0.013 dB).

    Returns:
        float64, shape [3, 5]: b0, b1, b2, -a1, -a2.
    """
    frequencies_hz = np.geomspace(20, 7900, 600)
    turns = 2 * np.pi * frequencies_hz / SAMPLE_RATE

    def gain_db(section: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return 20 * np.log10(np.abs(signal.freqz(*section, worN=turns)[1]))

    def high_pass(upper_hz: float) -> tuple[np.ndarray, np.ndarray]:
        poles = np.poly([-2 * np.pi * POLES_HZ[0], -2 * np.pi * upper_hz])
        return signal.bilinear([1, 0, 0], poles, SAMPLE_RATE)

    def rest(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        zero_a, zero_b, pole_a, pole_b, gain = parameters
        return gain * np.poly([zero_a, zero_b]), np.poly([pole_a, pole_b])

    sections = [high_pass(POLES_HZ[1]), high_pass(POLES_HZ[2])]
    missing_db = librosa.A_weighting(frequencies_hz, min_db=None) - sum(map(gain_db, sections))
    fitted = optimize.least_squares(
        lambda parameters: gain_db(rest(parameters)) - missing_db,
        [-0.5, 0.1, 0.05, -0.1, 1.0],
        bounds=([-0.99] * 4 + [0.1], [0.99] * 4 + [3.0]),
    )
    sections.append(rest(fitted.x))
    return np.array([[*b, *-a[1:]] for b, a in sections])
