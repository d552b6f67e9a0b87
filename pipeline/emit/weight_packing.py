"""The numbers of the aot engine: weights and constants as its inner loops read them.

The same weights, one byte each, in two layouts: ``lanes`` for cores with the DSP extension and
``digits`` for those without; ``decoder_kernel_dsp.h`` and ``decoder_kernel_armv6m.h`` say how they are read.
Zero points are folded into the biases. Whatever the engine's 32-bit arithmetic could not do exactly
is refused here.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import UserError
from pipeline.quantization.tflite_reader import Addition, Layer, StepModel, quantize_multiplier

LAYOUTS = ("lanes", "digits")
INPUT_MULTIPLE = (
    8  # weights a channel and outputs a layer are padded to what an inner loop takes at once
)
OUTPUT_MULTIPLE = 8
MAX_INPUTS_INT8 = 512  # see `prepare` in decoder_kernel_armv6m.h


@dataclass(frozen=True)
class Ring:
    """Where the past of a convolution's input lies in the state, in values."""

    start: int
    slots: int
    slot_values: int

    @property
    def end(self) -> int:
        """First value after it."""
        return self.start + self.slots * self.slot_values


def rings(model: StepModel) -> list[Ring]:
    """Returns the ring of every convolution, one after the other in the state."""
    found: list[Ring] = []
    for layer in model.convolutions:
        start = found[-1].end if found else 0
        found.append(Ring(start, layer.n_past * layer.dilation, round_up(layer.input.channels, 2)))
    return found


def round_up(n: int, multiple: int) -> int:
    """Returns the smallest multiple that is at least `n`."""
    return -(-n // multiple) * multiple


def used_inputs(layer: Layer) -> int:
    """Returns how many inputs a layer gathers: its taps, each made even."""
    return (layer.n_past + 1) * round_up(layer.input.channels, 2)


def weight_matrix(layer: Layer) -> np.ndarray:
    """Returns int32 [outputs, inputs], padded with zeros: taps to even sizes, then both axes."""
    n_outputs, n_taps, n_inputs = layer.weights.shape
    taps = np.zeros((n_outputs, n_taps, round_up(n_inputs, 2)), np.int32)
    taps[:, :, :n_inputs] = layer.weights
    rows = taps.reshape(n_outputs, -1)
    shape = round_up(n_outputs, OUTPUT_MULTIPLE), round_up(rows.shape[1], INPUT_MULTIPLE)
    matrix = np.zeros(shape, np.int32)
    matrix[:n_outputs, : rows.shape[1]] = rows
    return matrix


def weight_words(layer: Layer, bits: int, layout: str) -> np.ndarray:
    """Packs the weights of a layer.

    Args:
        layer: The layer.
        bits: Of the activations.
        layout: One of `LAYOUTS`.

    Returns:
        uint32, one dimension. ``lanes``: two channels and two inputs a word, four channels side by
        side. ``digits``: four channels of one input a word, eight channels side by side.
    """
    matrix = weight_matrix(layer)
    if layout == "lanes":
        first, second = matrix[0::2], matrix[1::2]  # the channels of a pair
        lanes = second * 256 + first if bits == 8 else (second & 255) << 8 | first & 255
        groups = (lanes & 0xFFFF).astype(np.uint32).reshape(len(matrix) // 4, 2, -1, 2)
        words = groups[..., 0] | groups[..., 1] << 16  # [group, pair, step]
    else:
        digits = matrix + 128
        digits[:, used_inputs(layer) :] = 0
        groups = digits.astype(np.uint32).reshape(len(matrix) // 8, 2, 4, -1)
        words = np.bitwise_or.reduce([groups[:, :, i] << (8 * i) for i in range(4)])
    return words.transpose(0, 2, 1).reshape(-1)


def channel_constants(model: StepModel, layer: Layer, layout: str) -> list[tuple[int, int, int]]:
    """Returns bias, multiplier and shift of every output channel, padded like `weight_matrix`.

    Args:
        model: The layer's.
        layer: The layer.
        layout: One of `LAYOUTS`.

    Raises:
        UserError: A sum or a multiplier is beyond the engine's arithmetic.
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
                "needed: calibrate with livelier frames"
            )
        shift = -exponent - 1
        if model.bits == 16:  # the reference rounds these multipliers to 15 bits
            multiplier, shift = min((multiplier + 2**15) >> 16, 0x7FFF), -exponent - 2
        constants[channel, 1:] = (multiplier, shift) if exponent >= -31 else (0, 0)
    biases = constants[:, 0]
    biases[: len(weights)] = layer.bias - layer.input.zero_point * weights.sum(1)
    if layout == "digits":  # whose inputs are larger by half their range
        biases[: len(weights)] -= 2 ** (model.bits - 1) * weights.sum(1)
    elif model.bits == 8:
        biases[1::2] = 256 * biases[1::2] + biases[0::2]
    constants[:, 0] = biases.astype(np.uint32).astype(np.int32)  # modulo 2^32
    return [(bias, multiplier, shift) for bias, multiplier, shift in constants.tolist()]


def _check_sums(model: StepModel, layer: Layer) -> None:
    """Raises `UserError` where the engine's arithmetic would not be exact."""
    weights = layer.weights.reshape(len(layer.weights), -1).astype(np.int64)
    low, high = (-128, 127) if model.bits == 8 else (-32768, 32767)
    offsets = layer.bias - layer.input.zero_point * weights.sum(1)
    positive, negative = np.maximum(weights, 0).sum(1), np.minimum(weights, 0).sum(1)
    highest = offsets + positive * high + negative * low
    lowest = offsets + positive * low + negative * high
    limit = 2**23 if model.bits == 8 else 2**31
    too_large = max(highest.max(), -lowest.min()) >= limit
    if model.bits == 8:  # digits: products of unsigned bytes, padding included
        digits = weight_matrix(layer)[:, : used_inputs(layer)] + 128
        too_large |= digits.shape[1] > MAX_INPUTS_INT8 or 255 * digits.sum(1).max() >= 2**24
    if too_large:
        raise UserError(
            f"{model.path}: sums of {layer.name} exceed the engine's exact arithmetic: "
            "give it fewer channels or smaller weights"
        )
    if weights.min() < -127:
        raise UserError(f"{model.path}: {layer.name} has a weight of -128, which is not symmetric")
    if layer.relu and layer.output.zero_point != (-128 if model.bits == 8 else 0):
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
        if not -31 <= exponent <= 0:
            raise UserError(
                f"{model.path}: the scales of the addition after {layer.name} are too far apart"
            )
        rows[name] = (zero, multiplier, -exponent)
    return rows
