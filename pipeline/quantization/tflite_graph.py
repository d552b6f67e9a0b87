"""Reads the tensors and nodes of a .tflite, with checks whose messages name the problem."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.quantization.step_model import (
    CONVOLUTION_OPS,
    MAKE_AGAIN,
    OPS,
    RELU,
    op_code,
    read_model,
    signature,
)

_OTHER_OPS = {  # by tflite BuiltinOperator
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    14: "LOGISTIC",
    18: "MUL",
    19: "RELU",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    32: "CUSTOM",
    114: "QUANTIZE",
}
TYPES = {0: "FLOAT32", 2: "INT32", 4: "INT64", 7: "INT16", 9: "INT8", 17: "INT4"}  # TensorType
INT32, INT64, INT16, INT8 = 2, 4, 7, 9
_DTYPES = {INT32: np.int32, INT64: np.int64, INT8: np.int8}


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


class TfliteGraph:
    """The graph of one file, from which nodes are removed one by one.

    Attributes:
        path: Path of the file.
        model: The file as Python objects, from `read_model`.
        graph: The only subgraph.
        nodes: The nodes that have not been removed.
        inputs: Tensor of each input by its name in the signature.
        outputs: Tensor of each output by its name in the signature.
        type: Type that activations must have, once it is known.
        rank: Number of axes that activations must have, once it is known; all but the last are 1.
    """

    def __init__(self, path: Path) -> None:
        """Reads a file.

        Raises:
            UserError: The file is missing or damaged.
        """
        self.path = path
        self.model = read_model(path)
        self.graph = self.model.subgraphs[0]
        self.nodes: list[Any] = list(self.graph.operators)
        self.inputs, self.outputs = signature(self.model)
        self.type = self.rank = 0

    def fail(self, problem: str) -> UserError:
        """Returns the error for a problem of this file."""
        return UserError(f"{self.path}: {problem}; {MAKE_AGAIN}")

    def check_ops(self) -> None:
        """Raises `UserError` if a node has an op that step models do not have."""
        for position, node in enumerate(self.nodes):
            if (code := op_code(self.model, node)) not in OPS:
                name = _OTHER_OPS.get(code, f"of builtin code {code}")
                raise self.fail(
                    f"node {position} is an op {name}, not one of {', '.join(OPS.values())}"
                )

    def take(self, name: str, op: str, *inputs: int, relu: bool = False) -> Any:
        """Removes the one node `op` with these inputs; of a convolution's, the first counts.

        Without taps, the first convolution of a block and its residual have the same input; the
        activation tells them apart.
        """

        def fits(node: Any) -> bool:
            found = [int(index) for index in node.inputs]
            if op in CONVOLUTION_OPS.values():
                found = found[:1]
            if op == "ADD":  # its inputs may be in either order
                return self.op(node) == op and sorted(found) == sorted(inputs)
            return self.op(node) == op and found == list(inputs)

        found = [node for node in self.nodes if fits(node)]
        if len(found) > 1 and op in CONVOLUTION_OPS.values():
            found = [n for n in found if relu == (n.builtinOptions.fusedActivationFunction == RELU)]
        if len(found) != 1:
            raise self.fail(f"there is not exactly one {op} with the inputs of {name}")
        self.nodes = [node for node in self.nodes if node is not found[0]]
        return found[0]

    def op(self, node: Any) -> str:
        """Returns the name of a node's op."""
        return OPS[op_code(self.model, node)]

    def tensor(self, index: int) -> Any:
        """Returns the description of a tensor."""
        return self.graph.tensors[index]

    def _text(self, index: int) -> str:
        return re.sub(r"[^ -~]", "?", self.tensor(index).name.decode(errors="replace"))

    def quantized(self, index: int) -> Quantized:
        """Reads the description of an activation tensor."""
        tensor = self.tensor(index)
        shape = [int(size) for size in tensor.shape]
        *ones, channels = shape
        if tensor.type != self.type or ones != [1] * (self.rank - 1) or channels < 1:
            kind, needed = TYPES.get(tensor.type, tensor.type), "1, " * (self.rank - 1)
            raise self.fail(
                f"tensor {self._text(index)!r} is {kind} of shape {shape}, not [{needed}channels]"
            )
        buffers = self.model.buffers  # TFLM does not check the number of a buffer
        if not 0 <= tensor.buffer < len(buffers) or buffers[tensor.buffer].data is not None:
            raise self.fail(f"tensor {self._text(index)!r} does not have an empty buffer")
        quantization = tensor.quantization
        if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
            raise self.fail(f"tensor {self._text(index)!r} is not quantized with a single scale")
        scale, zero_point = float(np.float32(quantization.scale[0])), int(quantization.zeroPoint[0])
        if not (math.isfinite(scale) and scale > 0) or not -128 <= zero_point <= 127:
            raise self.fail(
                f"tensor {self._text(index)!r} has scale {scale:g} and zero point {zero_point}"
            )
        return Quantized(int(index), channels, scale, zero_point)

    def constant(self, name: str, index: int, kind: int) -> npt.NDArray[Any]:
        """Reads a constant tensor whose type must be `kind`."""
        tensor = self.tensor(index)
        data = self.model.buffers[tensor.buffer].data
        if tensor.type != kind or data is None:
            found = "no constant" if data is None else TYPES.get(tensor.type, tensor.type)
            raise self.fail(f"{name} has weights or bias of {found} where {TYPES[kind]} is needed")
        values = np.frombuffer(bytes(data), _DTYPES[kind])
        if values.size != math.prod(int(size) for size in tensor.shape):
            raise self.fail(
                f"{name} has {values.size} weights or biases, which does not match its shape"
            )
        return values
