"""The decoder: a causal convolutional network from pitch and loudness to six logits per frame.

Its layers are those of `pipeline.model.topology` (Caspe et al., "DDX7", ISMIR 2022, section 3.2).
The full network has 5 blocks of 128 channels and 398 604 parameters, the reduced one (Giudici et
al., "Distilling DDSP", JAES 2025) has 3 blocks of 64 channels and 51 596.
"""

from typing import Any

import keras

from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology

Tensor = Any


def build_tcn(
    config: TcnConfig, *, initial_logit: float = -5.0, dropout: float = 0.0, seed: int = 0
) -> keras.Model:
    """Builds the decoder network.

    Args:
        config: Number of blocks, channels, kernel size.
        initial_logit: Mean of the untrained network's logits.
        dropout: Share of activations dropped after each ReLU in training.
        seed: Seed of the initial weights and of the dropout.

    Returns:
        Model from scaled features, shape [batch, n_frames, 2], to logits, shape [batch, n_frames,
        6].
    """
    seeds = iter(range(seed * 1000, (seed + 1) * 1000))
    layers = topology(config)
    outputs = {layer.sum.addend for layer in layers if layer.sum and layer.sum.name == LOGITS}

    def conv(layer: LayerSpec) -> keras.layers.Conv1D:
        uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=next(seeds))
        bias = initial_logit if layer.name in outputs else 0.0
        return keras.layers.Conv1D(
            layer.out_channels,
            layer.taps,
            padding="causal",
            dilation_rate=layer.dilation,
            kernel_initializer=uniform,
            bias_initializer=keras.initializers.Constant(bias),
            name=layer.name,
        )

    def activate(x: Tensor) -> Tensor:
        x = keras.layers.ReLU()(x)
        return keras.layers.Dropout(dropout, seed=next(seeds))(x) if dropout else x

    values: dict[str, Tensor] = {FRAME: keras.Input((None, config.n_inputs), name="features")}
    for layer in layers:
        x = conv(layer)(values[layer.source])
        values[layer.name] = activate(x) if layer.relu else x
        if layer.sum:
            addends = [values[layer.sum.addend], values[layer.name]]
            values[layer.sum.name] = keras.layers.Add()(addends)
    return keras.Model(values[FRAME], values[LOGITS], name="tcn")
