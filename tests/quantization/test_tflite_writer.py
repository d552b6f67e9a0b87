"""The step model: its results, the reproducibility of its bytes, and what it refuses."""

import hashlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import tcn_weights
from support.older_models import as_convolutions

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.paths import REPOSITORY
from pipeline.core.runs import RunConfig
from pipeline.model.inputs import prepend_context
from pipeline.model.tcn import build_tcn
from pipeline.model.topology import topology
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.step_model import OPS, check_step_model, read_model
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_writer import (
    convert_run,
    convert_step_model,
    float_step_model,
    random_step_model,
)
from pipeline.quantization.weights import fold_residual_bias, load_weights, save_quantization

REDUCED = TcnConfig(n_blocks=3, hidden_channels=64)
SMALL = TcnConfig(n_blocks=2, hidden_channels=5)


def make_network(config, *, seed=0):
    """Returns a Keras network with biases, its weights, and ranges for frames from 0 to 1."""
    rng = np.random.default_rng(seed)
    model = build_tcn(config, seed=seed)
    model.set_weights(
        [w + rng.normal(0, 0.1 * (w.ndim == 1), w.shape) for w in model.get_weights()]
    )
    weights = fold_residual_bias(tcn_weights(model), config)
    values = tcn_activations(weights, config, rng.uniform(0, 1, (500, 2)))
    ranges = {name: (value.min(), value.max()) for name, value in values.items()}
    return model, weights, {**ranges, "frame": (0.0, 1.0)}


