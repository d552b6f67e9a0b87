"""Reads and checks the step model, the .tflite that computes the logits of one frame.

The step model keeps no state. Its inputs are the current ``frame`` and, for each convolution that
has a ring, ``<conv>_taps``: the past inputs that the convolution still needs, oldest first. Its
outputs are the ``logits`` and, as ``<conv>_new_tap``, each convolution's current input, which the
caller pushes into a ring buffer. The first convolution has no such output because its ring takes
the frame itself. A ring holds ``n_past * dilation`` vectors (see `pipeline.model.topology`). Each
convolution multiplies a matrix by a CONCATENATION of taps and current input, so the graph needs
only three ops, and CONCATENATION forces a returned tap and its ring to share one scale. A network
of kernel size 1 has no context: its step model maps the frame to the logits, without
CONCATENATION.

The op that multiplies follows from the rank of the tensors. At int8 they are [1, channels], and
the op is FULLY_CONNECTED: TFLM computes it with half the instructions of a 1x1 CONV_2D on a
Cortex-M4F with CMSIS-NN, and with a tenth in its reference kernels. At 16x8 they are
[1, 1, 1, channels], and the op is CONV_2D, because CMSIS-NN refuses a FULLY_CONNECTED with a scale
per channel there. Older int8 models use CONV_2D, too. TFLM computes the same bits with both ops;
TensorFlow Lite rounds a FULLY_CONNECTED with a scale per channel differently.

The frame holds the pitch, 0 at the lowest and 1 at the highest note of the model's range, and
loudness_db / 80 + 1. The model's metadata ``pitch_range`` holds both notes, a byte each; a model
without it spans the notes 0 to 127.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from tflite_micro import runtime as tflm

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology
from pipeline.quantization.pitch_range import FLOAT_RANGE, PitchRange

OPS = {  # ops of a step model, by tflite BuiltinOperator
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    9: "FULLY_CONNECTED",
}
CONVOLUTION_OPS = {2: "FULLY_CONNECTED", 4: "CONV_2D"}  # op of a convolution by rank of the tensors
INT64 = 4  # tflite TensorType
RELU = 1  # tflite ActivationFunctionType
DTYPES = {0: np.float32, 7: np.int16, 9: np.int8}  # by tflite TensorType
PITCH_RANGE = b"pitch_range"  # name of the metadata
MAKE_AGAIN = "make it with python -m pipeline.convert"


def read_model(source: Path | bytes) -> Any:
    """Reads a .tflite into Python objects (``ModelT`` of the schema).

    Raises:
        UserError: The file is not a .tflite, or is damaged.
    """
    name, data = name_and_bytes(source)
    if data[4:8] != b"TFL3":
        raise UserError(f"{name} is not a .tflite model: {MAKE_AGAIN}")
    try:
        model = tflm.convert_bytearray_to_object(bytearray(data))
        if len(model.subgraphs) != 1 or len(model.signatureDefs) != 1:
            raise ValueError
        return model
    except Exception:  # damaged offsets make the flatbuffer reader raise anything
        raise UserError(f"{name} is damaged or cut short: {MAKE_AGAIN}") from None


def signature(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the tensor indices of a model's inputs and outputs by name."""
    maps = model.signatureDefs[0].inputs, model.signatureDefs[0].outputs
    inputs, outputs = (
        {entry.name.decode(): entry.tensorIndex for entry in entries} for entries in maps
    )
    return inputs, outputs


