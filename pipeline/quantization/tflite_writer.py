"""Writes the quantized step model, which the device runs once per frame, from the float TCN.

The step model (see `pipeline.quantization.step_model`) computes the same function as the network,
as 1x1 convolutions over each convolution's past and current inputs. `pipeline.quantize` decides on
weights and ranges and leaves them in the run folder as ``decoder_<format>.npz``; this module turns
them into ``decoder_<format>.tflite``. Equal arrays always give equal bytes. The convolutions of an
int8 model are replaced by FULLY_CONNECTED after quantization, so both ops have equal parameters.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.constants import FORMATS, Format
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.runs import load_run
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, kernel_shapes, topology
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.pitch_range import FLOAT_RANGE, PitchRange
from pipeline.quantization.step_model import (
    INT64,
    OPS,
    PITCH_RANGE,
    RELU,
    check_step_model,
    import_tensorflow,
    network_config,
    op_code,
    read_model,
    signature,
)
from pipeline.quantization.weights import (
    Ranges,
    Weights,
    fold_residual_bias,
    load_pitch_range,
    load_ranges,
    load_weights,
)

FULLY_CONNECTED_VERSION = 4  # that of the converter for int8


def float_step_model(weights: Weights, config: TcnConfig) -> bytes:
    """Builds the step model in float32.

    Args:
        weights: Weights of the network.
        config: Shape of the network.

    Returns:
        The .tflite model.
    """
    tf = import_tensorflow()
    weights = fold_residual_bias(weights, config)
    layers = topology(config)

    def conv(layer: LayerSpec, x: Any, taps: Any) -> Any:
        kernel, bias = weights[layer.name]
        x = x if taps is None else tf.concat([taps, x], axis=-1)
        y = tf.nn.conv2d(x, kernel.reshape(1, 1, -1, kernel.shape[-1]), strides=1, padding="VALID")
        y = y if layer.has_folded_bias else tf.nn.bias_add(y, bias)
        return tf.nn.relu(y) if layer.relu else y

    def step(frame: Any, **taps: Any) -> dict[str, Any]:
        values, new_taps = {FRAME: frame}, {}
        for layer in layers:
            x = values[layer.source]
            if layer.new_tap_output:
                new_taps[layer.new_tap_output] = x
            values[layer.name] = conv(layer, x, taps.get(layer.taps_input))
            if layer.sum:
                values[layer.sum.name] = values[layer.sum.addend] + values[layer.name]
        return {**new_taps, LOGITS: values[LOGITS]}

    channels = {FRAME: config.n_inputs}
    channels |= {
        layer.taps_input: layer.n_past * layer.in_channels for layer in layers if layer.has_taps
    }
    specs = {name: tf.TensorSpec((1, 1, 1, n), name=name) for name, n in channels.items()}
    module = tf.Module()
    module.step = tf.function(step)
    concrete = module.step.get_concrete_function(**specs)
    model: bytes = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    return model


def convert_step_model(
    weights: Weights,
    config: TcnConfig,
    ranges: Ranges,
    fmt: Format,
    pitch: PitchRange = FLOAT_RANGE,
) -> bytes:
    """Builds the quantized step model.

    Args:
        weights: Weights of the network.
        config: Shape of the network.
        ranges: Range of every value by name, for weights with the residual's bias folded.
        fmt: ``int8`` or ``int16x8``.
        pitch: The notes that the frame spans (see `pipeline.quantization.pitch_range`).

    Returns:
        The .tflite model, whose inputs and outputs are quantized; equal arguments give equal bytes.
    """
    tf = import_tensorflow()
    from tensorflow.lite.python import convert as converter
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    # The ranges are written into the float model's tensors instead of being left to the converter's
    # calibrator, because the range of a ring must equal that of the vectors pushed into it exactly.
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(float_step_model(weights, config)))
    if not model.signatureDefs:  # TensorFlow ignores errors when it writes temporary files
        raise UserError(
            f"{tempfile.gettempdir()}: no space left; free some space and run the command again"
        )
    for index, value in _name_values(model).items():
        low, high = ranges[value]
        quantization = schema.QuantizationParametersT()
        quantization.min, quantization.max = [min(low, 0.0)], [max(high, 0.0)]
        model.subgraphs[0].tensors[index].quantization = quantization
    dtype = tf.int8 if fmt == "int8" else tf.int16
    quantized = converter.mlir_quantize(
        bytes(flatbuffer_utils.convert_object_to_bytearray(model)),
        fully_quantize=True,
        inference_type=converter.convert_inference_tf_type_to_tflite_type(dtype),
        input_data_type=dtype,
        output_data_type=dtype,
    )
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(quantized))
    _tidy(model, fmt)
    if fmt == "int8":
        _connect_fully(model)
    if pitch != FLOAT_RANGE:
        _add_pitch_range(model, pitch)
    data = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    check_step_model(read_model(data), "the model")
    return data


def _tidy(model: Any, fmt: Format) -> None:
    """Names the tensors, and sets the zero points and the bias type that 16x8 specifies."""
    graph = model.subgraphs[0]
    values = _name_values(model)
    for index, value in values.items():
        graph.tensors[index].name = value.encode()
        if fmt == "int16x8":  # symmetric, but the converter rounds some to -1
            graph.tensors[index].quantization.zeroPoint = [0]
    biases = []
    for operator in graph.operators:
        if len(operator.inputs) == 3:
            kernel, bias = (graph.tensors[index] for index in operator.inputs[1:])
            kernel.name = f"{values[operator.outputs[0]]}/kernel".encode()
            bias.name = f"{values[operator.outputs[0]]}/bias".encode()
            biases.append(bias)
    if fmt == "int16x8":  # with 32-bit biases, the kernels of TensorFlow Lite and TFLM differ
        for number in {bias.buffer for bias in biases}:  # equal biases share a buffer
            data = model.buffers[number].data.view(np.int32).astype(np.int64)
            model.buffers[number].data = data.view(np.uint8)
        for bias in biases:
            bias.type = INT64


def _connect_fully(model: Any) -> None:
    """Replaces each 1x1 CONV_2D by a FULLY_CONNECTED with the same weights, scales and results.

    The tensors lose the axes of width and height, because CMSIS-NN computes a FULLY_CONNECTED on
    four axes as a convolution.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        if len(tensor.shape) == 4:
            tensor.shape = tensor.shape[[0, 3]]
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.CONV_2D:
            code.builtinCode = schema.BuiltinOperator.FULLY_CONNECTED
            code.deprecatedBuiltinCode = code.builtinCode
            code.version = FULLY_CONNECTED_VERSION
    for operator in graph.operators:
        if operator.builtinOptionsType == schema.BuiltinOptions.Conv2DOptions:
            options = schema.FullyConnectedOptionsT()
            options.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
            operator.builtinOptions = options
            operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions


def _add_pitch_range(model: Any, pitch: PitchRange) -> None:
    """Adds the metadata from which a reader learns how the frame's pitch is scaled."""
    from tensorflow.lite.python import schema_py_generated as schema

    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.array([pitch.lowest_note, pitch.highest_note], np.uint8)
    entry.name, entry.buffer = PITCH_RANGE, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)


def _name_values(model: Any) -> dict[int, str]:
    """Returns the name of the value that each activation of a step model holds, by tensor."""
    graph = model.subgraphs[0]
    inputs, _ = signature(model)
    layers = topology(network_config(model, "the model"))
    rings = {inputs[layer.taps_input]: layer for layer in layers if layer.has_taps}
    # The first convolution of a block and its residual may have one source, but only one a ReLU.
    direct = {(layer.source, layer.relu): layer for layer in layers if not layer.has_taps}
    sums = {layer.name: layer.sum.name for layer in layers if layer.sum}
    values = {inputs[FRAME]: FRAME} | {index: layer.source for index, layer in rings.items()}
    readers: dict[int, LayerSpec] = {}  # concatenated tensor -> the convolution that reads it
    for operator in graph.operators:
        output, first = operator.outputs[0], operator.inputs[0]
        match OPS.get(op_code(model, operator)):
            case "CONCATENATION":
                values[output], readers[output] = values[first], rings[first]
            case "CONV_2D":
                is_rectified = operator.builtinOptions.fusedActivationFunction == RELU
                layer = readers.get(first) or direct[values[first], is_rectified]
                values[output] = layer.name
            case "ADD":
                addends = (values[index] for index in operator.inputs)
                values[output] = next(sums[name] for name in addends if name in sums)
    return values


def random_step_model(
    config: TcnConfig, seed: int, fmt: Format, pitch: PitchRange = FLOAT_RANGE
) -> bytes:
    """Makes a step model with random weights and fitting ranges, where any decoder will do."""
    rng = np.random.default_rng(seed)
    weights: Weights = {}
    for layer, shape in kernel_shapes(config).items():
        kernel = rng.normal(0, np.sqrt(2 / np.prod(shape[:2])), shape)
        weights[layer] = kernel.astype(np.float32), rng.normal(0, 0.1, shape[-1]).astype(np.float32)
    frames = rng.uniform(0, 1, (200, config.n_inputs)).astype(np.float32)
    values = tcn_activations(fold_residual_bias(weights, config), config, frames)
    ranges = {  # at least up to 0.1, because a channel that is always 0 would make biases overflow
        name: (float(value.min()), max(float(value.max()), 0.1)) for name, value in values.items()
    }
    return convert_step_model(weights, config, {**ranges, FRAME: (0.0, 1.0)}, fmt, pitch)


def convert_run(run_dir: Path) -> dict[Format, Path]:
    """Writes the .tflite files of a run folder from its .npz files; returns their paths."""
    config = load_run(run_dir).tcn
    paths: dict[Format, Path] = {}
    for fmt in FORMATS:
        source = run_dir / f"decoder_{fmt}.npz"
        model = convert_step_model(
            load_weights(source, config),
            config,
            load_ranges(source),
            fmt,
            load_pitch_range(source),
        )
        paths[fmt] = run_dir / f"decoder_{fmt}.tflite"
        with atomic_write(paths[fmt]) as temporary:
            temporary.write_bytes(model)
    return paths
