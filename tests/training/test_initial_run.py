"""Training starts from the weights that its profile names, whatever instrument they play."""

import dataclasses
import shutil

import numpy as np
import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import (
    TcnConfig,
    TrainConfig,
    known_instruments,
    load_instrument,
)
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import RunConfig
from pipeline.model.ddx7 import load_model
from pipeline.training import loop
from pipeline.training.initial_run import initial_run, nearest_pretrained

OWN_PATCH = {"routing": "2>1 4>3 6>5", "ratios": [1, 1, 1, 1, 1, 1]}


@pytest.fixture
def clarinet():
    """An instrument of one's own with the flute's patch."""
    return dataclasses.replace(load_instrument("flute"), instrument="clarinet")


def changed(config, name, f0_min_hz, f0_max_hz):
    data = dataclasses.replace(config.data, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz)
    return dataclasses.replace(config, instrument=name, data=data)


def test_pretrained_start_has_the_same_patch_and_shape(clarinet):
    assert nearest_pretrained(clarinet, "reduced") == MODEL_DIR / "flute" / "reduced"
    assert nearest_pretrained(dataclasses.replace(clarinet, patch=OWN_PATCH), "reduced") is None
    small = dataclasses.replace(clarinet, reduced=TcnConfig(n_blocks=2, hidden_channels=8))
    assert nearest_pretrained(small, "reduced") is None
    assert nearest_pretrained(small, "full") == MODEL_DIR / "flute" / "full"


def test_nearest_range_of_pitch_is_chosen(clarinet, tmp_path, replace):
    """Two copies of the pretrained flute pose as instruments of other ranges."""
    ranges = {"low": (60.0, 400.0), "high": (300.0, 2400.0)}
    for name in ranges:
        shutil.copytree(MODEL_DIR / "flute" / "reduced", tmp_path / name / "reduced")

    def load(name):
        low_hz, high_hz = ranges[name]
        return changed(clarinet, name, low_hz, high_hz)

    replace(paths.MODEL_DIR, tmp_path)
    replace(load_instrument, load)
    replace(known_instruments, lambda: list(ranges))
    assert nearest_pretrained(clarinet, "reduced") == tmp_path / "high" / "reduced"
    own = changed(clarinet, "clarinet", 80.0, 500.0)
    assert nearest_pretrained(own, "reduced") == tmp_path / "low" / "reduced"
    own = changed(clarinet, "high", 80.0, 500.0)  # one's own instrument of the same name
    assert nearest_pretrained(own, "reduced") == tmp_path / "high" / "reduced"


def test_start_from_the_reduced_model_needs_one(clarinet, tmp_path):
    assert initial_run("reduced", clarinet, "reduced_cd", tmp_path) is None
    (tmp_path / "reduced").mkdir()
    (tmp_path / "reduced" / "model.weights.h5").touch()
    assert initial_run("reduced", clarinet, "reduced_cd", tmp_path) == tmp_path / "reduced"
    assert initial_run("random", clarinet, "reduced_cd", tmp_path) is None


def test_warm_start_takes_network_noise_and_reverb_of_another_instrument(clarinet):
    config = RunConfig("clarinet", clarinet.patch, "reduced", clarinet.reduced, TrainConfig())
    source = MODEL_DIR / "trumpet" / "reduced"
    model = loop._initial_model(config, warm_start=source, teacher=None)
    for own, given in zip(model.weights, load_model(source).weights, strict=True):
        np.testing.assert_array_equal(own, given)
    with pytest.raises(UserError, match="full has a network of another shape"):
        loop._initial_model(config, warm_start=MODEL_DIR / "flute" / "full", teacher=None)
