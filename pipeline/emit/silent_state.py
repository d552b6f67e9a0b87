"""The state of a decoder after endless silence, computed with the arithmetic of the aot engine.

After equal frames without end, all taps of a convolution are equal, so that one pass over the
layers gives the state. The pass needs only what `pipeline.quantization.tflite_reader` has checked,
whereas the interpreter would crash on some damaged files.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.emit.weight_packing import addition_constants, channel_constants
from pipeline.model.topology import FRAME
from pipeline.quantization.tflite_reader import Addition, Layer, StepModel
from pipeline.reference.frame import FrameScaling, silent_frame

Integers = npt.NDArray[np.int64]


def frame_scaling(model: StepModel) -> FrameScaling:
    """Returns the constants with which the frames of a model are quantized."""
    return FrameScaling.of(model.frame.scale, model.frame.zero_point, model.bits, model.pitch)


def silent_state(model: StepModel) -> list[Integers]:
    """Returns the vector that fills each ring after 440 Hz at -80 dB for ever.

    Args:
        model: From `pipeline.quantization.tflite_reader.read_step_model`.

    Raises:
        UserError: The engine's arithmetic would not be exact for this model.
    """
    values = {FRAME: silent_frame(frame_scaling(model)).astype(np.int64)}
    for layer in model.layers:
        values[layer.name] = _convolve(model, layer, values[layer.spec.source])
        if layer.spec.sum and layer.addition:
            addends = values[layer.spec.sum.addend], values[layer.name]
            values[layer.spec.sum.name] = _add(model, layer, layer.addition, *addends)
    return [values[layer.spec.source] for layer in model.convolutions]


def _convolve(model: StepModel, layer: Layer, x: Integers) -> Integers:
    """Returns the output of a layer whose taps are all `x`."""
    weights = layer.weights.sum(axis=1, dtype=np.int64)
    sums = layer.bias + weights @ (x - layer.input.zero_point)
    constants = np.array(channel_constants(model, layer, "armv6m"), np.int64)[: len(sums)]
    multiplier, shift = constants[:, 1], constants[:, 2]
    if model.bits == 8:
        scaled = _divide(_multiply_high(sums, multiplier), shift + 1)
    else:
        scaled = (sums * multiplier + (1 << (16 + shift))) >> (17 + shift)
    lowest = layer.output.zero_point if layer.spec.relu else None
    return _saturate(model, scaled + layer.output.zero_point, lowest)


def _add(
    model: StepModel, layer: Layer, addition: Addition, first: Integers, second: Integers
) -> Integers:
    """Returns the sum of the outputs of a convolution and of a residual."""
    one = 2**20 if model.bits == 8 else 2**15
    scales = addition_constants(model, layer, addition)

    def rescale(x: Any, name: str) -> Integers:
        _, multiplier, right_shift = scales[name]
        return _divide(_multiply_high(x, multiplier), np.int64(right_shift))

    total = rescale(first * one - scales["first"][0], "first")
    total = total + rescale(second * one - scales["second"][0], "second")
    return _saturate(model, rescale(total, "sum") + scales["sum"][0])


def _multiply_high(x: Integers, multiplier: Any) -> Integers:
    """Returns ``x * multiplier / 2**31``, rounded to the nearest integer, halves up."""
    return np.asarray((x * multiplier + 2**30) >> 31)


def _divide(x: Integers, shift: Any) -> Integers:
    """Returns ``x / 2**shift``, rounded to the nearest integer, halves away from zero."""
    half = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
    return np.asarray(np.sign(x) * ((np.abs(x) + half) >> shift))


def _saturate(model: StepModel, x: Integers, lowest: int | None = None) -> Integers:
    limit = 2 ** (model.bits - 1)
    return np.clip(x, -limit if lowest is None else lowest, limit - 1)
