"""Reads, checks and runs the step model, the .tflite that turns a frame into logits.

The step model keeps no state. It takes the current ``frame`` and, for each dilated convolution,
``<conv>_taps``: the past inputs that the convolution still needs, oldest first. It returns the
``logits`` and, as ``<conv>_new_tap``, each convolution's current input, which the caller pushes
into a ring buffer (the first convolution's ring is fed with the frame itself). A convolution
``block<b>_conv<i>`` has dilation ``2**b``, so its ring holds ``(kernel_size - 1) * 2**b`` vectors.
Written as 1x1 CONV_2D over a CONCATENATION of taps and current input, the network is a graph of
three ops, in which CONCATENATION forces a returned tap and its ring to share one scale.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tflite_micro import runtime as tflm

from pipeline.core.errors import UserError

OPS = {0: "ADD", 2: "CONCATENATION", 3: "CONV_2D"}  # of a step model, by tflite BuiltinOperator
INT64 = 4  # tflite TensorType
_DTYPES = {0: np.float32, 7: np.int16, 9: np.int8}  # by tflite TensorType
Step = Callable[[dict[int, np.ndarray]], dict[int, np.ndarray]]


def read_model(source: Path | bytes) -> Any:
    """Reads a .tflite into Python objects (``ModelT`` of the schema).

    Raises:
        UserError: It is no .tflite, or a damaged one.
    """
    name, data = _name_and_bytes(source)
    if data[4:8] != b"TFL3":
        raise UserError(f"{name} is not a .tflite model: make it again with pipeline.convert")
    try:
        model = tflm.convert_bytearray_to_object(bytearray(data))
        if len(model.subgraphs) != 1 or len(model.signatureDefs) != 1:
            raise ValueError
        return model
    except Exception:  # the flatbuffer reader raises whatever the damaged offsets lead to
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


def check_step_model(model: Any, name: str) -> None:
    """Checks that a quantized model is one that the device can stream through.

    Args:
        model: From `read_model`.
        name: What to call it in an error.

    Raises:
        UserError: It is no step model, has another op than the three, a ring whose scale or zero
            point differs from that of what is pushed into it, a bias of another scale than its
            products, or sums that could overflow 32 bits.
    """
    graph = model.subgraphs[0]
    inputs, outputs = signature(model)
    if "frame" not in inputs or "logits" not in outputs:
        raise UserError(f"{name} is no decoder step model: make it with pipeline.convert")
    for ring, index in inputs.items():
        pushed = outputs.get(ring.replace("_taps", "_new_tap"), inputs["frame"])
        if _quantization(graph.tensors[index]) != _quantization(graph.tensors[pushed]):
            raise UserError(f"{name}: {ring} and what is pushed into its ring differ in scale")
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code not in OPS:
            raise UserError(f"{name} has an op that a step model has not (tflite builtin {code})")
        if OPS[code] == "CONV_2D":
            _check_convolution(model, operator, name)


def _check_convolution(model: Any, operator: Any, name: str) -> None:
    x, kernel, bias = (model.subgraphs[0].tensors[index] for index in operator.inputs)
    products = np.float32(x.quantization.scale[0]) * np.float32(kernel.quantization.scale)
    if not np.allclose(bias.quantization.scale, products, rtol=1e-5, atol=0):
        raise UserError(f"{name}: {bias.name.decode()} has another scale than input times kernel")
    weights = model.buffers[kernel.buffer].data.view(np.int8).reshape(kernel.shape[0], -1)
    offsets = model.buffers[bias.buffer].data.view(np.int64 if bias.type == INT64 else np.int32)
    largest_input = 255 if _DTYPES[x.type] == np.int8 else 32768  # less its zero point
    sums = np.abs(weights.astype(np.int64)).sum(axis=1) * largest_input + np.abs(offsets)
    if sums.max() >= 2**31:
        raise UserError(f"{name}: sums of {kernel.name.decode()} may overflow 32 bits")


class StreamingDecoder:
    """Runs a step model frame by frame with the rings kept here, as the device does.

    Attributes:
        dtype: Of frames and logits: int8, int16, or float32 for a model that is not quantized.
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
            UserError: The file is missing, damaged, or no step model.
        """
        name, data = _name_and_bytes(source if isinstance(source, bytes) else Path(source))
        model = read_model(data if isinstance(source, bytes) else Path(source))
        tensors = model.subgraphs[0].tensors
        self._inputs, self._outputs = signature(model)
        self.dtype = np.dtype(_DTYPES[tensors[model.subgraphs[0].inputs[0]].type])
        if self.dtype != np.float32:
            check_step_model(model, name)
        self._step = (_tflm_step if runtime == "tflm" else _reference_step)(
            data, model.subgraphs[0]
        )
        self.input_quantization = _quantization(tensors[self._inputs["frame"]])
        self.output_quantization = _quantization(tensors[self._outputs["logits"]])
        n_inputs = tensors[self._inputs["frame"]].shape[-1]
        self._rings: dict[str, np.ndarray] = {}
        self._zero_points: dict[str, int] = {}
        for name, index in self._inputs.items():
            if not name.endswith("_taps"):
                continue
            layer = name.removesuffix("_taps")
            pushed = self._outputs.get(f"{layer}_new_tap")
            channels = n_inputs if pushed is None else tensors[pushed].shape[-1]
            n_past = tensors[index].shape[-1] // channels
            dilation = 2 ** int(layer.removeprefix("block").split("_")[0])
            self._rings[layer] = np.empty((n_past, dilation, channels), self.dtype)
            self._zero_points[layer] = int(_quantization(tensors[index])[1])
        self.trace: dict[str, list[np.ndarray]] = {}
        self.reset()

    def reset(self) -> None:
        """Sets every ring to its zero point, which stands for 0, and clears the trace."""
        for layer, ring in self._rings.items():
            ring[:] = self._zero_points[layer]
        self.trace = {layer: [] for layer in self._rings}
        self._n_frames = 0

    def settle(self, frame: np.ndarray) -> None:
        """Sets every ring as if a quantized frame, shape [2], had been decoded for ever."""
        self.reset()
        for _ in self._rings:  # each step gets the rings of one layer more right
            self.step(frame)
            for layer, ring in self._rings.items():
                ring[:] = self.trace[layer][-1]
        self.trace = {layer: [] for layer in self._rings}
        self._n_frames = 0

    def step(self, frame: np.ndarray) -> np.ndarray:
        """Decodes one quantized frame, shape [2], to quantized logits, shape [6]."""
        frame = np.asarray(frame, self.dtype)
        values = {self._inputs["frame"]: frame}
        for layer, ring in self._rings.items():
            # Rows of a ring are `dilation` apart in time: row r was written (r + 1 - n) mod n_past
            # turns ago.
            n_past, dilation, _ = ring.shape
            turn, slot = divmod(self._n_frames, dilation)
            values[self._inputs[f"{layer}_taps"]] = np.roll(
                ring[:, slot], -(turn % n_past), axis=0
            ).reshape(-1)
        results = self._step({index: value.reshape(1, 1, 1, -1) for index, value in values.items()})
        for layer, ring in self._rings.items():
            n_past, dilation, _ = ring.shape
            turn, slot = divmod(self._n_frames, dilation)
            index = self._outputs.get(f"{layer}_new_tap")
            pushed = frame if index is None else results[index].reshape(-1)
            ring[turn % n_past, slot] = pushed
            self.trace[layer].append(pushed.copy())
        self._n_frames += 1
        return results[self._outputs["logits"]].reshape(-1).copy()

    def run(self, frames: np.ndarray) -> np.ndarray:
        """Decodes quantized frames, shape [n_frames, 2], to logits, shape [n_frames, 6]."""
        return np.stack([self.step(frame) for frame in frames])

    def quantize_frames(self, frames: np.ndarray) -> np.ndarray:
        """Quantizes scaled features, saturating, same shape."""
        return quantize(frames, *self.input_quantization, self.dtype)

    def dequantize_logits(self, logits: np.ndarray) -> np.ndarray:
        """Returns logits as float32, same shape."""
        scale, zero_point = self.output_quantization
        return ((logits.astype(np.int32) - zero_point) * np.float32(scale)).astype(np.float32)


def quantize(values: np.ndarray, scale: float, zero_point: int, dtype: np.dtype) -> np.ndarray:
    """Rounds `values` to integers of `dtype`, saturating; float32 is returned as it is."""
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
    """Scale and zero point of a tensor; 1 and 0 in float."""
    if tensor.quantization is None or tensor.quantization.scale is None:
        return 1.0, 0
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def _tflm_step(data: bytes, graph: Any) -> Step:
    """Returns a function from input arrays to output arrays, both by tensor index."""
    interpreter = tflm.Interpreter.from_bytes(data)

    def step(values: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        for position, index in enumerate(graph.inputs):
            interpreter.set_input(values[index], position)
        interpreter.invoke()
        return {
            index: interpreter.get_output(position) for position, index in enumerate(graph.outputs)
        }

    return step


def _reference_step(data: bytes, graph: Any) -> Step:
    """Returns the same as `_tflm_step`, computed by TensorFlow Lite's reference kernels."""
    lite = import_tensorflow().lite
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its announcement of a successor
        resolver = lite.experimental.OpResolverType.BUILTIN_REF
        interpreter = lite.Interpreter(model_content=data, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()

    def step(values: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        for index, value in values.items():
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return {index: interpreter.get_tensor(index) for index in graph.outputs}

    return step


def import_tensorflow() -> Any:
    """Imports TensorFlow, which takes seconds and which only making a model needs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow
