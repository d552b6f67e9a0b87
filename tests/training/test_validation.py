"""Recordings and sources count equally in the figures of a validation."""

import numpy as np
import pytest
from support.tone_dataset import settings

from pipeline.core.constants import TEST
from pipeline.model.ddx7 import Ddx7
from pipeline.training.validation import validate


def test_recordings_of_a_source_and_sources_count_equally_in_the_validation():
    class Measured:
        def distances(self, clips):
            return np.arange(5.0) * 100 + clips[:, None]

    facts = {
        "split": np.array([0, 1, 1, 0, 1, 1, 1, 2], np.uint8),
        "recording": np.array(["a", "b", "c", "d", "b", "e", "f", "g"]),
        "source": np.array(["x", "x", "x", "x", "x", "y", "z", "y"]),
        "real": np.array([True, True, True, True, True, True, False, True]),
    }
    row = validate(Measured(), facts)
    of_x = np.mean([(1 + 4) / 2, 2])
    assert row["sources"]["x"]["mss"] == pytest.approx(of_x)
    assert row["sources"]["y"] == {
        name: pytest.approx(5 + 100 * i)
        for i, name in enumerate(("mss", "dry", "loudness_db", "dry_loudness_db", "sound"))
    }
    assert row["real_sound"] == pytest.approx(400 + (of_x + 5) / 2)
    assert row["rendered"] == pytest.approx(6)
    assert validate(Measured(), facts, TEST)["real"] == pytest.approx(7)
    assert validate(Measured(), {**facts, "split": np.zeros(8)}) == {}


def test_model_that_learns_from_live_features_is_validated_with_them_too(live_dataset):
    class Measured:
        model = Ddx7(settings())

        def distances(self, clips):
            return np.arange(5.0) * 100 + clips[:, None]

    row = validate(Measured(), live_dataset, TEST - 1)
    valid = np.flatnonzero(live_dataset["split"] == 1)
    assert row["real_sound"] == 400 + valid[live_dataset["real"][valid]].mean()
    assert row["real_live_sound"] == row["real_sound"] + 6
    assert row["sources"]["rendered"]["live"] == row["sources"]["rendered"]["mss"] + 6
    Measured.model = Ddx7(settings(live_share=0.0))
    assert "real_live_sound" not in validate(Measured(), live_dataset)
