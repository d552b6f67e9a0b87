"""Runs a step model frame by frame, with kernels that equal the device's bit for bit."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tflite_micro import runtime as tflm

from pipeline.model.topology import FRAME, LOGITS, topology
from pipeline.quantization.pitch_range import PitchRange
from pipeline.quantization.step_model import (
    DTYPES,
    check_step_model,
    import_tensorflow,
    name_and_bytes,
    network_config,
    pitch_range,
    pushed_tensor,
    quantization,
    read_model,
    signature,
)

Array = npt.NDArray[Any]
Step = Callable[[dict[int, Array]], dict[int, Array]]


class StreamingDecoder:
    """Runs a step model frame by frame and keeps its rings, as the device does.

    Attributes:
        dtype: Type of frames and logits: int8, int16, or float32 for a model that is not quantized.
        input_quantization: Scale and zero point of the frame (1 and 0 in float).
        output_quantization: Scale and zero point of the logits.
        pitch: The notes that the frame's pitch spans.
        trace: Vectors pushed into the ring of each convolution since the last reset.
    """

    def __init__(
        self, source: Path | str | bytes, *, runtime: Literal["tflm", "reference"] = "tflm"
    ):
        """Loads a model.

        Args:
            source: Path or bytes of a .tflite step model.
            runtime: ``tflm``, the interpreter of the tflite-micro package, or ``reference``,
                TensorFlow Lite's reference kernels, which a float32 model needs. Both give the same
                bits for CONV_2D; for an int8 FULLY_CONNECTED, the reference kernels differ.

        Raises:
            UserError: The file is missing, damaged, or not a step model.
        """
        name, data = name_and_bytes(source if isinstance(source, bytes) else Path(source))
        model = read_model(data if isinstance(source, bytes) else Path(source))
        tensors = model.subgraphs[0].tensors
        self._inputs, self._outputs = signature(model)
        self._shapes = {index: tensors[index].shape for index in self._inputs.values()}
        self.dtype = np.dtype(DTYPES[tensors[model.subgraphs[0].inputs[0]].type])
        config = network_config(model, name)
        if self.dtype != np.float32:
            check_step_model(model, name)
        self._step = (_tflm_step if runtime == "tflm" else _reference_step)(
            data, model.subgraphs[0]
        )
        self.input_quantization = quantization(tensors[self._inputs[FRAME]])
        self.output_quantization = quantization(tensors[self._outputs[LOGITS]])
        self.pitch: PitchRange = pitch_range(model, name)
        self._layers = [layer for layer in topology(config) if layer.has_taps]
        self._rings: dict[str, Array] = {}
        self._zero_points: dict[str, int] = {}
        for layer in self._layers:
            shape = layer.n_past, layer.dilation, layer.in_channels
            taps = tensors[self._inputs[layer.taps_input]]
            self._rings[layer.name] = np.empty(shape, self.dtype)
            self._zero_points[layer.name] = quantization(taps)[1]
        self.trace: dict[str, list[Array]] = {}
        self.reset()

    def reset(self) -> None:
        """Sets every ring to its zero point, which represents 0, and clears the trace."""
        for layer, ring in self._rings.items():
            ring[:] = self._zero_points[layer]
        self.trace = {layer: [] for layer in self._rings}
        self._n_frames = 0

    def prime(self, frame: Array) -> None:
        """Sets every ring as if one quantized frame, shape [2], had been decoded forever."""
        self.reset()
        for _ in self._rings:  # each step settles the ring of one more layer
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
        results = self._step(
            {index: value.reshape(self._shapes[index]) for index, value in values.items()}
        )
        results[self._inputs[FRAME]] = frame
        for layer in self._layers:
            turn, slot = divmod(self._n_frames, layer.dilation)
            pushed = results[pushed_tensor(layer, self._inputs, self._outputs)].reshape(-1)
            self._rings[layer.name][turn % layer.n_past, slot] = pushed
            self.trace[layer.name].append(pushed.copy())
        self._n_frames += 1
        return results[self._outputs[LOGITS]].reshape(-1).copy()

    def run(self, frames: Array) -> Array:
        """Decodes quantized frames, shape [n_frames, 2], to logits, shape [n_frames, 6]."""
        return np.stack([self.step(frame) for frame in frames])

    def quantize_frames(self, frames: Array) -> Array:
        """Quantizes scaled features, saturating, same shape."""
        return quantize(self.pitch.narrow(frames), *self.input_quantization, self.dtype)

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
    """Returns the same function as `_tflm_step`, with TensorFlow Lite's reference kernels."""
    lite = import_tensorflow().lite
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow announces a successor of its interpreter
        resolver = lite.experimental.OpResolverType.BUILTIN_REF
        interpreter = lite.Interpreter(model_content=data, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()

    def step(values: dict[int, Array]) -> dict[int, Array]:
        for index, value in values.items():
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return {index: interpreter.get_tensor(index) for index in graph.outputs}

    return step
