"""The stretch of partials: a curve over pitch, and the device's table of it."""

import numpy as np
import pytest

from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.stretch import (
    MAX_INHARMONICITY,
    inharmonicity,
    knots_hz,
    partial_hz,
    stretch_table,
)

PIANO = ((36.0, 8e-5), (48.0, 1.1e-4), (60.0, 3.3e-4), (84.0, 2.3e-3))


def test_inharmonicity_passes_through_its_points_and_is_held_beyond_them():
    for note, value in PIANO:
        assert inharmonicity(PIANO, 440 * 2 ** ((note - 69) / 12)) == pytest.approx(value)
    assert inharmonicity(PIANO, [20.0, 4000.0]) == pytest.approx([8e-5, 2.3e-3])
    between = inharmonicity(PIANO, 440 * 2 ** ((72 - 69) / 12))
    assert between == pytest.approx(np.sqrt(3.3e-4 * 2.3e-3))


def test_table_is_within_four_cents_of_a_string_at_partial_10():
    pitches = np.geomspace(40, 3000, 500)
    per_second = np.interp(pitches, knots_hz(), stretch_table(PIANO)) / 2.0**40 * SAMPLE_RATE
    found = 10 * pitches + 10**3 * per_second
    string = partial_hz(pitches, 10, inharmonicity(PIANO, pitches))
    low = pitches < 600  # higher ones have no partial 10 below 7 kHz
    assert np.abs(1200 * np.log2(found / string))[low].max() < 4


def test_largest_stretch_fits_32_bits():
    assert max(stretch_table([(60, MAX_INHARMONICITY)])) < 2**32
