"""Reads the decoder network back out of its quantized .tflite step model.

The code generator of the aot engine uses only the file. The reader walks the layers of
`pipeline.model.topology` and follows the tensors from the frame to the logits. If the graph differs
from the one that `pipeline.quantization.step_model` describes, the error names the difference. Only
the dilation of a convolution is not in the graph; it follows from the topology.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology
from pipeline.quantization.pitch_range import PitchRange
from pipeline.quantization.step_model import (
    CONVOLUTION_OPS,
    MAKE_AGAIN,
    RELU,
    network_config,
    pitch_range,
)
from pipeline.quantization.tflite_graph import (
    INT8,
    INT16,
    INT32,
    INT64,
    TYPES,
    Quantized,
    TfliteGraph,
)

_RANKS = {INT8: (2, 4), INT16: (4,)}  # axes of the tensors by type of the frame


@dataclass(frozen=True)
class Addition:
    """The ADD of a convolution's output, `first`, and a residual's output, `second`."""

    first: Quantized
    second: Quantized
    output: Quantized


@dataclass(frozen=True)
class Layer:
    """A convolution, as one matrix for [past taps, current input].

    Attributes:
        spec: Place and shape of the layer in the network.
        input: The current input, which goes into the ring.
        output: The output, after the ReLU if there is one.
        weights: int8, shape [output channels, taps, input channels], oldest tap first.
        weight_scales: float64, shape [output channels].
        bias: int64, shape [output channels].
        addition: For a residual, the ADD of its output and another layer's output.
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
        op: The op of all layers, one of `CONVOLUTION_OPS`.
        frame: The input tensor.
        pitch: The notes that the input's pitch spans.
        logits: The output tensor.
        layers: The layers.
        inputs: Position among the graph's inputs by signature name.
        outputs: Position among the graph's outputs by signature name.
    """

    path: Path
    data: bytes
    bits: int
    op: str
    frame: Quantized
    pitch: PitchRange
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
        raise UserError(f"{path}: the graph is damaged ({what}); {MAKE_AGAIN}") from None


class _Reader:
    """Follows the graph of one file and removes every node exactly once."""

    def __init__(self, path: Path) -> None:
        self.file = TfliteGraph(path)

    def read(self) -> StepModel:
        file = self.file
        file.check_ops()
        specs = topology(network_config(file.model, str(file.path)))
        frame = file.tensor(file.inputs[FRAME])
        file.type, file.rank = frame.type, len(frame.shape)
        if file.type not in _RANKS:
            raise file.fail(
                f"the frame is {TYPES.get(file.type, file.type)} where INT8 or INT16 is needed"
            )
        if file.rank not in _RANKS[file.type]:
            raise file.fail(
                f"the frame is {TYPES[file.type]} with {file.rank} axes where "
                f"{' or '.join(map(str, _RANKS[file.type]))} are needed"
            )
        layers = self._layers(specs)
        if file.nodes:
            name = file.op(file.nodes[0])
            raise file.fail(
                f"{len(file.nodes)} nodes are not part of a decoder; the first is a {name}"
            )
        input_positions, output_positions = (
            {int(index): position for position, index in enumerate(indices)}
            for indices in (file.graph.inputs, file.graph.outputs)
        )
        return StepModel(
            path=file.path,
            data=file.path.read_bytes(),
            bits=8 if file.type == INT8 else 16,
            op=CONVOLUTION_OPS[file.rank],
            frame=file.quantized(file.inputs[FRAME]),
            pitch=pitch_range(file.model, str(file.path)),
            logits=file.quantized(file.outputs[LOGITS]),
            layers=layers,
            inputs={name: input_positions[index] for name, index in file.inputs.items()},
            outputs={name: output_positions[index] for name, index in file.outputs.items()},
        )

    def _layers(self, specs: tuple[LayerSpec, ...]) -> tuple[Layer, ...]:
        """Walks from the frame to the logits."""
        layers: list[Layer] = []
        values = {FRAME: self.file.inputs[FRAME]}
        for spec in specs:
            source = joined = values[spec.source]
            if spec.new_tap_output and self.file.outputs[spec.new_tap_output] != source:
                raise self.file.fail(f"output {spec.new_tap_output} is not what {spec.name} reads")
            if spec.has_taps:
                joined = self._concatenation(spec.name, self.file.inputs[spec.taps_input], source)
            node = self.file.take(
                spec.name, CONVOLUTION_OPS[self.file.rank], joined, relu=spec.relu
            )
            addition, output = None, int(node.outputs[0])
            values[spec.name] = output
            if spec.sum:
                addition = self._addition(spec.name, values[spec.sum.addend], output)
                values[spec.sum.name] = addition.output.index
            layers.append(self._convolution(spec, node, source, addition))
        if values[LOGITS] != self.file.outputs[LOGITS]:
            raise self.file.fail("output logits is not the output of the last block")
        return tuple(layers)

    def _convolution(
        self, spec: LayerSpec, node: Any, source: int, addition: Addition | None
    ) -> Layer:
        """Reads a convolution whose input ends with the values of tensor `source`."""
        current, whole, output = (
            self.file.quantized(index) for index in (source, node.inputs[0], node.outputs[0])
        )
        if (current.scale, current.zero_point) != (whole.scale, whole.zero_point):
            raise self.file.fail(f"{spec.name} reads taps and a current input of different scales")
        activation = node.builtinOptions.fusedActivationFunction
        if activation not in (0, RELU):
            raise self.file.fail(f"{spec.name} has an activation other than ReLU")
        if (activation == RELU) != spec.relu:
            raise self.file.fail(f"{spec.name} has {'no' if spec.relu else 'a'} ReLU")
        weights = self.file.constant(spec.name, node.inputs[1], INT8).astype(np.int8)
        kernel = self.file.tensor(node.inputs[1])
        ones = [1] * (self.file.rank - 2)
        shape = [spec.out_channels, *ones, spec.taps * spec.in_channels]
        if list(kernel.shape) != shape or output.channels != spec.out_channels:
            raise self.file.fail(
                f"{spec.name} has a kernel of shape {list(map(int, kernel.shape))}"
            )
        scales = np.asarray(kernel.quantization.scale, np.float32).astype(np.float64)
        if (
            np.any(kernel.quantization.zeroPoint)
            or len(scales) not in (1, output.channels)
            or not np.all((scales > 0) & np.isfinite(scales))
        ):
            raise self.file.fail(f"{spec.name} has weights that are not quantized symmetrically")
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
        """Reads the bias of a convolution; 0 if the bias is folded into another layer's."""
        if len(node.inputs) == 3 and node.inputs[2] >= 0:
            kind = INT32 if self.file.type == INT8 else INT64
            bias = self.file.constant(spec.name, node.inputs[2], kind)
            return bias.astype(np.int64).reshape(spec.out_channels)
        if self.file.type == INT16 and node.builtinOptions.quantizedBiasType == INT32:
            raise self.file.fail(
                f"{spec.name} has 32-bit sums of 16-bit products, which are rounded differently"
            )
        return np.zeros(spec.out_channels, np.int64)

    def _concatenation(self, name: str, taps: int, current: int) -> int:
        """Removes the CONCATENATION of taps and current input; returns its output."""
        node = self.file.take(name, "CONCATENATION", taps, current)
        self._check_no_activation(name, node)
        past, newest, joined = (self.file.quantized(i) for i in (taps, current, node.outputs[0]))
        if (past.scale, past.zero_point) != (newest.scale, newest.zero_point):
            raise self.file.fail(f"{name} reads taps and a current input of different scales")
        if joined.channels != past.channels + newest.channels:
            raise self.file.fail(
                f"{name} reads {past.channels} values of taps for {newest.channels} channels"
            )
        return joined.index

    def _addition(self, name: str, first: int, second: int) -> Addition:
        """Removes the ADD of two tensors, which may be in either order."""
        node = self.file.take(name, "ADD", first, second)
        self._check_no_activation(name, node)
        return Addition(*(self.file.quantized(index) for index in (first, second, node.outputs[0])))

    def _check_no_activation(self, name: str, node: Any) -> None:
        if node.builtinOptions.fusedActivationFunction:
            raise self.file.fail(f"the {self.file.op(node)} of {name} has an activation")
