"""Ranges of the quantized values: calibration, equalization, and the limits of the device."""

import numpy as np

from pipeline.core.constants import LOGIT_RANGE, Format
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LOGITS, topology
from pipeline.quantization.weights import Floats, Ranges, Weights

SMALLEST_SHARE = 1e-3  # channels with a smaller share of the largest are scaled as if they had it
LARGEST_SUM_STEP = 0.24  # largest step of a layer's sums, in steps of the layer's output
FINEST_ADDEND = 30  # a step of an addition, in steps of its coarser addend; the device has 32
TINY = 1e-20


def plain_ranges(values: dict[str, Floats]) -> Ranges:
    """Returns the range of every value; the frame's is 0 to 1, and the logits' is clamped."""
    ranges = {
        name: (min(float(value.min()), 0.0), max(float(value.max()), 0.0))
        for name, value in values.items()
    }
    low, high = ranges[LOGITS]
    return {
        **ranges,
        FRAME: (0.0, 1.0),
        LOGITS: (max(low, LOGIT_RANGE[0]), min(high, LOGIT_RANGE[1])),
    }


def equalize_channels(weights: Weights, config: TcnConfig, values: dict[str, Floats]) -> Weights:
    """Scales the hidden channels so that rounding affects all of them about equally.

    All channels of a hidden value share one scale, and so do all inputs of a kernel's output
    channel. After a ReLU, a channel may be divided by any factor above 0 if the kernels that read
    it are multiplied by that factor. The factor here balances the channel's largest value against
    its largest weight (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
    Correction", ICCV 2019).

    Args:
        weights: Weights of the network.
        config: Shape of the network.
        values: Values of the network, from `collect_values`.

    Returns:
        Weights that compute the same function.
    """
    weights = dict(weights)
    readers: dict[str, list[str]] = {}  # value -> layers that read it
    writers: dict[str, list[str]] = {}  # value -> layers whose outputs make it up
    for layer in topology(config):
        readers.setdefault(layer.source, []).append(layer.name)
        writers[layer.name] = [layer.name]
        if layer.sum:
            writers[layer.sum.name] = [layer.sum.addend, layer.name]
    del readers[FRAME]
    for value, reading in readers.items():
        largest = np.abs(values[value]).max(axis=0)
        kernels = [np.abs(weights[name][0]) for name in reading]
        shares = [kernel / np.maximum(kernel.max(axis=(0, 1)), TINY) for kernel in kernels]
        share = np.max([each.max(axis=(0, 2)) for each in shares], axis=0)
        largest, share = (np.maximum(x, x.max() * SMALLEST_SHARE + TINY) for x in (largest, share))
        factor = np.sqrt(largest / share).astype(np.float32)
        for name in writers[value]:
            weights[name] = weights[name][0] / factor, weights[name][1] / factor
        for name in reading:
            weights[name] = weights[name][0] * factor[:, None], weights[name][1]
    return weights


def widen_for_device(weights: Weights, ranges: Ranges, config: TcnConfig, fmt: Format) -> Ranges:
    """Widens ranges for which the device's arithmetic would not be exact.

    `pipeline.emit.weight_packing` states the limits of that arithmetic. A bias counts in steps of
    input times kernel. Where a network has learnt hardly anything, or has seen hardly any sound,
    its values are so small that these steps are too fine for the sums. A step of a sum must also be
    less than a quarter of a step of the output, which is too fine if a network is very sensitive to
    its input. What is added must not be much finer than its sum.

    Args:
        weights: Rounded weights.
        ranges: Range of every value.
        config: Shape of the network.
        fmt: ``int8``, for which the device sums up to 2**23, or ``int16x8``, up to 2**31.

    Returns:
        The ranges, most of them unchanged.
    """
    ranges, layers = dict(ranges), topology(config)
    most_steps, levels = (2**22, 2**8) if fmt == "int8" else (2**30, 2**15)
    for layer in layers:
        kernel, bias = weights[layer.name]
        steps = np.maximum(np.abs(kernel).max(axis=(0, 1)) / 127, TINY)
        narrowest = float((np.abs(bias) / steps).max()) * levels / most_steps
        low, high = ranges[layer.source]
        if layer.source != FRAME:
            ranges[layer.source] = low, max(high, narrowest)
    for layer in layers:
        step = float(np.abs(weights[layer.name][0]).max()) / 127
        needed = step * _extent(ranges[layer.source], fmt) / LARGEST_SUM_STEP
        ranges[layer.name] = _widened(ranges[layer.name], needed, fmt)
    for layer in layers:
        if layer.sum is not None:
            needed = _extent(ranges[layer.sum.name], fmt) / FINEST_ADDEND
            if _extent(ranges[layer.sum.addend], fmt) < needed:
                ranges[layer.name] = _widened(ranges[layer.name], needed, fmt)
    return ranges


def _widened(limits: tuple[float, float], needed: float, fmt: Format) -> tuple[float, float]:
    """Returns a range, widened about zero to an extent."""
    wider = max(1.0, needed / max(_extent(limits, fmt), TINY))
    return limits[0] * wider, limits[1] * wider


def _extent(limits: tuple[float, float], fmt: Format) -> float:
    """Returns the width of a range, or of its wider half in a format with zero in the middle."""
    low, high = limits
    return high - low if fmt == "int8" else max(-low, high)
