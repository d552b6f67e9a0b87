"""Reads the decoder network back out of its quantized .tflite step model.

The compiler of the aot engine trusts only the file. The reader walks the layers of
`pipeline.model.topology` and follows the tensors from the frame to the logits. If the graph differs
from the one that `pipeline.quantization.step_model` describes, it raises one line that names the
difference. Only the dilation of a convolution is not in the graph; it follows from the topology.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology
from pipeline.quantization.step_model import OPS, network_config, read_model, signature

_OTHER_OPS = {  # by tflite BuiltinOperator
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    18: "MUL",
    19: "RELU",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    32: "CUSTOM",
    114: "QUANTIZE",
}
_TYPES = {0: "FLOAT32", 2: "INT32", 4: "INT64", 7: "INT16", 9: "INT8", 17: "INT4"}  # TensorType
_INT32, _INT64, _INT16, _INT8 = 2, 4, 7, 9
_DTYPES = {_INT32: np.int32, _INT64: np.int64, _INT8: np.int8}
_RELU = 1  # tflite ActivationFunctionType
_MAKE_AGAIN = "make it with python -m pipeline.convert"


@dataclass(frozen=True)
class Quantized:
    """An activation tensor.

    Attributes:
        index: Number of the tensor in the file.
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
    """ADD of a convolution's output, `first`, and a residual's output, `second`."""

    first: Quantized
    second: Quantized
    output: Quantized


@dataclass(frozen=True)
class Layer:
    """A 1x1 convolution over [past taps, current input].

    Attributes:
        spec: Place and shape of the layer in the network.
        input: The current input, which goes into the ring.
        output: The output, after the ReLU if there is one.
        weights: int8, shape [output channels, taps, input channels], oldest tap first.
        weight_scales: float64, shape [output channels].
        bias: int64, shape [output channels].
        addition: For a residual, the ADD of its output and another layer's.
    """

    spec: LayerSpec
    input: Quantized
    output: Quantized
    weights: npt.NDArray[np.int8]
    weight_scales: npt.NDArray[np.float64]
    bias: npt.NDArray[np.int64]
    addition: Addition | None

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.spec.name


