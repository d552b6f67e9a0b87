"""Stretched partials: how much sharper than harmonic the partials of a stiff string are.

Partial n of a stiff string sounds at ``n f0 sqrt(1 + B n^2)``, nearly ``n f0 + n^3 (f0 B / 2)``,
where B is its inharmonicity (Fletcher, Blackham and Stratton, "Quality of piano tones", 1962). So
all partials follow from two phases: one advances by f0, the other by ``f0 B / 2``, the stretch.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import A4_HZ, A4_NOTE, SAMPLE_RATE, SEMITONES_PER_OCTAVE

PARTS_PER_OCTAVE = 4  # the stretch is a straight line within each quarter of an octave's range
MIN_KNOT_HZ, N_OCTAVES = 16, 8  # up to 4096 Hz
STRETCH_BITS = 40  # the stretch of a sample is in 2**-40 turns
MAX_INHARMONICITY = 0.03  # gives an increment of 32 bits at 4096 Hz
MAX_WEIGHT = 4096  # the stretch of partial 16

Doubles = npt.NDArray[np.float64]
Curve = Sequence[tuple[float, float]]  # MIDI notes, ascending, with the inharmonicity of each


def knots_hz() -> list[float]:
    """Returns the pitches between which the device interpolates the stretch, in Hz."""
    knots = [
        MIN_KNOT_HZ * 2.0**octave * (1 + part / PARTS_PER_OCTAVE)
        for octave in range(N_OCTAVES)
        for part in range(PARTS_PER_OCTAVE)
    ]
    return [*knots, MIN_KNOT_HZ * 2.0**N_OCTAVES]


def stretch_table(curve: Curve) -> tuple[int, ...]:
    """Returns the stretch of a sample at every pitch of `knots_hz`, in 2**-40 turns."""
    unit = 2.0**STRETCH_BITS / SAMPLE_RATE
    f0_hz = np.array(knots_hz())
    return tuple(round(stretch) for stretch in f0_hz * inharmonicity(curve, f0_hz) / 2 * unit)


def inharmonicity(curve: Curve, f0_hz: npt.ArrayLike) -> Doubles:
    """Interpolates the logarithm of the inharmonicity between notes, and holds it beyond them.

    Args:
        curve: The curve.
        f0_hz: Pitch in Hz, any shape.

    Returns:
        The inharmonicity, same shape.
    """
    note = A4_NOTE + SEMITONES_PER_OCTAVE * np.log2(np.asarray(f0_hz) / A4_HZ)
    notes, values = np.transpose(curve)
    return np.asarray(np.exp(np.interp(note, notes, np.log(values))))


def partial_hz(f0_hz: npt.ArrayLike, numbers: npt.ArrayLike, stiffness: npt.ArrayLike) -> Doubles:
    """Returns the frequencies of partials in Hz; the arguments are broadcast.

    Args:
        f0_hz: Pitch in Hz.
        numbers: Numbers of the partials, 1 for the lowest.
        stiffness: Inharmonicity; 0 for harmonic partials.
    """
    n = np.asarray(numbers, np.float64)
    return np.asarray(np.asarray(f0_hz) * n * np.sqrt(1 + np.asarray(stiffness) * n**2))


def check_stretch(weights: Sequence[int], curve: Curve) -> None:
    """Checks the weights of the operators, not all 0, and the curve.

    Raises:
        ValueError: The device cannot play them.
    """
    for weight in weights:
        if abs(weight) > MAX_WEIGHT:
            raise ValueError(f"stretch: {weight} is not from -{MAX_WEIGHT} to {MAX_WEIGHT}")
    notes = [note for note, _ in curve]
    if not curve or any(low >= high for low, high in pairwise(notes)):
        raise ValueError(
            f"inharmonicity: notes {notes}: give pairs of a MIDI note and its inharmonicity, in "
            "ascending order, such as [[36, 0.0001], [96, 0.005]]"
        )
    for note, value in curve:
        if not (0 <= note <= 127 and 0 < value <= MAX_INHARMONICITY):
            raise ValueError(
                f"inharmonicity: [{note:g}, {value:g}]: give a MIDI note from 0 to 127, and its "
                f"inharmonicity, above 0 and at most {MAX_INHARMONICITY}"
            )
