"""Reads, checks and runs the step model, the .tflite that turns one frame into logits.

The step model keeps no state. Its inputs are the current ``frame`` and, for each convolution that
has a ring, ``<conv>_taps``: the past inputs that the convolution still needs, oldest first. Its
outputs are the ``logits`` and, as ``<conv>_new_tap``, each convolution's current input, which the
caller pushes into a ring buffer. The first convolution has no such output because its ring takes
the frame itself. A ring holds ``n_past * dilation`` vectors (see `pipeline.model.topology`).
Written as 1x1 CONV_2D over a CONCATENATION of taps and current input, the network is a graph of
three ops, in which CONCATENATION forces a returned tap and its ring to share one scale.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tflite_micro import runtime as tflm

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology

OPS = {0: "ADD", 2: "CONCATENATION", 3: "CONV_2D"}  # ops of a step model, by tflite BuiltinOperator
INT64 = 4  # tflite TensorType
_DTYPES = {0: np.float32, 7: np.int16, 9: np.int8}  # by tflite TensorType
Array = npt.NDArray[Any]
Step = Callable[[dict[int, Array]], dict[int, Array]]


def read_model(source: Path | bytes) -> Any:
    """Reads a .tflite into Python objects (``ModelT`` of the schema).

    Raises:
        UserError: The file is not a .tflite, or is damaged.
    """
    name, data = _name_and_bytes(source)
    if data[4:8] != b"TFL3":
        raise UserError(f"{name} is not a .tflite model: make it again with pipeline.convert")
    try:
        model = tflm.convert_bytearray_to_object(bytearray(data))
        if len(model.subgraphs) != 1 or len(model.signatureDefs) != 1:
            raise ValueError
        return model
    except Exception:  # damaged offsets make the flatbuffer reader raise anything
        raise UserError(
            f"{name} is damaged or cut short: make it again with pipeline.convert"
        ) from None


def signature(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the tensor indices of a model's inputs and outputs by name."""
    maps = model.signatureDefs[0].inputs, model.signatureDefs[0].outputs
    inputs, outputs = (
        {entry.name.decode(): entry.tensorIndex for entry in entries} for entries in maps
    )
    return inputs, outputs