@dataclass(frozen=True)
class StepModel:
    """The network as a list of layers in the order in which they run.

    Attributes:
        path: Path of the .tflite.
        data: Content of the .tflite.
        bits: Size of an activation: 8 or 16.
        frame: The input tensor.
        logits: The output tensor.
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
        return tuple(layer for layer in self.layers if layer.spec.has_ring)

    @property
    def n_mac(self) -> int:
        """Multiplications per frame."""
        return sum(layer.weights.size for layer in self.layers)


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
        # The offsets and numbers of a damaged file can lead anywhere.
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: the graph is damaged ({what}); {_MAKE_AGAIN}") from None


class _Reader:
    """Follows the graph of one file and consumes every node exactly once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = read_model(path)
        self.graph = self.model.subgraphs[0]
        self.nodes: list[Any] = list(self.graph.operators)
        self.inputs, self.outputs = signature(self.model)

    def fail(self, problem: str) -> UserError:
        return UserError(f"{self.path}: {problem}; {_MAKE_AGAIN}")

    def read(self) -> StepModel:
        for position, node in enumerate(self.nodes):
            if (code := self._code(node)) not in OPS:
                name = _OTHER_OPS.get(code, f"of builtin code {code}")
                raise self.fail(
                    f"node {position} is an op {name}, and only {', '.join(OPS.values())} are known"
                )
        specs = topology(network_config(self.model, str(self.path)))
        self.type = self._tensor(self.inputs[FRAME]).type
        if self.type not in (_INT16, _INT8):
            raise self.fail(
                f"the frame is {_TYPES.get(self.type, self.type)} where INT8 or INT16 is needed"
            )
        layers = self._layers(specs)
        if self.nodes:
            name = OPS[self._code(self.nodes[0])]
            raise self.fail(
                f"{len(self.nodes)} nodes, the first a {name}, are not part of a decoder"
            )
        input_positions, output_positions = (
            {int(index): position for position, index in enumerate(indices)}
            for indices in (self.graph.inputs, self.graph.outputs)
        )
        return StepModel(
            path=self.path,
            data=self.path.read_bytes(),
            bits=8 if self.type == _INT8 else 16,
            frame=self._quantized(self.inputs[FRAME]),
            logits=self._quantized(self.outputs[LOGITS]),
            layers=layers,
            inputs={name: input_positions[index] for name, index in self.inputs.items()},
            outputs={name: output_positions[index] for name, index in self.outputs.items()},
        )

    def _layers(self, specs: tuple[LayerSpec, ...]) -> tuple[Layer, ...]:
        """Walks from the frame to the logits."""
        layers: list[Layer] = []
        values = {FRAME: self.inputs[FRAME]}
        for spec in specs:
            source = joined = values[spec.source]
            if spec.new_tap_output and self.outputs[spec.new_tap_output] != source:
                raise self.fail(f"output {spec.new_tap_output} is not what {spec.name} reads")
            if spec.has_ring:
                joined = self._concatenation(spec.name, self.inputs[spec.taps_input], source)
            node = self._take(spec.name, "CONV_2D", joined)
            addition, output = None, int(node.outputs[0])
            values[spec.name] = output
            if spec.sum:
                addition = self._addition(spec.name, values[spec.sum.addend], output)
                values[spec.sum.name] = addition.output.index
            layers.append(self._convolution(spec, node, source, addition))
        if values[LOGITS] != self.outputs[LOGITS]:
            raise self.fail("output logits is not the output of the last block")
        return tuple(layers)

    def _convolution(
        self, spec: LayerSpec, node: Any, source: int, addition: Addition | None
    ) -> Layer:
        """Reads a CONV_2D whose input ends with the values of tensor `source`."""
        current, whole, output = (
            self._quantized(index) for index in (source, node.inputs[0], node.outputs[0])
        )
        if (current.scale, current.zero_point) != (whole.scale, whole.zero_point):
            raise self.fail(f"{spec.name} reads taps and current input of different scales")
        activation = node.builtinOptions.fusedActivationFunction
        if activation not in (0, _RELU):
            raise self.fail(f"{spec.name} has an activation other than ReLU")
        if (activation == _RELU) != spec.relu:
            raise self.fail(f"{spec.name} has {'no' if spec.relu else 'a'} ReLU")
        weights = self._constant(spec.name, node.inputs[1], _INT8).astype(np.int8)
        kernel = self._tensor(node.inputs[1])
        shape = [spec.out_channels, 1, 1, spec.taps * spec.in_channels]
        if list(kernel.shape) != shape or output.channels != spec.out_channels:
            raise self.fail(f"{spec.name} has a kernel of shape {list(map(int, kernel.shape))}")
        scales = np.asarray(kernel.quantization.scale, np.float32).astype(np.float64)
        if (
            np.any(kernel.quantization.zeroPoint)
            or len(scales) not in (1, output.channels)
            or not np.all((scales > 0) & np.isfinite(scales))
        ):
            raise self.fail(f"{spec.name} has weights that are not quantized symmetrically")
        return Layer(
            spec=spec,
            input=current,
            output=output,
            weights=weights.reshape(spec.out_channels, spec.taps, spec.in_channels),
            weight_scales=np.broadcast_to(scales, output.channels),
            bias=self._bias(spec, node),
            addition=addition,
        )

    def _bias(self, spec: LayerSpec, node: Any) -> npt.NDArray[np.int64]:
        """Reads the bias of a CONV_2D, which has none if it is folded into another."""
        if len(node.inputs) == 3 and node.inputs[2] >= 0:
            kind = _INT32 if self.type == _INT8 else _INT64
            bias = self._constant(spec.name, node.inputs[2], kind)
            return bias.astype(np.int64).reshape(spec.out_channels)
        if self.type == _INT16 and node.builtinOptions.quantizedBiasType == _INT32:
            raise self.fail(
                f"{spec.name} has 32-bit sums of 16-bit products, which are rounded differently"
            )
        return np.zeros(spec.out_channels, np.int64)

    def _concatenation(self, name: str, taps: int, current: int) -> int:
        """Takes the CONCATENATION of taps and current input and returns its output."""
        node = self._take(name, "CONCATENATION", taps, current)
        self._check_no_activation(name, node)
        past, newest, joined = (self._quantized(i) for i in (taps, current, node.outputs[0]))
        if (past.scale, past.zero_point) != (newest.scale, newest.zero_point):
            raise self.fail(f"{name} reads taps and current input of different scales")
        if joined.channels != past.channels + newest.channels:
            raise self.fail(
                f"{name} reads {past.channels} values of taps for {newest.channels} channels"
            )
        return joined.index

    def _addition(self, name: str, first: int, second: int) -> Addition:
        """Takes the ADD of two tensors, which may stand in either order."""
        node = self._take(name, "ADD", first, second)
        self._check_no_activation(name, node)
        return Addition(*(self._quantized(index) for index in (first, second, node.outputs[0])))

    def _check_no_activation(self, name: str, node: Any) -> None:
        if node.builtinOptions.fusedActivationFunction:
            raise self.fail(f"the {self._op(node)} of {name} has an activation")

    def _take(self, name: str, op: str, *inputs: int) -> Any:
        """Removes the one node `op` with these inputs; a CONV_2D is found by its first input."""

        def fits(node: Any) -> bool:
            found = [int(index) for index in node.inputs]
            if op == "CONV_2D":
                found = found[:1]
            if op == "ADD":  # its inputs may stand in either order
                return self._op(node) == op and sorted(found) == sorted(inputs)
            return self._op(node) == op and found == list(inputs)

        found = [node for node in self.nodes if fits(node)]
        if len(found) != 1:
            raise self.fail(f"{name} does not have its inputs where a decoder has them")
        self.nodes = [node for node in self.nodes if node is not found[0]]
        return found[0]

    def _code(self, node: Any) -> int:
        code = self.model.operatorCodes[node.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def _op(self, node: Any) -> str:
        return OPS[self._code(node)]

    def _tensor(self, index: int) -> Any:
        return self.graph.tensors[index]

    def _text(self, index: int) -> str:
        return re.sub(r"[^ -~]", "?", self._tensor(index).name.decode(errors="replace"))

    def _quantized(self, index: int) -> Quantized:
        """Reads the description of an activation tensor."""
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

    def _constant(self, name: str, index: int, kind: int) -> npt.NDArray[Any]:
        """Reads a constant tensor whose type must be `kind`."""
        tensor = self._tensor(index)
        data = self.model.buffers[tensor.buffer].data
        if tensor.type != kind or data is None:
            met = "no constant" if data is None else _TYPES.get(tensor.type, tensor.type)
            raise self.fail(f"{name} has weights or bias of {met} where {_TYPES[kind]} is needed")
        values = np.frombuffer(bytes(data), _DTYPES[kind])
        if values.size != math.prod(int(size) for size in tensor.shape):
            raise self.fail(
                f"{name} has {values.size} weights or biases, which does not fit its shape"
            )
        return values
