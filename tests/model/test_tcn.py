"""The decoder network: its size, its causality, and the properties that streaming relies on."""

import numpy as np
import pytest
from support.networks import tcn_weights

from pipeline.core.instrument_config import (
    TcnConfig,
    TrainConfig,
    load_instrument,
    shipped_instruments,
)
from pipeline.core.patch_files import load_patch
from pipeline.core.runs import RunConfig
from pipeline.model.ddx7 import Ddx7, load_model, save_model
from pipeline.model.inputs import scale_features
from pipeline.model.tcn import build_tcn
from pipeline.quantization.weights import load_weights


@pytest.mark.parametrize(
    ("variant", "parameters", "frames"), [("full", 398_604, 125), ("reduced", 51_596, 29)]
)
def test_networks_have_the_size_of_the_paper(variant, parameters, frames):
    config = load_instrument("flute").tcn(variant)
    assert build_tcn(config).count_params() == parameters
    assert config.receptive_field == frames


@pytest.mark.parametrize("config", [TcnConfig(3, 8), TcnConfig(2, 5, kernel_size=2)])
def test_output_depends_on_exactly_its_receptive_field(config):
    network = build_tcn(config, seed=1)
    changed_frame, n_frames = 10, 60
    frames = np.random.default_rng(0).normal(size=(1, n_frames, 2)).astype(np.float32)
    changed = frames.copy()
    changed[0, changed_frame] += 1.0
    difference = np.abs(network(changed) - network(frames))[0].max(axis=-1)
    reached = np.flatnonzero(difference > 1e-9)
    assert reached[0] == changed_frame
    assert reached[-1] - reached[0] + 1 <= config.receptive_field
    assert reached[-1] - reached[0] + 1 > config.receptive_field // 2


def test_network_equals_an_explicit_sum_over_taps():
    config = TcnConfig(3, 4)
    network = build_tcn(config, seed=2)
    weights = tcn_weights(network)
    frames = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)

    def convolve(x, layer, dilation=1):
        kernel, bias = weights[layer]
        padded = np.concatenate([np.zeros(((len(kernel) - 1) * dilation, x.shape[1])), x])
        return bias + sum(padded[k * dilation :][: len(x)] @ tap for k, tap in enumerate(kernel))

    x = frames
    for block in range(3):
        hidden = np.maximum(convolve(x, f"block{block}_conv1", 2**block), 0)
        y = convolve(hidden, f"block{block}_conv2", 2**block)
        y = y if block == 2 else np.maximum(y, 0)
        x = y if block == 1 else y + convolve(x, f"block{block}_residual")
    np.testing.assert_allclose(network(frames[None])[0], x, atol=1e-5)


def test_pitch_is_scaled_by_midi_note_and_loudness_by_80_db():
    scaled = scale_features([440.0, 880.0], [0.0, -80.0])
    np.testing.assert_allclose(scaled, [[69 / 127, 1.0], [81 / 127, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("name", shipped_instruments())
def test_every_instrument_has_a_configuration_and_a_patch(name):

    config = load_instrument(name)
    assert config.instrument == name
    assert len(load_patch(config.patch).ratios) == 6


def test_saved_weights_load_for_keras_and_for_quantization(tmp_path):
    config = RunConfig("flute", "flute", "reduced", TcnConfig(3, 8), TrainConfig(dropout=0.5))
    model = Ddx7(config)
    config.save(tmp_path)
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    for saved, loaded in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(loaded, saved, rtol=2**-11, atol=2**-25)  # half precision
    read = load_weights(tmp_path / "model.weights.h5", config.tcn)
    for layer, values in tcn_weights(again.tcn).items():
        for saved, loaded in zip(values, read[layer], strict=True):
            np.testing.assert_array_equal(saved, loaded)