def random_frames(decoder, n_frames, *, seed=0):
    """Draws quantized frames from the whole range of the input type."""
    limits = np.iinfo(decoder.dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(limits.min, limits.max + 1, (n_frames, 2)).astype(decoder.dtype)


@pytest.mark.parametrize(
    ("fmt", "op", "ones"), [("int8", "FULLY_CONNECTED", [1]), ("int16x8", "CONV_2D", [1, 1, 1])]
)
def test_reduced_model_is_16_nodes_of_three_ops(fmt, op, ones):
    model = read_model(random_step_model(REDUCED, 0, fmt))
    graph = model.subgraphs[0]
    ops = [OPS[model.operatorCodes[node.opcodeIndex].builtinCode] for node in graph.operators]
    assert sorted(ops) == ["ADD"] * 2 + ["CONCATENATION"] * 6 + [op] * 8
    for index in (*graph.inputs, *graph.outputs):  # CMSIS-NN is slow on FULLY_CONNECTED of rank 4
        assert list(graph.tensors[index].shape[:-1]) == ones


def test_float_streaming_equals_offline():
    model, weights, _ = make_network(REDUCED)
    frames = np.random.default_rng(1).uniform(0, 1, (80, 2)).astype(np.float32)
    offline = np.asarray(model(frames[None]))[0]
    decoder = StreamingDecoder(float_step_model(weights, REDUCED), runtime="reference")
    np.testing.assert_allclose(decoder.run(frames), offline, atol=1e-6 * np.abs(offline).max())
    values = tcn_activations(weights, REDUCED, frames)
    np.testing.assert_allclose(values["logits"], offline, atol=1e-6 * np.abs(offline).max())
    for layer in topology(REDUCED):
        if layer.has_ring:
            pushed = decoder.trace[layer.name]
            np.testing.assert_allclose(pushed, values[layer.source], atol=1e-5)


def test_primed_float_streaming_equals_offline_after_silence():
    model, weights, _ = make_network(REDUCED)
    features = np.random.default_rng(1).uniform(0, 1, (40, 2)).astype(np.float32)
    silence, *_ = before = prepend_context(features, REDUCED)
    offline = np.asarray(model(before[None]))[0, -40:]
    decoder = StreamingDecoder(float_step_model(weights, REDUCED), runtime="reference")
    decoder.prime(silence)
    np.testing.assert_allclose(decoder.run(features), offline, atol=1e-6 * np.abs(offline).max())


@settings(max_examples=6, deadline=None)
@given(
    n_blocks=st.integers(2, 4),
    hidden_channels=st.integers(1, 9),
    kernel_size=st.integers(1, 5),
    fmt=st.sampled_from(["int8", "int16x8"]),
    seed=st.integers(0, 99),
)
def test_both_ops_in_tflm_and_reference_kernels_are_equal_on_every_tap(
    n_blocks, hidden_channels, kernel_size, fmt, seed
):
    config = TcnConfig(n_blocks, hidden_channels, kernel_size=kernel_size)
    data = random_step_model(config, seed, fmt)
    # The reference kernels round a FULLY_CONNECTED with a scale per channel differently.
    of_convolutions = as_convolutions(data) if fmt == "int8" else data
    tflm = StreamingDecoder(data)
    frames = random_frames(tflm, 2 * config.receptive_field, seed=seed)
    logits = tflm.run(frames)
    for runtime in ("tflm", "reference"):
        other = StreamingDecoder(of_convolutions, runtime=runtime)
        np.testing.assert_array_equal(logits, other.run(frames))
        for layer, pushed in tflm.trace.items():
            np.testing.assert_array_equal(pushed, other.trace[layer])


@pytest.mark.parametrize(("fmt", "largest_error"), [("int8", 0.3), ("int16x8", 0.06)])
def test_quantized_logits_follow_the_float_network(fmt, largest_error):
    _, weights, ranges = make_network(REDUCED)
    decoder = StreamingDecoder(convert_step_model(weights, REDUCED, ranges, fmt))
    frames = np.random.default_rng(0).uniform(0, 1, (500, 2)).astype(np.float32)
    exact = tcn_activations(weights, REDUCED, frames)["logits"]
    found = decoder.dequantize_logits(decoder.run(decoder.quantize_frames(frames)))
    assert np.abs(found - exact).max() < largest_error


def test_reset_decoder_repeats_itself_and_rings_start_at_the_zero_point():
    decoder = StreamingDecoder(random_step_model(SMALL, 3, "int8"))
    frames = random_frames(decoder, 30)
    first = decoder.run(frames)
    decoder.reset()
    np.testing.assert_array_equal(decoder.run(frames), first)
    # The ring of the second convolution holds ReLU outputs, whose zero is the lowest integer.
    assert decoder._zero_points["block0_conv2"] == -128


def test_primed_decoder_equals_one_after_many_equal_frames():
    primed, run_in = (StreamingDecoder(random_step_model(SMALL, 3, "int8")) for _ in range(2))
    frame, *frames = random_frames(primed, 30)
    primed.run(frames)
    primed.prime(frame)
    run_in.run(np.tile(frame, (SMALL.receptive_field, 1)))
    np.testing.assert_array_equal(primed.run(frames), run_in.run(frames))


def test_given_ranges_are_used_exactly():
    _, weights, ranges = make_network(SMALL)
    data = convert_step_model(weights, SMALL, {**ranges, "logits": (-12.0, 6.0)}, "int8")
    scale, zero_point = StreamingDecoder(data).output_quantization
    assert scale == pytest.approx(18 / 255)
    assert zero_point == round(-128 + 12 * 255 / 18)


@pytest.mark.parametrize("fmt", ["int8", "int16x8"])
@pytest.mark.parametrize("bias", [0.0, 0.25])
def test_equal_biases_keep_separate_scales(fmt, bias):
    config = TcnConfig(n_blocks=3, hidden_channels=6)  # all layers have the same width
    model, _, _ = make_network(config)
    weights = {name: (kernel, 0 * b + bias) for name, (kernel, b) in tcn_weights(model).items()}
    weights = fold_residual_bias(weights, config)
    frames = np.random.default_rng(0).uniform(0, 1, (200, 2)).astype(np.float32)
    values = tcn_activations(weights, config, frames)
    ranges = {name: (value.min(), value.max()) for name, value in values.items()}
    decoder = StreamingDecoder(
        convert_step_model(weights, config, {**ranges, "frame": (0.0, 1.0)}, fmt)
    )
    found = decoder.dequantize_logits(decoder.run(decoder.quantize_frames(frames)))
    assert np.abs(found - values["logits"]).max() < 0.15 * np.ptp(values["logits"])


def test_same_weights_give_same_bytes_in_another_process():
    here = [
        hashlib.sha256(random_step_model(SMALL, 7, fmt)).hexdigest() for fmt in ("int8", "int16x8")
    ]
    program = (
        "import hashlib\n"
        "from pipeline.core.constants import FORMATS\n"
        "from pipeline.core.instrument_config import TcnConfig\n"
        "from pipeline.quantization.tflite_writer import random_step_model\n"
        "for fmt in FORMATS:\n"
        f"    print(hashlib.sha256(random_step_model({SMALL!r}, 7, fmt)).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == here
    again = [
        hashlib.sha256(random_step_model(SMALL, 7, fmt)).hexdigest() for fmt in ("int8", "int16x8")
    ]
    assert again == here


@pytest.fixture
def run_dir(tmp_path):
    """A run folder with random weights, in the state after quantization."""
    _, weights, ranges = make_network(SMALL)
    RunConfig("flute", "flute", "reduced", SMALL, TrainConfig()).save(tmp_path)
    for fmt in ("int8", "int16x8"):
        save_quantization(tmp_path / f"decoder_{fmt}.npz", weights, ranges)
    return tmp_path


def test_converting_a_run_folder_again_gives_the_same_bytes(run_dir):
    first = {fmt: path.read_bytes() for fmt, path in convert_run(run_dir).items()}
    copy = run_dir / "elsewhere"
    copy.mkdir()
    for path in [run_dir / "config.toml", *run_dir.glob("decoder_*.npz")]:
        shutil.copy(path, copy)
    assert {fmt: path.read_bytes() for fmt, path in convert_run(copy).items()} == first


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "decoder_int8.npz").unlink(), "decoder_int8.npz is missing"),
        (
            lambda run: (run / "decoder_int8.npz").write_bytes(b"PK\3\4"),
            "decoder_int8.npz is damaged",
        ),
        (lambda run: (run / "decoder_int8.npz").write_bytes(b""), "decoder_int8.npz is damaged"),
        (lambda run: (run / "config.toml").unlink(), "not a run folder"),
        (lambda run: RunConfig("flute", "flute", "full", REDUCED, TrainConfig()).save(run), "fit"),
    ],
)
def test_damaged_run_folder_is_refused_and_left_unchanged(run_dir, damage, message):
    before = {fmt: path.read_bytes() for fmt, path in convert_run(run_dir).items()}
    damage(run_dir)
    with pytest.raises(UserError, match=message):
        convert_run(run_dir)
    for fmt, data in before.items():
        assert (run_dir / f"decoder_{fmt}.tflite").read_bytes() == data