def network_config(model: Any, name: str) -> TcnConfig:
    """Derives the shape of the network in a step model from its inputs and outputs.

    Args:
        model: From `read_model`.
        name: Name of the model for an error message.

    Raises:
        UserError: The inputs and outputs are not those of a decoder step model.
    """

    def refuse(problem: str) -> UserError:
        return UserError(
            f"{name} is no decoder step model: {problem}; make it with pipeline.convert"
        )

    inputs, outputs = signature(model)
    taps = {input_name for input_name in inputs if input_name != FRAME}
    named = topology(TcnConfig(n_blocks=len(taps) // 2, hidden_channels=1))
    rings = [layer for layer in named if layer.has_ring]
    if len(rings) < 4 or taps != {layer.taps_input for layer in rings}:
        raise refuse(
            f"its inputs {', '.join(sorted(taps)) or 'but the frame'} are not the taps of two "
            "convolutions for each of 2 or more blocks"
        )
    needed = {LOGITS, *(layer.new_tap_output for layer in rings if layer.new_tap_output)}
    if missing := {FRAME} - set(inputs) | needed - set(outputs):
        raise refuse(f"its signature has no {min(missing)!r}")

    def channels(index: int) -> int:
        return int(model.subgraphs[0].tensors[index].shape[-1])

    n_inputs = channels(inputs[FRAME])
    n_past = channels(inputs[rings[0].taps_input]) // max(n_inputs, 1)
    config = TcnConfig(
        n_blocks=len(taps) // 2,
        hidden_channels=channels(inputs[rings[1].taps_input]) // max(n_past, 1),
        kernel_size=n_past + 1,
        n_inputs=n_inputs,
        n_outputs=channels(outputs[LOGITS]),
    )
    for layer in topology(config):
        if layer.has_ring and channels(inputs[layer.taps_input]) != n_past * layer.in_channels:
            raise refuse(f"{layer.taps_input} has another size than {n_past} inputs of its layer")
    return config


def check_step_model(model: Any, name: str) -> None:
    """Checks that the device can stream through a quantized model.

    Args:
        model: From `read_model`.
        name: Name of the model for an error message.

    Raises:
        UserError: The model is not a step model, has an op other than the three, a ring whose scale
            or zero point differs from that of the vectors pushed into it, a bias whose scale is not
            that of its products, or sums that could overflow 32 bits.
    """
    graph = model.subgraphs[0]
    inputs, outputs = signature(model)
    for layer in topology(network_config(model, name)):
        if layer.has_ring:
            ring, pushed = inputs[layer.taps_input], _pushed(layer, inputs, outputs)
            if _quantization(graph.tensors[ring]) != _quantization(graph.tensors[pushed]):
                raise UserError(
                    f"{name}: {layer.taps_input} and the vectors pushed into its ring "
                    "differ in scale"
                )
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code not in OPS:
            raise UserError(f"{name} has an op that a step model has not (tflite builtin {code})")
        if OPS[code] == "CONV_2D":
            _check_convolution(model, operator, name)


def _pushed(layer: LayerSpec, inputs: dict[str, int], outputs: dict[str, int]) -> int:
    """Returns the tensor that goes into the ring of a layer."""
    name = layer.new_tap_output
    return inputs[FRAME] if name is None else outputs[name]


def _check_convolution(model: Any, operator: Any, name: str) -> None:
    x, kernel, bias = (model.subgraphs[0].tensors[index] for index in operator.inputs)
    products = np.float32(x.quantization.scale[0]) * np.float32(kernel.quantization.scale)
    if not np.allclose(bias.quantization.scale, products, rtol=1e-5, atol=0):
        raise UserError(f"{name}: {bias.name.decode()} has another scale than input times kernel")
    weights = model.buffers[kernel.buffer].data.view(np.int8).reshape(kernel.shape[0], -1)
    offsets = model.buffers[bias.buffer].data.view(np.int64 if bias.type == INT64 else np.int32)
    largest_input = 255 if _DTYPES[x.type] == np.int8 else 32768  # distance to the zero point
    sums = np.abs(weights.astype(np.int64)).sum(axis=1) * largest_input + np.abs(offsets)
    if sums.max() >= 2**31:
        raise UserError(f"{name}: sums of {kernel.name.decode()} may overflow 32 bits")


class StreamingDecoder:
    """Runs a step model frame by frame and keeps its rings, as the device does.

    Attributes:
        dtype: Type of frames and logits: int8, int16, or float32 for a model that is not quantized.
        input_quantization: Scale and zero point of the frame (1 and 0 in float).
        output_quantization: Scale and zero point of the logits.
        trace: By convolution, every vector pushed into its ring since the last reset.
    """

    def __init__(
        self, source: Path | str | bytes, *, runtime: Literal["tflm", "reference"] = "tflm"
    ):
        """Loads a model.

        Args:
            source: Path or bytes of a .tflite step model.
            runtime: ``tflm``, the interpreter of the tflite-micro package, or ``reference``,
                TensorFlow Lite's reference kernels; both give the same bits. A float32 model needs
                ``reference``.

        Raises:
            UserError: The file is missing, damaged, or not a step model.
        """
        name, data = _name_and_bytes(source if isinstance(source, bytes) else Path(source))
        model = read_model(data if isinstance(source, bytes) else Path(source))
        tensors = model.subgraphs[0].tensors
        self._inputs, self._outputs = signature(model)
        self.dtype = np.dtype(_DTYPES[tensors[model.subgraphs[0].inputs[0]].type])
        config = network_config(model, name)
        if self.dtype != np.float32:
            check_step_model(model, name)
        self._step = (_tflm_step if runtime == "tflm" else _reference_step)(
            data, model.subgraphs[0]
        )
        self.input_quantization = _quantization(tensors[self._inputs[FRAME]])
        self.output_quantization = _quantization(tensors[self._outputs[LOGITS]])
        self._layers = [layer for layer in topology(config) if layer.has_ring]
        self._rings: dict[str, Array] = {}
        self._zero_points: dict[str, int] = {}
        for layer in self._layers:
            shape = layer.n_past, layer.dilation, layer.in_channels
            taps = tensors[self._inputs[layer.taps_input]]
            self._rings[layer.name] = np.empty(shape, self.dtype)
            self._zero_points[layer.name] = _quantization(taps)[1]
        self.trace: dict[str, list[Array]] = {}
        self.reset()

    def reset(self) -> None:
        """Sets every ring to its zero point, which stands for 0, and clears the trace."""
        for layer, ring in self._rings.items():
            ring[:] = self._zero_points[layer]
        self.trace = {layer: [] for layer in self._rings}
        self._n_frames = 0

    def prime(self, frame: Array) -> None:
        """Sets every ring as if a quantized frame, shape [2], had been decoded forever."""
        self.reset()
        for _ in self._rings:  # each step makes the rings of one more layer right
            self.step(frame)
            for layer, ring in self._rings.items():
                ring[:] = self.trace[layer][-1]
        self.trace = {layer: [] for layer in self._rings}
        self._n_frames = 0

    def step(self, frame: Array) -> Array:
        """Decodes one quantized frame, shape [2], to quantized logits, shape [6]."""
        frame = np.asarray(frame, self.dtype)
        values = {self._inputs[FRAME]: frame}
        for layer in self._layers:
            # The rows of a ring are `dilation` apart in time. Row r was written
            # (r + 1 - n) mod n_past turns ago.
            turn, slot = divmod(self._n_frames, layer.dilation)
            past = self._rings[layer.name][:, slot]
            values[self._inputs[layer.taps_input]] = np.roll(past, -(turn % layer.n_past), axis=0)
        results = self._step({index: value.reshape(1, 1, 1, -1) for index, value in values.items()})
        results[self._inputs[FRAME]] = frame
        for layer in self._layers:
            turn, slot = divmod(self._n_frames, layer.dilation)
            pushed = results[_pushed(layer, self._inputs, self._outputs)].reshape(-1)
            self._rings[layer.name][turn % layer.n_past, slot] = pushed
            self.trace[layer.name].append(pushed.copy())
        self._n_frames += 1
        return results[self._outputs[LOGITS]].reshape(-1).copy()

    def run(self, frames: Array) -> Array:
        """Decodes quantized frames, shape [n_frames, 2], to logits, shape [n_frames, 6]."""
        return np.stack([self.step(frame) for frame in frames])

    def quantize_frames(self, frames: Array) -> Array:
        """Quantizes scaled features, saturating, same shape."""
        return quantize(frames, *self.input_quantization, self.dtype)

    def dequantize_logits(self, logits: Array) -> npt.NDArray[np.float32]:
        """Returns logits as float32, same shape."""
        scale, zero_point = self.output_quantization
        return ((logits.astype(np.int32) - zero_point) * np.float32(scale)).astype(np.float32)


def quantize(values: Array, scale: float, zero_point: int, dtype: np.dtype[Any]) -> Array:
    """Rounds `values` to integers of `dtype`, saturating; returns float32 unchanged."""
    if dtype == np.float32:
        return np.asarray(values, np.float32)
    limits = np.iinfo(dtype)
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(dtype)


def _name_and_bytes(source: Path | bytes) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        return "the model", source
    if not source.is_file():
        raise UserError(f"{source} is missing: make it with pipeline.quantize and pipeline.convert")
    return str(source), source.read_bytes()


def _quantization(tensor: Any) -> tuple[float, int]:
    """Returns scale and zero point of a tensor; 1 and 0 in float."""
    if tensor.quantization is None or tensor.quantization.scale is None:
        return 1.0, 0
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def _tflm_step(data: bytes, graph: Any) -> Step:
    """Returns a function from input arrays to output arrays, both by tensor index."""
    interpreter = tflm.Interpreter.from_bytes(data)

    def step(values: dict[int, Array]) -> dict[int, Array]:
        for position, index in enumerate(graph.inputs):
            interpreter.set_input(values[index], position)
        interpreter.invoke()
        return {
            index: interpreter.get_output(position) for position, index in enumerate(graph.outputs)
        }

    return step


def _reference_step(data: bytes, graph: Any) -> Step:
    """Returns the same function as `_tflm_step`, by TensorFlow Lite's reference kernels."""
    lite = import_tensorflow().lite
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the announcement of a successor
        resolver = lite.experimental.OpResolverType.BUILTIN_REF
        interpreter = lite.Interpreter(model_content=data, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()

    def step(values: dict[int, Array]) -> dict[int, Array]:
        for index, value in values.items():
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return {index: interpreter.get_tensor(index) for index in graph.outputs}

    return step


def import_tensorflow() -> Any:
    """Imports TensorFlow, which takes seconds and is needed only to make a model."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow
