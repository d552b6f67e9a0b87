"""Reads and checks the step model, the .tflite that turns one frame into logits.

The step model keeps no state. Its inputs are the current ``frame`` and, for each convolution that
has a ring, ``<conv>_taps``: the past inputs that the convolution still needs, oldest first. Its
outputs are the ``logits`` and, as ``<conv>_new_tap``, each convolution's current input, which the
caller pushes into a ring buffer. The first convolution has no such output because its ring takes
the frame itself. A ring holds ``n_past * dilation`` vectors (see `pipeline.model.topology`).
Written as 1x1 CONV_2D over a CONCATENATION of taps and current input, the network is a graph of
three ops, in which CONCATENATION forces a returned tap and its ring to share one scale.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from tflite_micro import runtime as tflm

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology

OPS = {0: "ADD", 2: "CONCATENATION", 3: "CONV_2D"}  # ops of a step model, by tflite BuiltinOperator
INT64 = 4  # tflite TensorType
DTYPES = {0: np.float32, 7: np.int16, 9: np.int8}  # by tflite TensorType


def read_model(source: Path | bytes) -> Any:
    """Reads a .tflite into Python objects (``ModelT`` of the schema).

    Raises:
        UserError: The file is not a .tflite, or is damaged.
    """
    name, data = name_and_bytes(source)
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
            ring, pushed = inputs[layer.taps_input], pushed_tensor(layer, inputs, outputs)
            if quantization(graph.tensors[ring]) != quantization(graph.tensors[pushed]):
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


def pushed_tensor(layer: LayerSpec, inputs: dict[str, int], outputs: dict[str, int]) -> int:
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
    largest_input = 255 if DTYPES[x.type] == np.int8 else 32768  # distance to the zero point
    sums = np.abs(weights.astype(np.int64)).sum(axis=1) * largest_input + np.abs(offsets)
    if sums.max() >= 2**31:
        raise UserError(f"{name}: sums of {kernel.name.decode()} may overflow 32 bits")


def name_and_bytes(source: Path | bytes) -> tuple[str, bytes]:
    """Returns the name of a model for messages, and its content."""
    if isinstance(source, bytes):
        return "the model", source
    if not source.is_file():
        raise UserError(f"{source} is missing: make it with pipeline.quantize and pipeline.convert")
    return str(source), source.read_bytes()


def quantization(tensor: Any) -> tuple[float, int]:
    """Returns scale and zero point of a tensor; 1 and 0 in float."""
    if tensor.quantization is None or tensor.quantization.scale is None:
        return 1.0, 0
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def import_tensorflow() -> Any:
    """Imports TensorFlow, which takes seconds and is needed only to make a model."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow
