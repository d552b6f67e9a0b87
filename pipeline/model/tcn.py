"""The decoder: a causal convolutional network from pitch and loudness to six logits a frame.

Each block is two causal convolutions of the same dilation with a ReLU after each (the last block
ends without one); the dilation doubles from block to block. The first and the last block, which
change the number of channels, add a 1x1 convolution of their input (Caspe et al., "DDX7", ISMIR
2022, section 3.2). Full: 5 blocks of 128 channels, 398 604 parameters. Reduced (Giudici et al.,
"Distilling DDSP", JAES 2025): 3 of 64, 51 596.
"""

import keras
import numpy as np

from pipeline.core.instrument_config import TcnConfig

INITIAL_LOGIT = -3.0  # an untrained network plays softly and almost without modulation


def build_tcn(config: TcnConfig, *, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """Builds the decoder network.

    Args:
        config: Number of blocks, channels, kernel size.
        dropout: Share of activations dropped after each ReLU in training.
        seed: Seed of the initial weights and of the dropout.

    Returns:
        Model from scaled features, shape [batch, n_frames, 2], to logits, shape [batch, n_frames,
        6].
    """
    seeds = iter(range(seed * 1000, (seed + 1) * 1000))

    def conv(
        name: str,
        channels: int,
        *,
        dilation: int = 1,
        kernel_size: int = config.kernel_size,
        bias=0.0,
    ):
        uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=next(seeds))
        return keras.layers.Conv1D(
            channels,
            kernel_size,
            padding="causal",
            dilation_rate=dilation,
            kernel_initializer=uniform,
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
        )

    def activate(x):
        x = keras.layers.ReLU()(x)
        return keras.layers.Dropout(dropout, seed=next(seeds))(x) if dropout else x

    features = x = keras.Input((None, config.n_inputs), name="features")
    last = config.n_blocks - 1
    for block in range(config.n_blocks):
        channels = config.n_outputs if block == last else config.hidden_channels
        block_input = x
        x = activate(conv(f"block{block}_conv1", config.hidden_channels, dilation=2**block)(x))
        bias = INITIAL_LOGIT if block == last else 0.0
        x = conv(f"block{block}_conv2", channels, dilation=2**block, bias=bias)(x)
        if block != last:
            x = activate(x)
        if block in (0, last):
            residual = conv(f"block{block}_residual", channels, kernel_size=1)
            x = keras.layers.Add()([x, residual(block_input)])
    return keras.Model(features, x, name="tcn")


def tcn_weights(model: keras.Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns each convolution's kernel, shape [taps, in, out], and bias, shape [out], by name."""
    return {
        layer.name: tuple(keras.ops.convert_to_numpy(w) for w in layer.weights)
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv1D)
    }
