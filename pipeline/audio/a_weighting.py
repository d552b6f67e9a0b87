"""A-weighting (IEC 61672-1), as a curve in dB and as digital filters."""

import numpy as np
import numpy.typing as npt
from scipy import optimize, signal

from pipeline.core.constants import SAMPLE_RATE

POLES_HZ = (20.598997, 107.65265, 737.86223)  # the fourth pole, at 12.2 kHz, is fitted
_CURVE_HZ = (12194.217, *POLES_HZ)  # the values of librosa.A_weighting

Floats = npt.NDArray[np.floating]
Section = tuple[Floats, Floats]  # numerator, denominator


def a_weighting_db(frequencies_hz: npt.ArrayLike) -> Floats:
    """Returns the A-weighting at frequencies above 0 Hz, in dB, 0 at 1 kHz."""
    squared = np.asarray(frequencies_hz, np.float64) ** 2.0
    poles = np.array(_CURVE_HZ) ** 2.0
    # The operations are in librosa's order, so that loudness equals librosa's bit for bit.
    weights: Floats = 2.0 + 20.0 * (
        np.log10(poles[0])
        + 2 * np.log10(squared)
        - np.log10(squared + poles[0])
        - np.log10(squared + poles[1])
        - 0.5 * np.log10(squared + poles[2])
        - 0.5 * np.log10(squared + poles[3])
    )
    return weights


def weighting_sections() -> Floats:
    """Designs A-weighting at 16 kHz as three second-order sections.

    Two are high-pass sections by the bilinear transform. That transform fails for the poles at 12.2
    kHz, which lie above half the sample rate, so the third section is fitted to the remaining
    response from 20 Hz to 7.9 kHz (error at most 0.1 dB, rms 0.013 dB).

    Returns:
        float64, shape [3, 5]: b0, b1, b2, -a1, -a2.
    """
    frequencies_hz = np.geomspace(20, 7900, 600)
    angles = 2 * np.pi * frequencies_hz / SAMPLE_RATE

    def gain_db(section: Section) -> Floats:
        response = signal.freqz(*section, worN=angles)[1]
        return np.asarray(20 * np.log10(np.abs(response)))

    def high_pass(upper_hz: float) -> Section:
        poles = np.poly([-2 * np.pi * POLES_HZ[0], -2 * np.pi * upper_hz])
        numerator, denominator = signal.bilinear([1, 0, 0], poles, SAMPLE_RATE)
        return np.asarray(numerator), np.asarray(denominator)

    def third(parameters: Floats) -> Section:
        zero_a, zero_b, pole_a, pole_b, gain = parameters
        return gain * np.poly([zero_a, zero_b]), np.poly([pole_a, pole_b])

    sections = [high_pass(POLES_HZ[1]), high_pass(POLES_HZ[2])]
    missing_db = a_weighting_db(frequencies_hz) - sum(map(gain_db, sections))
    fitted = optimize.least_squares(
        lambda parameters: gain_db(third(parameters)) - missing_db,
        [-0.5, 0.1, 0.05, -0.1, 1.0],
        bounds=([-0.99] * 4 + [0.1], [0.99] * 4 + [3.0]),
    )
    sections.append(third(fitted.x))
    return np.array([[*b, *-a[1:]] for b, a in sections])
