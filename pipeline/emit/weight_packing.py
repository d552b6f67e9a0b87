"""Packs weights and constants of the aot engine in the order in which its inner loops read them.

The weights, one byte each, are packed in two layouts, named after the kernels that read them:
``dsp`` for cores with the DSP extension (``decoder_kernel_dsp.h``) and ``armv6m`` for cores without
it (``decoder_kernel_armv6m.h``). Zero points are folded into the biases. Models for which the
engine's 32-bit arithmetic would not be exact are refused.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.quantization.tflite_reader import Addition, Layer, StepModel

Layout = Literal["dsp", "armv6m"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
INPUT_MULTIPLE = 8  # weights per output channel are padded to a multiple of this
OUTPUT_MULTIPLE = 8  # output channels of a layer, likewise
MAX_INPUTS_INT8 = 512  # see ``copy_input`` in decoder_kernel_armv6m_inputs.h


@dataclass(frozen=True)
class Ring:
    """Where the state stores the past inputs of a convolution, in values."""

    start: int
    slots: int
    slot_values: int

    @property
    def end(self) -> int:
        """First value after the ring."""
        return self.start + self.slots * self.slot_values


def rings(model: StepModel) -> list[Ring]:
    """Returns the ring of every convolution, one after the other in the state."""
    found: list[Ring] = []
    for layer in model.convolutions:
        start = found[-1].end if found else 0
        slots = max(layer.spec.n_past * layer.spec.dilation, 1)  # a residual may read the newest
        found.append(Ring(start, slots, round_up(layer.input.channels, 2)))
    return found


def round_up(n: int, multiple: int) -> int:
    """Returns the smallest multiple that is at least `n`."""
    return -(-n // multiple) * multiple


def ring_index(model: StepModel, layer: Layer) -> int:
    """Returns the number of the ring that stores the input of a layer.

    A residual has no ring of its own; it reads the newest vector of the ring of its block's first
    convolution, which has the same input.
    """
    return [each.input.index for each in model.convolutions].index(layer.input.index)


def used_inputs(layer: Layer) -> int:
    """Returns the number of inputs that a layer reads: its taps, each padded to an even size."""
    return layer.spec.taps * round_up(layer.input.channels, 2)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Writes a positive number as ``multiplier * 2**(exponent - 31)``, as TensorFlow Lite does.

    Returns:
        The multiplier, from 2**30 to 2**31 - 1, and the exponent.
    """
    mantissa, exponent = math.frexp(real)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    return (multiplier // 2, exponent + 1) if multiplier == 2**31 else (multiplier, exponent)


def weight_matrix(layer: Layer) -> npt.NDArray[np.int32]:
    """Returns int32 [outputs, inputs], padded with zeros: taps to even sizes, then both axes."""
    n_outputs, n_taps, n_inputs = layer.weights.shape
    taps = np.zeros((n_outputs, n_taps, round_up(n_inputs, 2)), np.int32)
    taps[:, :, :n_inputs] = layer.weights
    rows = taps.reshape(n_outputs, -1)
    shape = round_up(n_outputs, OUTPUT_MULTIPLE), round_up(rows.shape[1], INPUT_MULTIPLE)
    matrix = np.zeros(shape, np.int32)
    matrix[:n_outputs, : rows.shape[1]] = rows
    return matrix


def weight_words(layer: Layer, bits: int, layout: Layout) -> npt.NDArray[np.uint32]:
    """Packs the weights of a layer.

    Args:
        layer: The layer.
        bits: Size of an activation.
        layout: One of `LAYOUTS`.

    Returns:
        uint32, one dimension. ``dsp``: a word holds two inputs of two channels, and four channels
        are side by side; ``decoder_kernel_dsp.h`` says how. ``armv6m``: a word holds one input of
        four channels, and eight channels are side by side.
    """
    matrix = weight_matrix(layer)
    if layout == "dsp":
        first, second = matrix[0::2], matrix[1::2]  # the channels of a pair
        if bits == 8:  # the low byte of every other pair is unsigned
            first[0::2, : used_inputs(layer)] += 128
        lanes = second * 256 + first if bits == 8 else (second & 255) << 8 | first & 255
        groups = (lanes & 0xFFFF).astype(np.uint32).reshape(len(matrix) // 4, 2, -1, 2)
        words = groups[..., 0] | groups[..., 1] << 16  # [group, pair, step]
    else:
        digits = matrix + 128
        digits[:, used_inputs(layer) :] = 0
        groups = digits.astype(np.uint32).reshape(len(matrix) // 8, 2, 4, -1)
        words = np.bitwise_or.reduce([groups[:, :, i] << (8 * i) for i in range(4)])
    return np.asarray(words, np.uint32).transpose(0, 2, 1).reshape(-1)


def channel_constants(model: StepModel, layer: Layer, layout: Layout) -> list[tuple[int, int, int]]:
    """Returns bias, multiplier and shift of every output channel, padded like `weight_matrix`.

    Args:
        model: The model that the layer belongs to.
        layer: The layer.
        layout: One of `LAYOUTS`.

    Raises:
        UserError: A sum or a multiplier exceeds the engine's arithmetic.
    """
    _check_sums(model, layer)
    weights = layer.weights.reshape(len(layer.weights), -1).astype(np.int64)
    constants = np.zeros((round_up(len(weights), OUTPUT_MULTIPLE), 3), np.int64)
    for channel, weight_scale in enumerate(layer.weight_scales):
        real = layer.input.scale * weight_scale / layer.output.scale
        multiplier, exponent = quantize_multiplier(real)
        if exponent > -2:
            raise UserError(
                f"{model.path}: {layer.name} scales its sums by {real:.3g} where less than 0.25 is "
                "needed: calibrate with frames that vary more in pitch and loudness"
            )
        shift = -exponent - 1
        if model.bits == 16:  # the reference kernels round these multipliers to 15 bits
            multiplier, shift = min((multiplier + 2**15) >> 16, 0x7FFF), -exponent - 2
        # An int8 sum is below 2^23, so a larger shift always gives 0.
        is_audible = shift <= (22 if model.bits == 8 else 30)
        constants[channel, 1:] = (multiplier, shift) if is_audible else (0, 0)
    biases = constants[:, 0]
    biases[: len(weights)] = layer.bias - layer.input.zero_point * weights.sum(1)
    if layout == "armv6m":  # this kernel adds half of the range to its inputs
        biases[: len(weights)] -= 2 ** (model.bits - 1) * weights.sum(1)
    elif model.bits == 8:
        a, b, c, d = biases.reshape(-1, 4).T.copy()
        biases[0::4], biases[1::4], biases[2::4], biases[3::4] = (
            *(a + 256 * b, c + 256 * d),
            *(b + 256 * c, 0),
        )
    constants[:, 0] = biases.astype(np.uint32).astype(np.int32)  # modulo 2^32
    return [(bias, multiplier, shift) for bias, multiplier, shift in constants.tolist()]


def _check_sums(model: StepModel, layer: Layer) -> None:
    """Raises `UserError` if the engine's arithmetic would not be exact."""
    weights = layer.weights.reshape(len(layer.weights), -1).astype(np.int64)
    low, high = (-128, 127) if model.bits == 8 else (-32768, 32767)
    offsets = layer.bias - layer.input.zero_point * weights.sum(1)
    positive, negative = np.maximum(weights, 0).sum(1), np.minimum(weights, 0).sum(1)
    highest = offsets + positive * high + negative * low
    lowest = offsets + positive * low + negative * high
    limit = 2**23 if model.bits == 8 else 2**31
    too_large = max(highest.max(), -lowest.min()) >= limit
    if model.bits == 8:  # armv6m multiplies unsigned bytes, the padding included
        digits = weight_matrix(layer)[:, : used_inputs(layer)] + 128
        too_large |= digits.shape[1] > MAX_INPUTS_INT8 or 255 * digits.sum(1).max() >= 2**24
    if too_large:
        raise UserError(
            f"{model.path}: sums of {layer.name} exceed the engine's exact arithmetic: "
            "give it fewer channels or smaller weights"
        )
    if weights.min() < -127:
        raise UserError(f"{model.path}: {layer.name} has a weight of -128, which is not symmetric")
    if layer.spec.relu and layer.output.zero_point != (-128 if model.bits == 8 else 0):
        raise UserError(
            f"{model.path}: {layer.name} ends with a ReLU, but its zero point is "
            f"{layer.output.zero_point}: let its range begin at 0"
        )


def addition_constants(
    model: StepModel, layer: Layer, addition: Addition
) -> dict[str, tuple[int, int, int]]:
    """Returns zero, multiplier and right shift of each field of ``decoder_add_t``."""
    one = 2**20 if model.bits == 8 else 2**15
    twice_largest = 2.0 * max(addition.first.scale, addition.second.scale)
    rows = {}
    for name, real, zero in (
        ("first", addition.first.scale / twice_largest, addition.first.zero_point * one),
        ("second", addition.second.scale / twice_largest, addition.second.zero_point * one),
        ("sum", twice_largest / (one * addition.output.scale), addition.output.zero_point),
    ):
        multiplier, exponent = quantize_multiplier(real)
        lowest, highest = (-23, -1) if name == "sum" else (-31, 0)
        if not lowest <= exponent <= highest:
            raise UserError(
                f"{model.path}: the scales of the addition after {layer.name} are too far apart: "
                "train the model again"
            )
        rows[name] = (zero, multiplier, -exponent)
    return rows
