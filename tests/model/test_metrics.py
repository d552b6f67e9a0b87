"""The error of operator levels, measured on levels and on logits."""

import numpy as np
import pytest

from pipeline.core.constants import MAX_LEVEL
from pipeline.model.metrics import level_error_db, logit_error_db


def test_level_error_is_the_same_on_levels_and_on_logits() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(-14, 6, (50, 6))  # some levels are inaudible
    estimate = reference + rng.normal(0, 0.2, reference.shape)
    levels = [MAX_LEVEL / (1 + np.exp(-logits)) for logits in (reference, estimate)]
    error_db = level_error_db(*levels)
    assert 0.5 < error_db < 2
    assert logit_error_db(reference, estimate) == pytest.approx(error_db, rel=1e-12)


def test_level_error_without_an_audible_level_is_0() -> None:
    inaudible = np.full((3, 6), -20.0)
    assert logit_error_db(inaudible, inaudible + 5) == 0
    assert level_error_db(MAX_LEVEL * np.exp(inaudible), MAX_LEVEL * np.exp(inaudible + 5)) == 0
