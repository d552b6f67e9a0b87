"""Quantization: its metrics, the figures in its table, and what it refuses."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from support.networks import tcn_weights

from pipeline import quantize
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.processes import used_alone
from pipeline.core.runs import RunConfig
from pipeline.emit.presets import Preset, write_firmware_source
from pipeline.model.ddx7 import Ddx7, save_model
from pipeline.model.metrics import logit_error_db
from pipeline.model.noise import UNTRAINED
from pipeline.model.tcn import build_tcn
from pipeline.quantization.calibration import (
    CLIP_FRAMES,
    N_TRAIN,
    SILENT_FRAMES,
    Calibration,
    vary_clips,
)
from pipeline.quantization.float_network import collect_values, tcn_activations
from pipeline.quantization.narrowing import narrow_ranges
from pipeline.quantization.qat import train_quantized
from pipeline.quantization.ranges import equalize_channels, plain_ranges, widen_for_device
from pipeline.quantization.selection import judge, quantize_run
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.tflite_writer import convert_run, convert_step_model
from pipeline.quantization.weights import fold_pitch_range, fold_residual_bias, round_kernels

SMALL = TcnConfig(n_blocks=2, hidden_channels=6)
RUN = RunConfig("flute", "flute", "reduced", SMALL, TrainConfig())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A data set of six clips with glides and swells, two of which are held out."""
    rng = np.random.default_rng(0)
    time = np.arange(1000) / 1000
    f0_hz = 440.0 * 2 ** (rng.uniform(-1, 1, (6, 1)) + 0.3 * np.sin(7 * time))
    loudness_db = -50.0 + 40.0 * np.sin(3 * time) * rng.uniform(0.5, 1, (6, 1))
    path = tmp_path_factory.mktemp("data") / "dataset.npz"
    np.savez(
        path,
        f0_hz=f0_hz.astype(np.float32),
        loudness_db=loudness_db.astype(np.float32),
        n_valid_frames=np.full(6, 1000, np.int32),
        split=np.array([0, 0, 0, 0, 1, 2], np.uint8),
    )
    return path


@pytest.fixture(scope="module")
def weights():
    """Weights of a network with audible levels; the bias of the residual is folded."""
    model = build_tcn(SMALL, seed=3)
    rng = np.random.default_rng(0)
    model.set_weights(
        [w + rng.normal(0, 0.1 * (w.ndim == 1), w.shape) for w in model.get_weights()]
    )
    folded = fold_residual_bias(tcn_weights(model), SMALL)
    return {  # half precision, as in the weights file
        layer: tuple(w.astype(np.float16).astype(np.float32) for w in pair)
        for layer, pair in folded.items()
    }


@pytest.fixture
def run_dir(tmp_path, weights):
    RUN.save(tmp_path)
    model = Ddx7(RUN)
    for layer, values in weights.items():
        model.tcn.get_layer(layer).set_weights(values)
    save_model(model, tmp_path)
    return tmp_path


def test_level_error_is_in_decibels_of_the_level():
    levels = np.array([0.5, 0.01, 0.3])
    logit = lambda level: np.log(level / (1 - level))  # noqa: E731
    assert logit_error_db(logit(levels), logit(levels * 10 ** (-0.3 / 20))) == pytest.approx(0.3)


def test_level_error_ignores_inaudible_levels():
    reference = np.array([0.0, -8.0])  # -6 dB and -69 dB
    assert logit_error_db(reference, np.array([0.0, -12.0])) == 0.0
    assert logit_error_db(np.array([0.0, -6.0]), np.array([0.0, -8.0])) > 8.0


def test_ranges_clamp_the_logits_but_not_the_frame():
    values = {
        "frame": np.array([[0.4, 0.6]]),
        "logits": np.array([[-20.0, 9.0]]),
        "block0_conv1": np.array([[0.5, 2.0]]),
    }
    expected = {"frame": (0.0, 1.0), "logits": (-12.0, 6.0), "block0_conv1": (0.0, 2.0)}
    assert plain_ranges(values) == expected


@pytest.mark.parametrize("n_blocks", [2, 3])
def test_equalization_keeps_the_logits_and_evens_out_the_channels(n_blocks, dataset):
    config = TcnConfig(n_blocks, hidden_channels=8)
    weights = fold_residual_bias(tcn_weights(build_tcn(config, seed=1)), config)
    uneven = 2.0 ** np.random.default_rng(0).uniform(-4, 4, 8).astype(np.float32)
    for block in range(n_blocks - 1):
        kernel, bias = weights[f"block{block}_conv1"]
        weights[f"block{block}_conv1"] = kernel * uneven, bias
        kernel, bias = weights[f"block{block}_conv2"]
        weights[f"block{block}_conv2"] = kernel / uneven[:, None], bias
    clips = Calibration.draw(dataset).valid
    values = collect_values(weights, config, clips)
    equal = equalize_channels(weights, config, values)
    after = collect_values(equal, config, clips)
    scale = np.abs(values["logits"]).max()
    np.testing.assert_allclose(after["logits"], values["logits"], atol=3e-6 * scale)
    run = RunConfig("flute", "flute", "reduced", config, TrainConfig())
    logits = values["logits"].reshape(*clips.shape[:2], -1)
    before = judge(weights, plain_ranges(values), "int8", run, clips, logits, UNTRAINED)
    better = judge(equal, plain_ranges(after), "int8", run, clips, logits, UNTRAINED)
    assert better["level_error_db"] < 0.8 * before["level_error_db"]


def test_rounding_in_numpy_is_that_of_the_device_but_for_the_rounding_of_sums(weights, dataset):
    clip = Calibration.draw(dataset).valid[0]
    ranges = plain_ranges(collect_values(weights, SMALL, clip[None]))
    rounded = round_kernels(weights)
    decoder = StreamingDecoder(convert_step_model(rounded, SMALL, ranges, "int8"))
    played = decoder.dequantize_logits(decoder.run(decoder.quantize_frames(clip)))
    found, exact = (
        np.abs(tcn_activations(rounded, SMALL, clip, *given)["logits"] - played).mean()
        for given in ((ranges,), ())
    )
    assert found < 0.5 * exact


def test_ranges_that_outliers_have_widened_are_narrowed(weights, dataset):
    clips = Calibration.draw(dataset)
    values = collect_values(weights, SMALL, clips.train)
    ranges = plain_ranges(values)
    wide = ranges | {name: (3 * low, 3 * high) for name, (low, high) in ranges.items()}
    wide |= {name: ranges[name] for name in ("frame", "logits")}
    logits = values["logits"].reshape(*clips.train.shape[:2], -1)
    narrow = narrow_ranges(round_kernels(weights), SMALL, wide, clips.train[::8], logits[::8])
    assert narrow["frame"] == (0.0, 1.0) and set(narrow) == set(wide)
    valid = collect_values(weights, SMALL, clips.valid)["logits"].reshape(
        *clips.valid.shape[:2], -1
    )
    before, after = (
        judge(weights, tried, "int8", RUN, clips.valid, valid, UNTRAINED)["level_error_db"]
        for tried in (wide, narrow)
    )
    assert after < 0.7 * before


def test_variations_keep_silence_and_the_range_of_the_input(dataset):
    clips = Calibration.draw(dataset).train
    varied = vary_clips(clips, 2)
    assert varied.shape == (3 * len(clips), *clips.shape[1:])
    assert varied.min() >= 0 and varied.max() <= 1
    np.testing.assert_array_equal(varied[: len(clips)], clips)
    silent = np.tile(clips[..., 1] == 0, (3, 1))
    assert silent.any() and not varied[silent, 1].any()
    moved = np.abs(varied[len(clips) :] - np.tile(clips, (2, 1, 1)))
    assert 0.04 < np.median(moved[..., 0]) < 0.06  # uniform up to 0.1


@pytest.fixture(scope="module")
def untrained(dataset):
    """Returns weights of an untrained network, and the ranges of its values."""
    weights = tcn_weights(build_tcn(SMALL, initial_logit=-3.0))
    weights = round_kernels(fold_residual_bias(weights, SMALL))
    return weights, plain_ranges(collect_values(weights, SMALL, Calibration.draw(dataset).train))


def test_untrained_network_fits_the_device(untrained, tmp_path):
    weights, ranges = untrained
    tiny = {name: (low / 30, high / 30) for name, (low, high) in ranges.items()}
    tiny |= {"frame": (0.0, 1.0), "logits": ranges["logits"]}
    with pytest.raises(UserError, match="overflow"):
        convert_step_model(weights, SMALL, tiny, "int16x8")
    for fmt in ("int8", "int16x8"):
        wide = widen_for_device(weights, tiny, SMALL, fmt)
        path = tmp_path / f"{fmt}.tflite"
        path.write_bytes(convert_step_model(weights, SMALL, wide, fmt))
        write_firmware_source(
            [Preset("flute", path, load_patch("flute"), UNTRAINED)], tmp_path / fmt
        )
        assert widen_for_device(weights, ranges, SMALL, fmt) == ranges


