"""Reads the decoder network back out of its quantized .tflite step model.

The compiler of the aot engine trusts nothing but the file: it follows the tensors from the frame to
the logits, and whatever is not the graph that `pipeline.step_model` describes ends in one line that
says what was met. Only the dilation of a convolution is not in the graph; it is 2 to the power of
the block number in its name.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from pipeline.quantization.step_model import OPS, read_model, signature

_OTHER_OPS = {
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    18: "MUL",
}


_OTHER_OPS |= {19: "RELU", 22: "RESHAPE", 25: "SOFTMAX", 28: "TANH", 32: "CUSTOM", 114: "QUANTIZE"}


_TYPES = {0: "FLOAT32", 2: "INT32", 4: "INT64", 7: "INT16", 9: "INT8", 17: "INT4"}
_DTYPES = {2: np.int32, 4: np.int64, 9: np.int8}
_MAKE_AGAIN = "make it with python -m pipeline.convert"


@dataclass(frozen=True)
class Quantized:
    """An activation tensor.

    Attributes:
        index: In the file.
        channels: Size of its last axis; the others are 1.
        scale: A value is ``scale * (quantized - zero_point)``.
        zero_point: Within the range of its type.
    """

    index: int
    channels: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Addition:
    """ADD of a convolution's output, `first`, and a residual's, `second`."""

    first: Quantized
    second: Quantized
    output: Quantized


@dataclass(frozen=True)
class Layer:
    """A 1x1 convolution over [past taps, current input].

    Attributes:
        name: ``block<b>_conv1``, ``block<b>_conv2`` or ``block<b>_residual``.
        block: Number of the block; a convolution's dilation is 2 to its power.
        n_past: Past taps, 0 for a residual.
        input: The current input, which goes into the ring.
        output: What it gives, after its ReLU if it has one.
        weights: int8, shape [output channels, n_past + 1, input channels], oldest tap first.
        weight_scales: float64, shape [output channels].
        bias: int64, shape [output channels].
        relu: Whether the output is cut off at its zero point.
        addition: For a residual, what adds it to the output of the layer before.
    """

    name: str
    block: int
    n_past: int
    input: Quantized
    output: Quantized
    weights: np.ndarray
    weight_scales: np.ndarray
    bias: np.ndarray
    relu: bool
    addition: Addition | None

    @property
    def dilation(self) -> int:
        """Frames between taps."""
        return int(2**self.block)


@dataclass(frozen=True)
class StepModel:
    """The network as a list of layers in the order in which they run.

    Attributes:
        data: The .tflite itself.
        bits: Of an activation: 8 or 16.
        inputs: By signature name, the position among the graph's inputs.
        outputs: By signature name, the position among the graph's outputs.
    """

    path: Path
    data: bytes
    bits: int
    frame: Quantized
    logits: Quantized
    layers: tuple[Layer, ...]
    inputs: dict[str, int]
    outputs: dict[str, int]

    @property
    def convolutions(self) -> tuple[Layer, ...]:
        """The layers that have a ring, in order."""
        return tuple(layer for layer in self.layers if layer.n_past)

    @property
    def n_mac(self) -> int:
        """Multiplications a frame."""
        return sum(layer.weights.size for layer in self.layers)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Writes a positive number as ``multiplier * 2**(exponent - 31)``, as TensorFlow Lite does.

    Returns:
        The multiplier, from 2**30 to 2**31 - 1, and the exponent.
    """
    mantissa, exponent = math.frexp(real)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    return (multiplier // 2, exponent + 1) if multiplier == 2**31 else (multiplier, exponent)


def read_step_model(path: Path) -> StepModel:
    """Reads a quantized step model.

    Args:
        path: A .tflite file.

    Raises:
        UserError: The file is missing, damaged, or not a quantized step model of the decoder.
    """
    try:
        return _Reader(path).read()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Offsets and numbers of a damaged file lead anywhere.
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: the graph is damaged ({what}); {_MAKE_AGAIN}") from None


class _Reader:
    """Follows the graph of one file; consumes every node exactly once."""

    def __init__(self, path: Path):
        self.path = path
        self.model = read_model(path)
        self.graph = self.model.subgraphs[0]
        self.nodes = list(self.graph.operators)

    def fail(self, problem: str) -> UserError:
        return UserError(f"{self.path}: {problem}; {_MAKE_AGAIN}")

    def read(self) -> StepModel:
        inputs, outputs = signature(self.model)
        for position, node in enumerate(self.nodes):
            if (code := self._code(node)) not in OPS:
                name = _OTHER_OPS.get(code, f"of builtin code {code}")
                raise self.fail(
                    f"node {position} is an op {name}, and only {', '.join(OPS.values())} are known"
                )
        if missing := {"frame"} - set(inputs) | {"logits"} - set(outputs):
            raise self.fail(f"its signature has no {min(missing)!r}")
        self.type = self._tensor(inputs["frame"]).type
        if self.type not in (7, 9):
            raise self.fail(
                f"the frame is {_TYPES.get(self.type, self.type)} where INT8 or INT16 is needed"
            )
        layers = self._layers(inputs, outputs)
        if self.nodes:
            name = OPS[self._code(self.nodes[0])]
            raise self.fail(
                f"{len(self.nodes)} nodes, the first a {name}, are not part of a decoder"
            )
        positions = (
            {int(index): i for i, index in enumerate(g)}
            for g in (self.graph.inputs, self.graph.outputs)
        )
        of_input, of_output = positions
        return StepModel(
            path=self.path,
            data=self.path.read_bytes(),
            bits=8 if self.type == 9 else 16,
            frame=self._quantized(inputs["frame"]),
            logits=self._quantized(outputs["logits"]),
            layers=layers,
            inputs={name: of_input[index] for name, index in inputs.items()},
            outputs={name: of_output[index] for name, index in outputs.items()},
        )

    def _layers(self, inputs: dict[str, int], outputs: dict[str, int]) -> tuple[Layer, ...]:
        """Walks from the frame to the logits."""
        names = {name for name in inputs if name != "frame"}
        last = len(names) // 2 - 1
        expected = {f"block{block}_conv{i}_taps" for block in range(last + 1) for i in (1, 2)}
        if names != expected or last < 1:
            raise self.fail(
                f"its inputs {', '.join(sorted(names)) or 'but the frame'} are not the taps of two "
                "convolutions for each of 2 or more blocks"
            )
        layers: list[Layer] = []
        value = inputs["frame"]
        for block in range(last + 1):
            block_input = value
            for i in (1, 2):
                name = f"block{block}_conv{i}"
                if name != "block0_conv1" and outputs.get(f"{name}_new_tap") != value:
                    raise self.fail(f"output {name}_new_tap is not what {name} reads")
                joined = self._consume(name, "CONCATENATION", inputs[f"{name}_taps"], value)
                layer = self._conv(name, block, value, joined)
                if layer.relu == (name == f"block{last}_conv2"):
                    raise self.fail(f"{name} has {'a' if layer.relu else 'no'} ReLU")
                layers.append(layer)
                value = layer.output.index
            if block in (0, last):
                residual = self._conv(f"block{block}_residual", block, block_input, block_input)
                added = self._consume(residual.name, "ADD", value, residual.output.index)
                addition = Addition(*map(self._quantized, (value, residual.output.index, added)))
                layers.append(Layer(**{**vars(residual), "addition": addition}))
                value = added
        if value != outputs["logits"]:
            raise self.fail("output logits is not what the last block gives")
        return tuple(layers)

    def _conv(self, name: str, block: int, source: int, joined: int) -> Layer:
        """Reads the CONV_2D over tensor `joined`, which ends with tensor `source`."""
        node = self._take(name, lambda n: OPS[self._code(n)] == "CONV_2D" and n.inputs[0] == joined)
        options = node.builtinOptions
        current, whole, output = (
            self._quantized(index) for index in (source, joined, node.outputs[0])
        )
        if (current.scale, current.zero_point) != (whole.scale, whole.zero_point):
            raise self.fail(f"{name} reads taps and current input of different scales")
        if options.fusedActivationFunction not in (0, 1):
            raise self.fail(f"{name} has an activation other than ReLU")
        kernel = self._tensor(node.inputs[1])
        weights = self._constant(name, node.inputs[1], 9)
        if (
            list(kernel.shape) != [output.channels, 1, 1, whole.channels]
            or whole.channels % current.channels
        ):
            raise self.fail(f"{name} has a kernel of shape {list(map(int, kernel.shape))}")
        scales = np.asarray(kernel.quantization.scale, np.float32).astype(np.float64)
        if (
            np.any(kernel.quantization.zeroPoint)
            or len(scales) not in (1, output.channels)
            or not np.all((scales > 0) & np.isfinite(scales))
        ):
            raise self.fail(f"{name} has weights that are not quantized symmetrically")
        bias = np.zeros(output.channels, np.int64)
        if len(node.inputs) == 3 and node.inputs[2] >= 0:
            bias = self._constant(name, node.inputs[2], 2 if self.type == 9 else 4).astype(np.int64)
        elif self.type == 7 and options.quantizedBiasType == 2:
            raise self.fail(f"{name} has 32-bit sums of 16-bit products, whose rounding is another")
        return Layer(
            name=name,
            block=block,
            n_past=whole.channels // current.channels - 1,
            input=current,
            output=output,
            weights=weights.reshape(output.channels, -1, current.channels),
            weight_scales=np.broadcast_to(scales, output.channels),
            bias=bias.reshape(output.channels),
            relu=options.fusedActivationFunction == 1,
            addition=None,
        )

    def _consume(self, name: str, op: str, first: int, second: int) -> int:
        """Takes the node `op` of two tensors and returns its output."""
        both = [first, second] if op == "CONCATENATION" else sorted([first, second])

        def fits(node: Any) -> bool:
            found = [int(index) for index in node.inputs]
            return (
                OPS[self._code(node)] == op
                and (found if op == "CONCATENATION" else sorted(found)) == both
            )

        node = self._take(name, fits)
        if node.builtinOptions.fusedActivationFunction:
            raise self.fail(f"the {op} of {name} has an activation")
        if op == "CONCATENATION":
            taps, current, joined = (self._quantized(i) for i in (first, second, node.outputs[0]))
            if (taps.scale, taps.zero_point) != (current.scale, current.zero_point):
                raise self.fail(f"{name} reads taps and current input of different scales")
            if (
                taps.channels % current.channels
                or joined.channels != taps.channels + current.channels
            ):
                raise self.fail(
                    f"{name} reads {taps.channels} values of taps for {current.channels} channels"
                )
        return int(node.outputs[0])

    def _take(self, name: str, fits: Any) -> Any:
        """Removes the one node for which `fits` holds."""
        found = [node for node in self.nodes if fits(node)]
        if len(found) != 1:
            raise self.fail(f"{name} does not have its inputs where a decoder has them")
        self.nodes = [node for node in self.nodes if node is not found[0]]
        return found[0]

    def _code(self, node: Any) -> int:
        code = self.model.operatorCodes[node.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def _tensor(self, index: int) -> Any:
        return self.graph.tensors[index]

    def _text(self, index: int) -> str:
        return re.sub(r"[^ -~]", "?", self._tensor(index).name.decode(errors="replace"))

    def _quantized(self, index: int) -> Quantized:
        """Reads an activation tensor's description."""
        tensor = self._tensor(index)
        shape = [int(size) for size in tensor.shape]
        if tensor.type != self.type or len(shape) != 4 or shape[:3] != [1, 1, 1] or shape[3] < 1:
            kind = _TYPES.get(tensor.type, tensor.type)
            raise self.fail(
                f"tensor {self._text(index)!r} is {kind} of shape {shape}, not [1, 1, 1, channels]"
            )
        quantization = tensor.quantization
        if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
            raise self.fail(f"tensor {self._text(index)!r} is not quantized as a whole")
        scale, zero_point = float(np.float32(quantization.scale[0])), int(quantization.zeroPoint[0])
        if not (math.isfinite(scale) and scale > 0) or not -128 <= zero_point <= 127:
            raise self.fail(
                f"tensor {self._text(index)!r} has scale {scale:g} and zero point {zero_point}"
            )
        return Quantized(int(index), shape[3], scale, zero_point)

    def _constant(self, name: str, index: int, kind: int) -> np.ndarray:
        """Reads a constant tensor of type number `kind`."""
        tensor = self._tensor(index)
        data = self.model.buffers[tensor.buffer].data
        if tensor.type != kind or data is None:
            met = "no constant" if data is None else _TYPES.get(tensor.type, tensor.type)
            raise self.fail(f"{name} has weights or bias of {met} where {_TYPES[kind]} is needed")
        values = np.frombuffer(bytes(data), _DTYPES[kind])
        if values.size != math.prod(int(size) for size in tensor.shape):
            raise self.fail(
                f"{name} has {values.size} weights or biases where its shape has others"
            )
        return values