def test_non_finite_weights_are_refused(tmp_path):
    _, weights, _ = make_network(SMALL)
    kernel, bias = weights["block1_conv1"]
    weights["block1_conv1"] = kernel, bias * np.nan
    save_quantization(tmp_path / "decoder_int8.npz", weights, {})
    with pytest.raises(UserError, match="not finite at layer block1_conv1"):
        load_weights(tmp_path / "decoder_int8.npz", SMALL)


def test_truncated_or_foreign_tflite_is_refused(tmp_path):
    data = random_step_model(SMALL, 0, "int8")
    path = tmp_path / "decoder_int8.tflite"
    for length in [0, 3, 8, 100, *range(200, len(data) - 16, 371), len(data) - 16]:
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match=r"decoder_int8\.tflite"):
            StreamingDecoder(path)
    path.write_bytes(b"RIFF" * 1000)
    with pytest.raises(UserError, match="is not a"):
        StreamingDecoder(path)
    with pytest.raises(UserError, match="missing"):
        StreamingDecoder(tmp_path / "none.tflite")


def set_largest_bias(model):
    graph = model.subgraphs[0]
    bias = next(tensor for tensor in graph.tensors if tensor.name == b"block0_conv1/bias")
    model.buffers[bias.buffer].data[:4] = np.frombuffer(b"\xff\xff\xff\x7f", np.uint8)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda model: setattr(model.operatorCodes[0], "builtinCode", 14), "an op that"),
        (
            lambda model: model.subgraphs[0].tensors[0].quantization.scale.__imul__(2),
            "differ in scale|not that of input times kernel",
        ),
        (set_largest_bias, "overflow"),
        (
            lambda model: setattr(model.signatureDefs[0].outputs[-1], "name", b"levels"),
            "not a decoder",
        ),
    ],
)
def test_model_that_the_device_cannot_run_is_refused(edit, message):
    model = read_model(random_step_model(SMALL, 0, "int8"))
    check_step_model(model, "x.tflite")
    edit(model)
    with pytest.raises(UserError, match=f"x.tflite.*({message})"):
        check_step_model(model, "x.tflite")
