"""The gate is open to the bit above its range, and digital zero at the floor."""

import keras
import numpy as np
import pytest
from support.small_run import TCN

from pipeline.core.constants import GATE_OPEN_DB, MAX_LEVEL, MIN_LOUDNESS_DB
from pipeline.core.instrument_config import TrainConfig
from pipeline.core.runs import RunConfig
from pipeline.model.ddx7 import Ddx7
from pipeline.model.gate import loudness_gate
from pipeline.model.inputs import scale_features
from pipeline.model.noise import UNTRAINED, NoiseParameters
from pipeline.reference.frame import gate_levels, gate_q10

LOUDNESS_DB = np.linspace(MIN_LOUDNESS_DB, 0, 1601, dtype=np.float32)


def gate() -> np.ndarray:
    scaled = scale_features(np.full(len(LOUDNESS_DB), 440.0), LOUDNESS_DB)
    return keras.ops.convert_to_numpy(loudness_gate(scaled[None]))[0, :, 0]


def test_gate_falls_from_one_to_zero_linearly_in_decibels():
    expected = np.clip((LOUDNESS_DB - MIN_LOUDNESS_DB) / (GATE_OPEN_DB - MIN_LOUDNESS_DB), 0, 1)
    np.testing.assert_allclose(gate(), expected, atol=1e-6)
    assert gate()[0] == 0 and (gate()[LOUDNESS_DB >= GATE_OPEN_DB] == 1).all()


def test_gate_of_the_device_is_that_of_training():
    found = gate_q10(LOUDNESS_DB)
    assert np.abs(found / 1024 - gate()).max() <= 1 / 1024
    assert found[0] == 0 and (found[LOUDNESS_DB >= GATE_OPEN_DB] == 1024).all()
    levels = np.full((len(LOUDNESS_DB), 6), 123_456_789, np.int32)
    gated = gate_levels(levels, LOUDNESS_DB)
    assert (gated[0] == 0).all() and (np.diff(gated, axis=0) >= 0).all()
    assert (gated[LOUDNESS_DB >= GATE_OPEN_DB] == 123_456_789).all()


def test_device_plays_every_level_that_training_makes_audible():
    """Else their error in dB would be infinite. Levels below -60 dB re the largest do not count."""
    loudness_db = np.linspace(MIN_LOUDNESS_DB, MIN_LOUDNESS_DB + 0.1, 2000, dtype=np.float32)
    scaled = scale_features(np.full(len(loudness_db), 440.0), loudness_db)
    levels = np.full((len(loudness_db), 6), MAX_LEVEL * 2**32, np.int32)
    gated = gate_levels(levels, loudness_db)
    is_audible = keras.ops.convert_to_numpy(loudness_gate(scaled[None]))[0] > 1e-3
    assert 0.9 < is_audible.mean() < 1 and (gated[is_audible[:, 0]] > 0).all()


@pytest.fixture(scope="module")
def model() -> Ddx7:
    """An untrained model: it plays at every loudness, and so does its noise."""
    model = Ddx7(RunConfig("flute", "flute", "reduced_cd", TCN, TrainConfig()))
    model.noise.set_parameters(NoiseParameters(UNTRAINED.colour + 2.0, 0 * UNTRAINED.slopes))
    return model


def test_rendering_is_zero_where_the_loudness_is_at_the_floor(model):
    loudness_db = np.repeat([[-20.0, -80.0, -75.9, -78.0, -80.0]], 10, axis=1).reshape(1, -1)
    rendered = model.render(np.full((1, 50), 440.0), loudness_db)
    peaks = np.abs(rendered["dry"].reshape(5, 10, 64)).max(axis=2)
    assert (peaks[[1, 4], 1:] == 0).all() and peaks[:4:2].min() > 1e-3
    assert (rendered["levels"][0, 10:20] == 0).all()
    logits = rendered["logits"][0]
    above = loudness_db[0] > GATE_OPEN_DB
    plain = keras.ops.convert_to_numpy(MAX_LEVEL * keras.ops.sigmoid(logits))
    np.testing.assert_array_equal(rendered["levels"][0, above], plain[above])
    np.testing.assert_allclose(rendered["levels"][0, 30:40], 0.5 * plain[30:40], rtol=1e-5)


def test_nothing_is_learnt_from_silence(model):
    """Levels at the floor have no gradient, whatever their loss is."""
    import tensorflow as tf

    inputs = model.prepare(np.full((1, 20), 440.0), np.full((1, 20), -80.0))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.math.log(model.decode(inputs)[1] + 1e-3))
    gradients = tape.gradient(loss, model.tcn.trainable_variables)
    assert all(np.abs(gradient).max() == 0 for gradient in gradients)
