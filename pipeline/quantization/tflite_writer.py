"""Turns the float TCN into the quantized step model that runs on the device, one frame at a time.

The step model (see `pipeline.step_model`) computes what the network computes, as 1x1 convolutions
over each convolution's past and current inputs. `pipeline.quantize` decides on weights and ranges
and leaves them in the run folder as ``decoder_<format>.npz``; this stage makes
``decoder_<format>.tflite`` of them, always with the same bytes.
"""

import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.runs import load_run
from pipeline.model.topology import kernel_shapes, ring_sources
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.step_model import (
    INT64,
    OPS,
    check_step_model,
    import_tensorflow,
    read_model,
    signature,
)
from pipeline.quantization.weights import (
    Ranges,
    Weights,
    fold_residual_bias,
    load_ranges,
    load_weights,
)

Format = Literal["int8", "int16x8"]  # of activations; weights are int8 in both
FORMATS: tuple[Format, ...] = get_args(Format)


def float_step_model(weights: Weights, config: TcnConfig) -> bytes:
    """Builds the step model in float32.

    Args:
        weights: Weights of the network.
        config: Its shape.

    Returns:
        The .tflite model.
    """
    tf = import_tensorflow()
    weights = fold_residual_bias(weights, config)
    last = config.n_blocks - 1

    def conv(layer: str, x, *, taps=None, bias: bool = True):
        kernel, offset = weights[layer]
        x = x if taps is None else tf.concat([taps, x], axis=-1)
        y = tf.nn.conv2d(x, kernel.reshape(1, 1, -1, kernel.shape[-1]), strides=1, padding="VALID")
        return tf.nn.bias_add(y, offset) if bias else y

    def step(frame, **taps):
        outputs = {}
        x = frame
        for block in range(config.n_blocks):
            block_input = x
            for layer in (f"block{block}_conv1", f"block{block}_conv2"):
                if layer != "block0_conv1":
                    outputs[f"{layer}_new_tap"] = x
                x = conv(layer, x, taps=taps[f"{layer}_taps"])
                x = x if layer == f"block{last}_conv2" else tf.nn.relu(x)
            if block in (0, last):
                x = x + conv(f"block{block}_residual", block_input, bias=block != last)
        return {**outputs, "logits": x}

    n_past = config.kernel_size - 1
    channels = {"frame": config.n_inputs}
    for layer, source in ring_sources(config).items():
        channels[f"{layer}_taps"] = n_past * (
            config.n_inputs if source == "frame" else config.hidden_channels
        )
    specs = {name: tf.TensorSpec((1, 1, 1, n), name=name) for name, n in channels.items()}
    module = tf.Module()
    module.step = tf.function(step)
    concrete = module.step.get_concrete_function(**specs)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()


def convert_step_model(weights: Weights, config: TcnConfig, ranges: Ranges, fmt: Format) -> bytes:
    """Builds the quantized step model.

    Args:
        weights: Weights of the network.
        config: Its shape.
        ranges: Range of every value, by the names of `tcn_activations`, of weights with the
            residual's bias folded.
        fmt: ``int8`` or ``int16x8``.

    Returns:
        The .tflite model, whose inputs and outputs are quantized; equal arguments give equal bytes.
    """
    tf = import_tensorflow()
    from tensorflow.lite.python import convert as converter
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    # Ranges are written onto the float model's tensors, where the calibrator would leave them,
    # because the range of a ring must equal that of what is pushed into it to the last bit.
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(float_step_model(weights, config)))
    if not model.signatureDefs:  # TensorFlow goes on without what it could not write
        raise UserError(
            f"{tempfile.gettempdir()}: no space left; make room and run the command again"
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
    data = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    check_step_model(read_model(data), "the model")
    return data


def _tidy(model: Any, fmt: Format) -> None:
    """Names the tensors; gives 16x8 the zero points and the bias type of its specification."""
    graph = model.subgraphs[0]
    values = _name_values(model)
    for index, value in values.items():
        graph.tensors[index].name = value.encode()
        if fmt == "int16x8":  # symmetric; half of the range's zero points were rounded to -1
            graph.tensors[index].quantization.zeroPoint = [0]
    biases = []
    for operator in graph.operators:
        if len(operator.inputs) == 3:
            kernel, bias = (graph.tensors[index] for index in operator.inputs[1:])
            kernel.name = f"{values[operator.outputs[0]]}/kernel".encode()
            bias.name = f"{values[operator.outputs[0]]}/bias".encode()
            biases.append(bias)
    if fmt == "int16x8":  # with 32-bit biases TensorFlow Lite's kernels and TFLM's part ways
        for number in {bias.buffer for bias in biases}:  # equal ones share a buffer
            data = model.buffers[number].data.view(np.int32).astype(np.int64)
            model.buffers[number].data = data.view(np.uint8)
        for bias in biases:
            bias.type = INT64


def _name_values(model: Any) -> dict[int, str]:
    """Names every activation of a step model by the value of `tcn_activations` that it holds."""
    graph = model.subgraphs[0]
    inputs, outputs = signature(model)
    n_blocks = sum(name.endswith("_taps") for name in inputs) // 2
    sources = ring_sources(TcnConfig(n_blocks=n_blocks, hidden_channels=1))
    values = {
        index: sources.get(name.removesuffix("_taps"), "frame") for name, index in inputs.items()
    }
    rings = {index: name.removesuffix("_taps") for name, index in inputs.items()}
    layers = {}  # concatenated tensor -> the convolution that reads it
    for operator in graph.operators:
        output, first = operator.outputs[0], operator.inputs[0]
        match OPS.get(model.operatorCodes[operator.opcodeIndex].builtinCode):
            case "CONCATENATION":
                values[output], layers[output] = values[first], rings[first]
            case "CONV_2D" if first in layers:
                values[output] = layers[first]
            case "CONV_2D":
                values[output] = (
                    "block0_residual"
                    if values[first] == "frame"
                    else f"block{n_blocks - 1}_residual"
                )
            case "ADD":
                values[output] = "logits" if output == outputs["logits"] else "block0_sum"
    return values


def random_step_model(config: TcnConfig, seed: int, fmt: Format) -> bytes:
    """Makes a step model with random weights and fitting ranges, for tests of what runs it."""
    rng = np.random.default_rng(seed)
    weights = {}
    for layer, shape in kernel_shapes(config).items():
        kernel = rng.normal(0, np.sqrt(2 / np.prod(shape[:2])), shape)
        weights[layer] = kernel.astype(np.float32), rng.normal(0, 0.1, shape[-1]).astype(np.float32)
    frames = rng.uniform(0, 1, (200, config.n_inputs))
    values = tcn_activations(fold_residual_bias(weights, config), config, frames)
    ranges = {  # no narrower than 0.1: a channel that never fires would make biases overflow
        name: (float(value.min()), max(float(value.max()), 0.1)) for name, value in values.items()
    }
    return convert_step_model(weights, config, {**ranges, "frame": (0.0, 1.0)}, fmt)


def convert_run(run_dir: Path) -> dict[Format, Path]:
    """Makes the .tflite files of a run folder from its .npz files; returns their paths."""
    config = load_run(run_dir).tcn
    paths = {}
    for fmt in FORMATS:
        source = run_dir / f"decoder_{fmt}.npz"
        model = convert_step_model(load_weights(source, config), config, load_ranges(source), fmt)
        paths[fmt] = run_dir / f"decoder_{fmt}.tflite"
        with atomic_write(paths[fmt]) as temporary:
            temporary.write_bytes(model)
    return paths