@pytest.mark.parametrize("fmt", ["int8", "int16x8"])
@pytest.mark.parametrize("layer", ["block0_conv1", "block1_conv2", "block1_residual"])
def test_ranges_too_narrow_for_the_device_are_widened(layer, fmt, untrained, tmp_path):
    weights, ranges = untrained
    low, high = ranges[layer]
    narrow = ranges | {layer: (low / 1000, high / 1000)}
    path = tmp_path / "decoder.tflite"
    path.write_bytes(convert_step_model(weights, SMALL, narrow, fmt))
    with pytest.raises(UserError, match="scales its sums"):
        write_firmware_source([Preset("flute", path, load_patch("flute"), UNTRAINED)], tmp_path)
    wide = widen_for_device(weights, narrow, SMALL, fmt)
    path.write_bytes(convert_step_model(weights, SMALL, wide, fmt))
    write_firmware_source([Preset("flute", path, load_patch("flute"), UNTRAINED)], tmp_path)
    assert np.ptp(wide[layer]) < high - low  # the range is widened only as far as needed
    assert {**wide, layer: ranges[layer]} == ranges


def test_calibration_list_is_reproducible_and_reads_back_from_its_file(dataset, tmp_path):
    drawn, again = Calibration.draw(dataset), Calibration.draw(dataset)
    drawn.save(tmp_path / "calibration.npz")
    stored = Calibration.load(tmp_path / "calibration.npz")
    for name in ("train", "valid"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(again, name))
        np.testing.assert_allclose(getattr(stored, name), getattr(drawn, name), atol=1e-5)


def test_models_of_an_instrument_share_clips_where_there_is_no_data_set(tmp_path, dataset):
    first, second = tmp_path / "reduced", tmp_path / "tiny"
    for folder in (first, second):
        folder.mkdir()
    drawn = Calibration.of_run(first, dataset)
    assert (first / "calibration.npz").is_file()
    np.testing.assert_array_equal(Calibration.of_run(second).train, drawn.train)
    assert not (second / "calibration.npz").exists()
    (tmp_path / "dataset.npz").write_bytes(b"PK")  # that of the instrument comes first
    with pytest.raises(UserError, match=r"dataset\.npz is damaged"):
        Calibration.of_run(second)
    np.testing.assert_array_equal(Calibration.of_run(first).valid, drawn.valid)


def test_calibration_contains_silence_before_phrases_and_extreme_frames(dataset):
    clips = Calibration.draw(dataset).train
    assert clips.shape[1:] == (CLIP_FRAMES, 2)
    starts_silent = (clips[:, :SILENT_FRAMES, 1] == 0).all(axis=1)
    assert starts_silent.sum() == N_TRAIN // 2
    phrases, sweeps = clips[:N_TRAIN].reshape(-1, 2), clips[N_TRAIN:].reshape(-1, 2)
    audible = phrases[phrases[:, 1] > 0.25]
    assert sweeps[:, 0].max() >= audible[:, 0].max() - 0.01
    assert sweeps[:, 0].min() <= audible[:, 0].min() + 0.01
    assert sweeps[:, 1].max() >= audible[:, 1].max() - 0.01


@pytest.mark.slow
def test_shipped_model_has_the_errors_in_its_table(run_dir, weights, dataset):
    figures = quantize_run(run_dir, dataset=dataset, epochs=2)
    assert json.loads((run_dir / "quantization.json").read_text()) == figures
    assert set(figures["methods"]["int8"]) == {"ptq", "ptq_equalized", "ptq_narrowed", "qat"}
    clips = Calibration.load(run_dir / "calibration.npz").valid
    for fmt, method in figures["shipped"].items():
        decoder = StreamingDecoder(run_dir / f"decoder_{fmt}.tflite")
        assert vars(decoder.pitch) == figures["pitch_range"]
        folded = fold_pitch_range(weights, SMALL, decoder.pitch)
        found, exact = [], []
        for clip in clips:
            decoder.reset()
            found.append(decoder.dequantize_logits(decoder.run(decoder.quantize_frames(clip))))
            narrow = decoder.pitch.narrow(clip)
            exact.append(tcn_activations(folded, SMALL, narrow)["logits"])
        stated = figures["methods"][fmt][method]["level_error_db"]
        assert logit_error_db(np.stack(exact), np.stack(found)) == pytest.approx(stated, rel=1e-4)
    rows = figures["methods"]["int8"]
    assert (
        min(rows, key=lambda name: np.prod(list(rows[name].values()))) == figures["shipped"]["int8"]
    )
    fine = figures["methods"]["int16x8"]["ptq"]
    assert fine["level_error_db"] < rows["ptq"]["level_error_db"]
    assert fine["mss_to_float"] < rows["ptq"]["mss_to_float"]


@pytest.mark.slow
def test_quantization_repeats_without_the_data_set(run_dir, dataset):
    first = quantize_run(run_dir, dataset=dataset, epochs=0)
    models = {fmt: path.read_bytes() for fmt, path in convert_run(run_dir).items()}
    assert quantize_run(run_dir, epochs=0) == first
    assert {fmt: path.read_bytes() for fmt, path in convert_run(run_dir).items()} == models


@pytest.mark.slow
def test_training_narrows_ranges_that_are_too_wide(weights, dataset):

    calibration = Calibration.draw(dataset)
    clips = {"train": calibration.train, "valid": calibration.valid}
    values = {name: collect_values(weights, SMALL, clips[name]) for name in clips}
    logits = {name: values[name]["logits"].reshape(*clips[name].shape[:2], -1) for name in clips}
    ranges = plain_ranges(values["train"])
    wide = {
        name: ends if name in ("frame", "logits") else (6 * ends[0], 6 * ends[1])
        for name, ends in ranges.items()
    }
    trained = train_quantized(
        weights,
        SMALL,
        wide,
        (clips["train"], logits["train"]),
        (clips["valid"], logits["valid"]),
        epochs=25,
        learning_rate=2e-2,
    )
    before = judge(weights, wide, "int8", RUN, clips["valid"], logits["valid"], UNTRAINED)
    after = judge(*trained, "int8", RUN, clips["valid"], logits["valid"], UNTRAINED)
    assert after["level_error_db"] < 0.7 * before["level_error_db"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: None, "dataset.npz is missing"),
        (lambda run: (run / "calibration.npz").write_bytes(b"PK"), "calibration.npz is damaged"),
        (lambda run: (run / "model.weights.h5").unlink(), "weights.h5 is missing"),
        (lambda run: (run / "model.weights.h5").write_bytes(b"\x89HDF"), "weights.h5 is damaged"),
        (lambda run: (run / "config.toml").unlink(), "not a run folder"),
    ],
)
def test_run_folder_that_cannot_be_quantized_is_refused(run_dir, damage, message):
    damage(run_dir)
    with pytest.raises(UserError, match=message):
        quantize_run(run_dir, epochs=0)
    assert not (run_dir / "decoder_int8.tflite").exists()


def test_model_that_is_being_trained_is_not_quantized(run_dir):
    with used_alone(run_dir), pytest.raises(UserError, match="is in use by another command"):
        quantize.main(["--run", str(run_dir)])
    assert not (run_dir / "decoder_int8.tflite").exists()


def test_data_set_without_features_is_refused(run_dir):
    np.savez(run_dir / "dataset.npz", audio=np.zeros(3))
    with pytest.raises(UserError, match=r"dataset\.npz has no split, n_valid_frames, f0_hz"):
        quantize_run(run_dir, dataset=run_dir / "dataset.npz")
    (run_dir / "dataset.json").write_text('{"instrument": "piano"}')
    with pytest.raises(UserError, match="was made for the piano, not for the flute"):
        quantize_run(run_dir, dataset=run_dir / "dataset.npz")


@pytest.mark.slow
def test_killed_stages_leave_only_complete_files(run_dir, dataset, tmp_path):
    unbroken = tmp_path / "unbroken"
    shutil.copytree(run_dir, unbroken)
    quantize_run(unbroken, dataset=dataset, epochs=0)
    run = ["--run", str(run_dir)]
    draw = ["--dataset", str(dataset), "--epochs", "0"]
    stages = [
        [sys.executable, "-m", "pipeline.quantize", *run, *draw],
        [sys.executable, "-m", "pipeline.convert", *run],
    ]
    random = np.random.default_rng(2)
    for command, landmark in zip(stages, ("calibration.npz", "decoder_int8.tflite"), strict=True):
        (run_dir / landmark).unlink(missing_ok=True)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (run_dir / landmark).exists():
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.5))
        process.kill()
        process.wait()
        for path in run_dir.glob("decoder_*.tflite"):
            read_step_model(path)  # complete, even if the kill interrupted a write
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        for path in unbroken.glob("*.*"):
            assert (run_dir / path.name).read_bytes() == path.read_bytes(), path.name
