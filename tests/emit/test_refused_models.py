"""Damaged and unsupported models are refused with the reason."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.step_models import SMALL, edited

from pipeline.core.errors import UserError
from pipeline.emit import decoder as emit_decoder
from pipeline.emit import weight_packing
from pipeline.model import topology
from pipeline.quantization import tflite_writer
from pipeline.quantization.tflite_reader import read_step_model


@settings(deadline=None, max_examples=60)
@given(share=st.floats(0, 0.999))
def test_truncated_file_is_refused(tflite, tmp_path_factory, share):
    data = tflite.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "decoder.tflite"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=re.escape(str(path))):
        read_step_model(path)


@settings(deadline=None, max_examples=80)
@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_damaged_byte_is_refused_or_harmless(tflite, tmp_path_factory, position, value):
    data = bytearray(tflite.read_bytes())
    data[int(position * len(data))] = value
    path = tmp_path_factory.mktemp("damaged") / "decoder.tflite"
    path.write_bytes(data)
    try:
        texts = emit_decoder.model_texts("damaged", read_step_model(path))
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert "damaged_model" in texts["damaged_model.c"]


def input_tensor(model, name):
    """Returns the tensor of an input, by its name in the signature."""
    inputs = {entry.name: entry.tensorIndex for entry in model.signatureDefs[0].inputs}
    return model.subgraphs[0].tensors[inputs[name]]


def swap_taps(model):
    entries = {entry.name: entry for entry in model.signatureDefs[0].inputs}
    one, other = entries[b"block0_conv2_taps"], entries[b"block1_conv2_taps"]
    one.tensorIndex, other.tensorIndex = other.tensorIndex, one.tensorIndex


def rename_logits(model):
    for entry in model.signatureDefs[0].outputs:
        entry.name = entry.name.replace(b"logits", b"levels")


def drop_a_ring(model):
    entries = model.signatureDefs[0].inputs
    entries[:] = [entry for entry in entries if entry.name != b"block1_conv1_taps"]


def set_op(code):
    def edit(model):
        for operator_code in model.operatorCodes:
            if operator_code.builtinCode == 0:  # ADD
                operator_code.builtinCode = code
                operator_code.deprecatedBuiltinCode = min(code, 127)

    return edit


def change_scale(model):
    taps = input_tensor(model, b"block1_conv1_taps")
    taps.quantization.scale = np.array([0.5], np.float32)


def convolutions(model):
    operators = model.subgraphs[0].operators
    return [operator for operator in operators if hasattr(operator.builtinOptions, "keepNumDims")]


def add_relu6(model):
    for operator in convolutions(model):
        operator.builtinOptions.fusedActivationFunction = 3


def lose_weights(model):
    for operator in convolutions(model):
        kernel = model.subgraphs[0].tensors[operator.inputs[1]]
        model.buffers[kernel.buffer].data = model.buffers[kernel.buffer].data[:-1]


def use_convolutions(model):
    for operator_code in model.operatorCodes:
        if operator_code.builtinCode == 9:  # FULLY_CONNECTED
            operator_code.builtinCode = operator_code.deprecatedBuiltinCode = 3  # CONV_2D


def add_axis_to_a_ring(model):
    taps = input_tensor(model, b"block1_conv1_taps")
    taps.shape = [1, *taps.shape]


def set_buffer_of_a_ring(number):
    def edit(model):
        input_tensor(model, b"block1_conv1_taps").buffer = number

    return edit


def set_axes_of_frame(*ones):
    def edit(model):
        input_tensor(model, b"frame").shape = [*ones, 2]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_op(14), "LOGISTIC"),
        (use_convolutions, "not exactly one FULLY_CONNECTED with the inputs of block0_conv1"),
        (add_axis_to_a_ring, "INT8 of shape [1, 1, 10], not [1, channels]"),
        (set_buffer_of_a_ring(57113), "'block0_sum' does not have an empty buffer"),
        (set_axes_of_frame(1, 1), "the frame is INT8 with 3 axes where 2 or 4 are needed"),
        (set_op(200), "builtin code 200"),
        (swap_taps, "block0_conv2"),
        (rename_logits, "'logits'"),
        (drop_a_ring, "block0_conv1_taps"),
        (change_scale, "different scales"),
        (add_relu6, "activation other than ReLU"),
        (lose_weights, "weights or biases"),
    ],
)
def test_unsupported_graph_is_refused_with_the_reason(tflite, tmp_path, edit, message):
    path = edited(tflite, tmp_path, edit)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_step_model(path)
    assert str(path) in str(caught.value) and "pipeline.convert" in str(caught.value)


def test_fully_connected_16x8_model_is_refused(tflite_16x8, tmp_path):
    path = edited(tflite_16x8, tmp_path, set_axes_of_frame(1))
    with pytest.raises(UserError, match="the frame is INT16 with 2 axes where 4 are needed"):
        read_step_model(path)


def test_float_model_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        layer: (rng.normal(size=shape), rng.normal(size=shape[-1]))
        for layer, shape in topology.kernel_shapes(SMALL).items()
    }
    weights = {k: tuple(x.astype(np.float32) for x in v) for k, v in weights.items()}
    path = tmp_path / "float.tflite"
    path.write_bytes(tflite_writer.float_step_model(weights, SMALL))
    with pytest.raises(UserError, match="FLOAT32"):
        read_step_model(path)


def with_layer(model, index, **changes):
    layers = list(model.layers)
    layers[index] = dataclasses.replace(layers[index], **changes)
    return dataclasses.replace(model, layers=tuple(layers)), layers[index]


def test_inexact_arithmetic_is_refused(tflite, tflite_16x8):
    for path in (tflite, tflite_16x8):
        model = read_step_model(path)
        layer = model.layers[1]
        weights = np.full((len(layer.weights), 3, 600), 127, np.int8)
        model, layer = with_layer(model, 1, weights=weights)
        with pytest.raises(UserError, match=f"{layer.name} exceed"):
            weight_packing.channel_constants(model, layer, "dsp")
    model = read_step_model(tflite)
    loud = dataclasses.replace(model.layers[1].output, scale=1e-9)
    model, layer = with_layer(model, 1, output=loud)
    with pytest.raises(UserError, match=r"less than 0\.25"):
        weight_packing.channel_constants(model, layer, "dsp")
