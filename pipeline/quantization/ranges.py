"""Ranges of the quantized values: calibration, equalization, and what the device needs."""

import numpy as np

from pipeline.core.constants import LOGIT_RANGE
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import ring_sources
from pipeline.quantization.tflite_writer import Format
from pipeline.quantization.weights import Ranges, Weights

SMALLEST_SHARE = 1e-3  # of the largest channel: smaller ones are not made more of
LARGEST_SUM_STEP = 0.24  # of the output's
TINY = 1e-20


def plain_ranges(values: dict[str, np.ndarray]) -> Ranges:
    """Returns the ends of all values; the frame's are 0 to 1, the logits' are clamped."""
    ranges = {
        name: (min(float(value.min()), 0.0), max(float(value.max()), 0.0))
        for name, value in values.items()
    }
    low, high = ranges["logits"]
    return {
        **ranges,
        "frame": (0.0, 1.0),
        "logits": (max(low, LOGIT_RANGE[0]), min(high, LOGIT_RANGE[1])),
    }


def equalize_channels(
    weights: Weights, config: TcnConfig, values: dict[str, np.ndarray]
) -> Weights:
    """Scales the hidden channels so that rounding costs each about the same; the logits stay.

    A hidden value shares one scale among its channels, a kernel one among the inputs of an output.
    Behind a ReLU a channel may be divided by any factor above 0 if the kernels that read it are
    multiplied by it; the factor here balances its largest value against its largest weight (Nagel
    et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).

    Args:
        weights: Weights of the network.
        config: Its shape.
        values: What `collect_values` found.

    Returns:
        Weights of the same function.
    """
    weights = dict(weights)
    last = config.n_blocks - 1
    readers: dict[str, list[str]] = {}
    for layer, source in ring_sources(config).items():
        readers.setdefault(source, []).append(layer)
        if layer == f"block{last}_conv1":
            readers[source].append(f"block{last}_residual")
    del readers["frame"]
    for value, layers in readers.items():
        largest = np.abs(values[value]).max(axis=0)
        kernels = [np.abs(weights[layer][0]) for layer in layers]
        shares = [kernel / np.maximum(kernel.max(axis=(0, 1)), TINY) for kernel in kernels]
        share = np.max([each.max(axis=(0, 2)) for each in shares], axis=0)
        largest, share = (np.maximum(x, x.max() * SMALLEST_SHARE + TINY) for x in (largest, share))
        factor = np.sqrt(largest / share).astype(np.float32)
        givers = ["block0_conv2", "block0_residual"] if value == "block0_sum" else [value]
        for layer in givers:
            weights[layer] = weights[layer][0] / factor, weights[layer][1] / factor
        for layer in layers:
            weights[layer] = weights[layer][0] * factor[:, None], weights[layer][1]
    return weights


def widen_for_device(weights: Weights, ranges: Ranges, config: TcnConfig, fmt: Format) -> Ranges:
    """Widens ranges over which the device's arithmetic would not hold (see `pipeline.aot`).

    A bias counts in steps of input times kernel: where a network has hardly learnt anything, or
    heard next to nothing, its values are so small that these are too fine for its sums. And a step
    of a sum is to be less than a quarter of the output's: where a network is very sensitive to its
    input, that is too fine.

    Args:
        weights: Rounded weights.
        ranges: Of every value.
        config: Shape of the network.
        fmt: ``int8``, where `pipeline.aot` sums up to 2**23, or ``int16x8``, up to 2**31.

    Returns:
        The ranges, of which most stay as they are.
    """
    ranges, sources = dict(ranges), ring_sources(config)
    most_steps, levels = (2**22, 2**8) if fmt == "int8" else (2**30, 2**15)
    last = config.n_blocks - 1
    sources["block0_residual"] = "frame"
    sources[f"block{last}_residual"] = sources[f"block{last}_conv1"]
    for layer, value in sources.items():
        kernel, bias = weights[layer]
        step = np.maximum(np.abs(kernel).max(axis=(0, 1)) / 127, TINY)
        narrowest = float((np.abs(bias) / step).max()) * levels / most_steps
        low, high = ranges[value]
        if value != "frame":
            ranges[value] = low, max(high, narrowest)
    for layer, value in sources.items():
        step = float(np.abs(weights[layer][0]).max()) / 127
        needed = step * _extent(ranges[value], fmt) / LARGEST_SUM_STEP
        wider = max(1.0, needed / max(_extent(ranges[layer], fmt), TINY))
        low, high = ranges[layer]
        ranges[layer] = low * wider, high * wider
    return ranges


def _extent(limits: tuple[float, float], fmt: Format) -> float:
    """Returns the width of a range, or of the half that is wider where zero is in the middle."""
    low, high = limits
    return high - low if fmt == "int8" else max(-low, high)
