"""The curve of inharmonicity over pitch, from measured notes."""

import numpy as np
import pytest

from pipeline.audio.inharmonicity import StretchedNote, compare_sources, fit_curve
from pipeline.core.stretch import inharmonicity

CURVE = ((36.0, 8e-5), (60.0, 3.3e-4), (84.0, 2.3e-3))


def notes_on(curve, source, pitches, factor=1.0):
    return [
        StretchedNote(source, pitch, factor * inharmonicity(curve, 440 * 2 ** ((pitch - 69) / 12)))
        for pitch in pitches
    ]


def test_curve_follows_most_notes_and_all_sources_alike():
    pitches = np.arange(36.0, 84.5, 0.5)
    outliers = notes_on(CURVE, "a", pitches[::5], factor=20.0)
    notes = notes_on(CURVE, "a", pitches) + outliers
    for note, value in fit_curve(notes):
        expected = inharmonicity(CURVE, 440 * 2 ** ((note - 69) / 12))
        assert value == pytest.approx(expected, rel=0.05)
    # A few notes of another source weigh as much as many of the first.
    other = notes_on(CURVE, "b", pitches[::8], factor=4.0)
    between = dict(fit_curve(notes_on(CURVE, "a", pitches) + other))[60.0]
    assert 3.3e-4 * 0.9 < between < 4 * 3.3e-4 * 1.1


def test_error_of_partial_10_is_counted_by_source():
    pitches = np.arange(40.0, 90.0)
    found = compare_sources(
        notes_on(CURVE, "a", pitches) + notes_on(CURVE, "b", pitches, factor=100.0), CURVE
    )
    n_below_7_khz = int((4400 * 2 ** ((pitches - 69) / 12) <= 7000).sum())
    assert found["a"] == {"n_notes": n_below_7_khz, "median_cents": 0.0, "within_15_cents": 1.0}
    assert found["b"]["within_15_cents"] == 0.0 and found["b"]["median_cents"] > 100
