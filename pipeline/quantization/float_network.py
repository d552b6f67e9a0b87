"""The network in float32 NumPy, which returns every intermediate value, rounded if asked."""

import numpy as np

from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LayerSpec, topology
from pipeline.quantization.weights import Floats, Ranges, Weights

TINY = 1e-20  # width of the range of a value that is always 0


def tcn_activations(
    weights: Weights, config: TcnConfig, frames: Floats, ranges: Ranges | None = None
) -> dict[str, Floats]:
    """Runs the float TCN over a whole stream, from cleared rings, and keeps every value.

    Args:
        weights: Weights of the network.
        config: Shape of the network.
        frames: Scaled features, shape [n_frames, 2].
        ranges: If given, every value is rounded to the 256 steps of its range, as in int8; the
            device rounds sums once more, so its values differ slightly.

    Returns:
        Every value by its name in `pipeline.model.topology`, each of shape [n_frames, channels].
    """

    def rounded(name: str, value: Floats) -> Floats:
        return value if ranges is None else round_to_range(value, *ranges[name])

    values = {FRAME: rounded(FRAME, np.asarray(frames, np.float32))}
    for layer in topology(config):
        y = _convolve(layer, values[layer.source], *weights[layer.name])
        values[layer.name] = rounded(layer.name, np.maximum(y, 0) if layer.relu else y)
        if layer.sum:
            total = values[layer.sum.addend] + values[layer.name]
            values[layer.sum.name] = rounded(layer.sum.name, total)
    return values


def round_to_range(values: Floats, low: float, high: float) -> Floats:
    """Rounds values to the 256 steps of a range that contains 0, and limits them to it."""
    step = max(high - low, TINY) / 255
    zero_point = np.round(-low / step)
    steps = np.clip(np.round(values / np.float32(step)) + zero_point, 0, 255) - zero_point
    return np.asarray(steps * step, np.float32)


def _convolve(layer: LayerSpec, x: Floats, kernel: Floats, bias: Floats) -> Floats:
    n_past = layer.n_past * layer.dilation
    x = np.pad(x, [(n_past, 0), (0, 0)])
    starts = range(0, n_past + 1, layer.dilation)
    end = len(x) - n_past
    y = sum(x[start : start + end] @ tap for start, tap in zip(starts, kernel, strict=True))
    return np.asarray(y + bias)


def collect_values(weights: Weights, config: TcnConfig, clips: Floats) -> dict[str, Floats]:
    """Streams clips through the float network; returns every value by name, over all clips."""
    streams = [tcn_activations(weights, config, clip) for clip in clips]
    return {name: np.concatenate([stream[name] for stream in streams]) for name in streams[0]}
