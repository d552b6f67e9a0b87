"""The network in float32 NumPy, with every intermediate value."""

import numpy as np

from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import ring_sources
from pipeline.quantization.weights import Weights


def tcn_activations(
    weights: Weights, config: TcnConfig, frames: np.ndarray
) -> dict[str, np.ndarray]:
    """Runs the float TCN over a whole stream, from cleared rings, and keeps every value.

    Args:
        weights: Weights of the network.
        config: Its shape.
        frames: Scaled features, shape [n_frames, 2].

    Returns:
        By name, each of shape [n_frames, channels]: ``frame``, ``logits``, ``block0_sum`` and, for
        every layer, what it gives after its ReLU if it has one.
    """
    values = {"frame": np.asarray(frames, np.float32)}
    last = config.n_blocks - 1

    def conv(layer: str, source: str, dilation: int, *, relu: bool) -> None:
        kernel, bias = weights[layer]
        n_past = (len(kernel) - 1) * dilation
        x = np.pad(values[source], [(n_past, 0), (0, 0)])
        y = sum(
            x[tap * dilation : len(x) - n_past + tap * dilation] @ kernel[tap]
            for tap in range(len(kernel))
        )
        values[layer] = np.maximum(y + bias, 0) if relu else y + bias

    for layer, source in ring_sources(config).items():
        block = int(layer.removeprefix("block").split("_")[0])
        conv(layer, source, 2**block, relu=layer != f"block{last}_conv2")
        if layer == "block0_conv2":
            conv("block0_residual", "frame", 1, relu=False)
            values["block0_sum"] = values[layer] + values["block0_residual"]
    conv(f"block{last}_residual", ring_sources(config)[f"block{last}_conv1"], 1, relu=False)
    values["logits"] = values[f"block{last}_conv2"] + values[f"block{last}_residual"]
    return values


def collect_values(weights: Weights, config: TcnConfig, clips: np.ndarray) -> dict[str, np.ndarray]:
    """Streams clips through the float network; returns every value by name, clips joined."""
    streams = [tcn_activations(weights, config, clip) for clip in clips]
    return {name: np.concatenate([stream[name] for stream in streams]) for name in streams[0]}