def network_config(model: Any, name: str) -> TcnConfig:
    """Derives the shape of the network in a step model from its inputs and outputs, if it has taps.

    Args:
        model: From `read_model`.
        name: Name of the model for an error message.

    Raises:
        UserError: The inputs and outputs are not those of a decoder step model.
    """

    def refuse(problem: str) -> UserError:
        return UserError(f"{name} is not a decoder step model: {problem}; {MAKE_AGAIN}")

    inputs, outputs = signature(model)
    taps = {input_name for input_name in inputs if input_name != FRAME}
    if FRAME in inputs and LOGITS in outputs and not taps:
        return _config_without_taps(model, name)
    named = topology(TcnConfig(n_blocks=len(taps) // 2, hidden_channels=1))
    rings = [layer for layer in named if layer.has_ring]
    if len(rings) < 4 or taps != {layer.taps_input for layer in rings}:
        raise refuse(
            f"it has the inputs {', '.join(sorted(inputs)) or 'none'} instead of the frame and the "
            "taps of two convolutions per block, for 2 or more blocks"
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
            raise refuse(
                f"{layer.taps_input} does not have the size of {n_past} inputs of its layer"
            )
    return config


def _config_without_taps(model: Any, name: str) -> TcnConfig:
    """Derives the shape of a network without past inputs from its convolutions.

    Raises:
        UserError: Their number is not that of a decoder.
    """
    graph = model.subgraphs[0]
    inputs, outputs = signature(model)
    codes = [code for code, op in OPS.items() if op in CONVOLUTION_OPS.values()]
    convolutions = [node for node in graph.operators if op_code(model, node) in codes]
    n_blocks, rest = divmod(len(convolutions) - 2, 2)  # a block has two, both residuals one
    if n_blocks < 2 or rest:
        raise UserError(
            f"{name} is not a decoder step model: it has no taps and {len(convolutions)} "
            f"convolutions; {MAKE_AGAIN}"
        )
    ends = inputs[FRAME], convolutions[0].outputs[0], outputs[LOGITS]
    n_inputs, hidden_channels, n_outputs = (int(graph.tensors[i].shape[-1]) for i in ends)
    return TcnConfig(n_blocks, hidden_channels, 1, n_inputs, n_outputs)


def op_code(model: Any, node: Any) -> int:
    """Returns the op of a node, a tflite BuiltinOperator."""
    code = model.operatorCodes[node.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def pitch_range(model: Any, name: str) -> PitchRange:
    """Returns the notes that the frame of a step model spans.

    Args:
        model: From `read_model`.
        name: Name of the model for an error message.

    Raises:
        UserError: The model's metadata are damaged.
    """
    for entry in model.metadata or ():
        if entry.name == PITCH_RANGE:
            try:
                return PitchRange(*bytes(model.buffers[entry.buffer].data))
            except (IndexError, TypeError, ValueError):
                raise UserError(f"{name} has a damaged range of pitch; {MAKE_AGAIN}") from None
    return FLOAT_RANGE


def check_step_model(model: Any, name: str) -> None:
    """Checks that the device can stream through a quantized model.

    Args:
        model: From `read_model`.
        name: Name of the model for an error message.

    Raises:
        UserError: The model is not a step model, or has an op that is not in `OPS`, a ring whose
            scale or zero point differs from that of the vectors pushed into it, a bias whose scale
            is not that of its products, or sums that could overflow 32 bits.
    """
    graph = model.subgraphs[0]
    inputs, outputs = signature(model)
    for layer in topology(network_config(model, name)):
        if layer.has_taps:
            ring, pushed = inputs[layer.taps_input], pushed_tensor(layer, inputs, outputs)
            if quantization(graph.tensors[ring]) != quantization(graph.tensors[pushed]):
                raise UserError(
                    f"{name}: {layer.taps_input} and the vectors pushed into its ring differ in "
                    f"scale; {MAKE_AGAIN}"
                )
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code not in OPS:
            raise UserError(
                f"{name} has an op that step models do not have (tflite builtin {code}); "
                f"{MAKE_AGAIN}"
            )
        if OPS[code] in CONVOLUTION_OPS.values():
            _check_convolution(model, operator, name)


def pushed_tensor(layer: LayerSpec, inputs: dict[str, int], outputs: dict[str, int]) -> int:
    """Returns the index of the tensor that is pushed into the ring of a layer."""
    name = layer.new_tap_output
    return inputs[FRAME] if name is None else outputs[name]


def _check_convolution(model: Any, operator: Any, name: str) -> None:
    x, kernel, bias = (model.subgraphs[0].tensors[index] for index in operator.inputs)
    products = np.float32(x.quantization.scale[0]) * np.float32(kernel.quantization.scale)
    if not np.allclose(bias.quantization.scale, products, rtol=1e-5, atol=0):
        raise UserError(
            f"{name}: the scale of {bias.name.decode()} is not that of input times kernel; "
            f"{MAKE_AGAIN}"
        )
    weights = model.buffers[kernel.buffer].data.view(np.int8).reshape(kernel.shape[0], -1)
    offsets = model.buffers[bias.buffer].data.view(np.int64 if bias.type == INT64 else np.int32)
    largest_input = 255 if DTYPES[x.type] == np.int8 else 32768  # distance to the zero point
    sums = np.abs(weights.astype(np.int64)).sum(axis=1) * largest_input + np.abs(offsets)
    if sums.max() >= 2**31:
        raise UserError(
            f"{name}: sums of {kernel.name.decode()} may overflow 32 bits: train the model again"
        )


def name_and_bytes(source: Path | bytes) -> tuple[str, bytes]:
    """Returns the name of a model for messages, and its content."""
    if isinstance(source, bytes):
        return "the model", source
    if not source.is_file():
        raise UserError(
            f"{source} is missing: make it with python -m pipeline.quantize --run {source.parent}"
        )
    return str(source), source.read_bytes()


def quantization(tensor: Any) -> tuple[float, int]:
    """Returns scale and zero point of a tensor; 1 and 0 if it is not quantized."""
    if tensor.quantization is None or tensor.quantization.scale is None:
        return 1.0, 0
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def import_tensorflow() -> Any:
    """Imports TensorFlow, which takes seconds and is needed only to make models."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow
