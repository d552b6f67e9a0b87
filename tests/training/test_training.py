"""Training reduces the loss, and an interruption or a kill neither changes nor loses anything."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from pipeline.core.constants import (
    CLIP_FRAMES,
    CONTEXT_FRAMES,
    MIN_LOUDNESS_DB,
    TEST,
    TRAIN,
)
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, load_instrument
from pipeline.core.patch_files import load_patch
from pipeline.core.profiles import load_profile
from pipeline.model.ddx7 import Ddx7, load_model
from pipeline.model.synth import base_phase, fm_synthesize
from pipeline.training import distillation, loop, options
from pipeline.training import losses as training_losses
from pipeline.training.dataset import (
    FEATURES,
    LEAD_FRAMES,
    crop_clips,
    draw_batch,
    drop_lead,
    load_dataset,
    model_inputs,
    training_inputs,
)
from pipeline.training.learner import Learner

INSTRUMENT = load_instrument("flute")
SETTINGS = {"batch_size": 2, "crop_frames": 64, "warmup_steps": 2, "validate_every": 3}


def write_dataset(path, n_clips=6):
    """Writes tones of the flute patch whose level follows the loudness, which are easy to learn."""
    random = np.random.default_rng(7)
    f0_hz = np.tile(random.uniform(300, 900, (n_clips, 1)), (1, CLIP_FRAMES))
    loudness_db = -30 + 15 * np.sin(
        np.linspace(0, 9, CLIP_FRAMES) + random.uniform(0, 6, (n_clips, 1))
    )
    levels = np.full((n_clips, CLIP_FRAMES, 6), 0.02)
    levels[..., 0] = 0.32 * 10 ** (loudness_db / 20)
    phase = base_phase(f0_hz, load_patch("flute"))
    audio = fm_synthesize(
        keras.ops.convert_to_tensor(levels.astype(np.float32)), phase, load_patch("flute")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        audio=np.round(np.asarray(audio) * 32767).astype(np.int16),
        f0_hz=f0_hz.astype(np.float32),
        loudness_db=loudness_db.astype(np.float32),
        confidence=np.ones((n_clips, CLIP_FRAMES), np.float32),
        n_valid_frames=np.full(n_clips, CLIP_FRAMES, np.int32),
        sounding=np.ones((n_clips, CLIP_FRAMES), bool),
        context_f0_hz=np.repeat(f0_hz[:, :1], CONTEXT_FRAMES, axis=1).astype(np.float32),
        context_loudness_db=np.full((n_clips, CONTEXT_FRAMES), MIN_LOUDNESS_DB, np.float32),
        split=(np.arange(n_clips) % 3 == 2).astype(np.uint8),
        recording=np.array([f"tone{i}" for i in range(n_clips)]),
        source=np.array([("played", "rendered")[i % 2] for i in range(n_clips)]),
        joined=np.zeros(n_clips, bool),
        real=np.arange(n_clips) % 2 == 0,
    )


@pytest.fixture(scope="module")
def dataset_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "flute" / "dataset.npz"
    write_dataset(path)
    return path


@pytest.fixture(scope="module")
def dataset(dataset_path):
    return load_dataset(dataset_path, INSTRUMENT)


@pytest.fixture(scope="module")
def live_dataset(tmp_path_factory, dataset_path):
    """Returns the data set with live features that are an octave above the others, and softer."""
    with np.load(dataset_path) as stored:
        arrays = dict(stored)
    for name in FEATURES:
        change = (lambda x: 2 * x) if name.endswith("hz") else (lambda x: np.maximum(x - 9, -80))
        arrays[f"live_{name}"] = change(arrays[name]).astype(np.float32)
    path = tmp_path_factory.mktemp("live") / "dataset.npz"
    np.savez(path, **arrays)
    return load_dataset(path, INSTRUMENT)


def settings(**changes):
    training = load_profile("full").training("reduced", **{**SETTINGS, "steps": 9, **changes})
    return options.resolve(INSTRUMENT, "reduced", training)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset):
    """Returns a run folder that was trained for three steps; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    loop.train_model(folder, settings(steps=3), dataset)
    return folder


def weights_of(run_dir):
    return [np.asarray(w) for w in load_model(run_dir).weights]


@pytest.mark.slow
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, dataset, replace):
    keras.utils.set_random_seed(0)
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    whole = loop.train_model(tmp_path / "whole", settings(), dataset)
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return draw_batch(*args, **kwargs)

    replace(draw_batch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.train_model(tmp_path / "broken", settings(), dataset)
    assert not (tmp_path / "broken" / "metrics.json").exists()
    resumed = loop.train_model(tmp_path / "broken", settings(), dataset)
    assert len(calls) == 8 + 3
    assert resumed["history"] == whole["history"]
    for a, b in zip(weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_training_lowers_the_loss(tmp_path, dataset):
    changes = {"dry_steps": 30, "average_steps": 10, "loss_density": 1}
    config = settings(steps=80, validate_every=20, learning_rate=5e-3, **changes)
    metrics = loop.train_model(tmp_path / "run", config, dataset)
    first, last = metrics["history"][0], metrics["history"][-1]
    assert last["train_loss"] < 0.9 * first["train_loss"]
    assert last["rendered"] < 0.95 * first["rendered"]
    best = training_losses.score(metrics["mss"]["valid"])
    assert best == min(training_losses.score(row) for row in metrics["history"])


def test_finished_run_is_not_trained_again(trained, dataset, replace):
    replace(Learner, None)
    metrics = loop.train_model(trained, settings(steps=3), dataset)
    assert metrics == json.loads((trained / "metrics.json").read_text())
    assert metrics["selected_by"] == "validation"
    assert metrics["live_share"] == 0, "the data set has no live features"
    assert "live" not in metrics["mss"]["valid"]["sources"]["played"]


def test_another_configuration_does_not_overwrite_a_run(trained, dataset):
    before = (trained / "model.weights.h5").read_bytes()
    with pytest.raises(UserError, match="another configuration"):
        loop.train_model(trained, settings(steps=4), dataset)
    assert (trained / "model.weights.h5").read_bytes() == before


def test_restart_removes_the_decoders_of_the_replaced_model(tmp_path, dataset, monkeypatch):
    # Otherwise an old decoder would play with a new patch until the next quantization.
    stale = [tmp_path / name for name in ("decoder_int8.tflite", "decoder_int8.npz", loop.WEIGHTS)]
    for path in stale:
        path.write_bytes(b"old")
    monkeypatch.setattr(loop, "_run", lambda *_: {})
    with pytest.raises(UserError, match=r"model\.weights\.h5"):
        loop.train_model(tmp_path, settings(steps=1), dataset, resume=False)
    assert not any(path.exists() for path in stale)


def test_averages_are_exponential_and_leave_the_trained_weights_alone(dataset):
    config = settings(average_steps=4, learning_rate=0.1, warmup_steps=0)
    model = Ddx7(config)
    arrays = {"sounding": dataset["sounding"]}
    learner = Learner(model, arrays, training_losses.reconstruction_loss, config.train)
    variables = model.trainable_variables
    averages = None
    for sign in (1, 1, -1):
        gradients = [sign * keras.ops.ones_like(variable) for variable in variables]
        learner.optimizer.apply(gradients, variables)
        trained = [np.array(variable) for variable in variables]
        past = trained if averages is None else averages
        averages = [0.75 * a + 0.25 * t for a, t in zip(past, trained, strict=True)]
    with learner.averaged():
        for variable, average, last in zip(variables, averages, trained, strict=True):
            np.testing.assert_allclose(np.array(variable), average, rtol=1e-5, atol=1e-6)
            assert not np.allclose(average, last)
    for variable, last in zip(variables, trained, strict=True):
        np.testing.assert_array_equal(np.array(variable), last)


def test_training_begins_dark_and_keeps_logits_where_they_can_change(dataset):
    logits = np.array([[[3.0, 4.0, -12.0, -14.0, 0.0, 0.0]]], np.float32)
    assert float(training_losses.excess_logits(logits, 3.0)) == pytest.approx((1 + 2) / 6)
    model = Ddx7(settings(initial_logit=-4.0))
    inputs = {name: x[:1] for name, x in model_inputs(dataset, model.config).items()}
    assert np.mean(model(inputs)["logits"]) == pytest.approx(-4, abs=0.5)


def test_recordings_of_a_source_and_sources_count_equally_in_the_validation():
    class Measured:
        def distances(self, clips):
            return np.arange(5.0) * 100 + clips[:, None]

    facts = {
        "split": np.array([0, 1, 1, 0, 1, 1, 1, 2], np.uint8),
        "recording": np.array(["a", "b", "c", "d", "b", "e", "f", "g"]),
        "source": np.array(["x", "x", "x", "x", "x", "y", "z", "y"]),
        "real": np.array([True, True, True, True, True, True, False, True]),
    }
    row = loop.validate(Measured(), facts)
    of_x = np.mean([(1 + 4) / 2, 2])
    assert row["sources"]["x"]["mss"] == pytest.approx(of_x)
    assert row["sources"]["y"] == {
        name: pytest.approx(5 + 100 * i)
        for i, name in enumerate(("mss", "dry", "loudness_db", "dry_loudness_db", "sound"))
    }
    assert row["real_sound"] == pytest.approx(400 + (of_x + 5) / 2)
    assert row["rendered"] == pytest.approx(6)
    assert loop.validate(Measured(), facts, TEST)["real"] == pytest.approx(7)
    assert loop.validate(Measured(), {**facts, "split": np.zeros(8)}) == {}


def test_model_that_learns_from_live_features_is_validated_with_them_too(live_dataset):
    class Measured:
        model = Ddx7(settings())

        def distances(self, clips):
            return np.arange(5.0) * 100 + clips[:, None]

    row = loop.validate(Measured(), live_dataset, TEST - 1)
    valid = np.flatnonzero(live_dataset["split"] == 1)
    assert row["real_sound"] == 400 + valid[live_dataset["real"][valid]].mean()
    assert row["real_live_sound"] == row["real_sound"] + 6
    assert row["sources"]["rendered"]["live"] == row["sources"]["rendered"]["mss"] + 6
    Measured.model = Ddx7(settings(live_share=0.0))
    assert "real_live_sound" not in loop.validate(Measured(), live_dataset)


def test_best_sound_is_kept_or_else_the_last_step():
    history = [
        {"step": step, "train_loss": 1.0, "real_sound": sound, "real_dry_loudness_db": loudness_db}
        for step, sound, loudness_db in ((10, 5.0, 3.0), (20, 5.2, 1.0), (30, 6.0, 0.0))
    ]
    for row in history:  # neither the MSS nor rendered recordings count
        row |= {"real": -row["step"], "real_dry": -row["step"], "rendered_sound": -row["step"]}
    assert loop._kept_row(history)["step"] == 20
    assert loop._kept_row(history[:1])["step"] == 10
    assert loop._kept_row(history, dry_steps=20)["step"] == 30, "the reverb is not trained before"
    assert loop._kept_row([{"step": 10, "train_loss": 1.0}, {"step": 20, "train_loss": 2.0}]) == {
        "step": 20,
        "train_loss": 2.0,
    }


def test_digital_silence_is_neither_learnt_nor_judged(tmp_path):
    write_dataset(tmp_path / "dataset.npz")
    with np.load(tmp_path / "dataset.npz") as stored:
        arrays = dict(stored)
    arrays["audio"][1, 6400:9600] = 0  # frames 100 to 149
    arrays["loudness_db"][1] = -20.0
    arrays["loudness_db"][1, 300:400] = -56.0
    np.savez(tmp_path / "dataset.npz", **arrays)
    dataset = load_dataset(tmp_path / "dataset.npz", INSTRUMENT)
    assert np.flatnonzero(~dataset["sounding"][1]).tolist() == list(range(100, 150))
    assert np.flatnonzero(~dataset["loud"][1]).tolist() == [*range(100, 150), *range(300, 400)]


def test_batches_depend_only_on_seed_and_step_and_contain_only_training_clips(dataset):
    config = settings(batch_size=8).train
    for step in (0, 1, 12345):
        clips, starts = draw_batch(dataset, config, step)
        again = draw_batch(dataset, config, step)
        np.testing.assert_array_equal(clips, again[0])
        np.testing.assert_array_equal(starts, again[1])
        assert (dataset["split"][clips] == TRAIN).all()
        assert (starts + config.crop_frames <= CLIP_FRAMES).all()


def test_every_source_has_the_same_share_of_the_batches():
    names = np.repeat(["long", "short", "tiny", "held out"], [90, 9, 1, 50])
    dataset = {
        "split": np.where(names == "held out", TEST, TRAIN),
        "source": names,
        "n_valid_frames": np.full(len(names), CLIP_FRAMES),
    }
    config = settings(batch_size=8).train
    counts = dict.fromkeys(["long", "short", "tiny"], 0)
    for step in range(300):
        clips, _ = draw_batch(dataset, config, step)
        found, each = np.unique(names[clips], return_counts=True)
        assert set(each) == {2, 3}
        assert len(np.unique(clips[names[clips] == "long"])) == each[found == "long"]
        for name, count in zip(found, each, strict=True):
            counts[name] += count
    assert all(count == pytest.approx(800, abs=40) for count in counts.values()), counts


def test_share_of_the_crops_is_played_from_live_features(dataset, live_dataset):
    n_clips = len(dataset["split"])
    n_live = 0
    for step in range(200):
        plain = draw_batch(dataset, settings(batch_size=8).train, step)
        without = draw_batch(live_dataset, settings(batch_size=8, live_share=0.0).train, step)
        mixed = draw_batch(live_dataset, settings(batch_size=8, live_share=0.25).train, step)
        np.testing.assert_array_equal(without, plain)
        np.testing.assert_array_equal(mixed[0] % n_clips, plain[0])
        np.testing.assert_array_equal(mixed[1], plain[1])
        n_live += np.count_nonzero(mixed[0] >= n_clips)
    assert n_live == pytest.approx(0.25 * 200 * 8, abs=50)


def test_crop_from_live_features_has_their_inputs_and_the_same_recording(live_dataset):
    config, n_clips = settings(), len(live_dataset["split"])
    inputs = training_inputs(live_dataset, config)
    arrays = {"audio": live_dataset["audio"], "sounding": live_dataset["sounding"], **inputs}
    starts = np.array([40, 40], np.int32)
    batch = crop_clips(arrays, np.array([3, n_clips + 3], np.int32), starts, 50)
    audio, features, phase = (np.asarray(batch[name]) for name in ("audio", "features", "phase"))
    np.testing.assert_array_equal(audio[1], audio[0])
    assert np.abs(audio[0]).max() > 0.01
    octave, softer = (features[1] - features[0])[-50:].T
    np.testing.assert_allclose(octave, octave[0], atol=1e-5)
    np.testing.assert_allclose(softer, -9 / 80, atol=1e-5)
    advance = np.diff(phase.view(np.uint32), axis=1).astype(np.int64)
    np.testing.assert_allclose(advance[1], 2 * advance[0] % 2**32, rtol=1e-6)
    whole = model_inputs(live_dataset, config)["phase"].shape[0]
    assert (
        whole
        == n_clips
        == training_inputs(live_dataset, settings(live_share=0.0))["phase"].shape[0]
    )


def test_crops_are_matching_slices_of_features_and_samples(dataset):
    clips, starts = np.array([3, 0], np.int32), np.array([5, 400], np.int32)
    config = dataclasses.replace(settings(), tcn=TcnConfig(n_blocks=2, hidden_channels=4))
    n_before = config.tcn.receptive_field - 1 + LEAD_FRAMES
    inputs = model_inputs(dataset, config)
    arrays = {"audio": dataset["audio"], "sounding": dataset["sounding"], **inputs}
    batch = {
        name: np.asarray(value) for name, value in crop_clips(arrays, clips, starts, 50).items()
    }
    before = batch["features"][0, :n_before]
    assert (before[: n_before - 5, 1] == 0).all()  # silence before the clip
    np.testing.assert_array_equal(before[n_before - 5 :], dataset["features"][3, :5])
    for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        np.testing.assert_array_equal(
            batch["features"][row, n_before:], dataset["features"][clip, start : start + 50]
        )
        samples = slice(start * 64, (start + 50) * 64)
        np.testing.assert_array_equal(batch["audio"][row], dataset["audio"][clip, samples])
        led = slice(start * 64, (start + 50 + LEAD_FRAMES) * 64)
        np.testing.assert_array_equal(batch["phase"][row], inputs["phase"][clip, led])


def test_crop_within_a_note_is_a_slice_of_the_whole_rendering(dataset):
    """Neither the network, the levels nor the noise fade in where a crop begins."""
    config = settings()
    model = Ddx7(config)
    arrays = {"sounding": dataset["sounding"], **model_inputs(dataset, config)}
    clip = np.array([2], np.int32)
    whole, crop = (
        np.asarray(
            drop_lead(model(crop_clips(arrays, clip, np.array([start], np.int32), n)))["dry"]
        )
        for start, n in ((0, CLIP_FRAMES), (300, 100))
    )
    np.testing.assert_allclose(crop[0], whole[0, 300 * 64 : 400 * 64], atol=1e-5)
    assert np.abs(crop).max() > 0.01


def test_gaps_are_silenced_before_the_loss(dataset):
    sounding = np.ones((6, CLIP_FRAMES), bool)
    sounding[0, 300:500] = False
    batch = crop_clips({"sounding": sounding}, np.array([0]), np.array([200]), 400)
    kept = np.asarray(training_losses.silence_gaps(np.ones((1, 400 * 64), np.float32), batch))
    np.testing.assert_array_equal(kept[0], np.repeat(sounding[0, 200:600], 64))


@pytest.mark.parametrize("method", ["audio", "control"])
def test_student_equal_to_its_teacher_has_no_distillation_loss(trained, dataset, method):
    teacher = load_model(trained)
    rendered = distillation.render_teacher(trained, dataset, method)
    arrays = {**dataset, **rendered, **model_inputs(dataset, teacher.config)}
    names = ("audio", "sounding", "features", "phase", "grains", *rendered)
    arrays = {name: arrays[name] for name in names}
    batch = crop_clips(arrays, np.array([1, 2]), np.array([0, 0]), CLIP_FRAMES)
    outputs = drop_lead(teacher(batch))
    alone = float(training_losses.reconstruction_loss(outputs, batch))
    assert float(distillation.LOSS_OF_METHOD[method](outputs, batch)) == pytest.approx(
        alone / 2, abs=1e-3
    )


@pytest.mark.slow
def test_killed_training_loses_nothing(tmp_path, dataset_path):
    """Kills the command at random times; checkpoint and weights stay valid and training ends."""
    command = [
        sys.executable,
        "-m",
        "pipeline.train",
        "--instrument",
        "flute",
        "--variant",
        "reduced",
    ]
    command += ["--runs", str(tmp_path), "--dataset", str(dataset_path), "--steps", "12"]
    command += [
        f"--{k.replace('_', '-')}={v}" for k, v in {**SETTINGS, "validate_every": 1}.items()
    ]
    run_dir = tmp_path / "flute" / "reduced"
    random = np.random.default_rng(11)
    for _ in range(2):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (run_dir / "checkpoint.npz").exists():
            time.sleep(0.02)
        time.sleep(random.uniform(0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (run_dir / "checkpoint.npz").exists():
            with np.load(run_dir / "checkpoint.npz") as stored:
                assert all(np.isfinite(stored[name]).all() for name in stored if name != "history")
            load_model(run_dir)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert (run_dir / "metrics.json").exists()
    assert not (run_dir / "checkpoint.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--instrument", "kazoo"], "unknown instrument 'kazoo'"),
        (
            ["--instrument", "violin"],
            "dataset.npz is missing: run python -m pipeline.data --instrument violin --runs {runs}",
        ),
    ],
)
def test_bad_requests_end_with_one_line_and_status_2(tmp_path, arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.train", *arguments, "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message.format(runs=tmp_path) in last


def test_damaged_files_are_named(tmp_path, trained):
    damaged = tmp_path / "dataset.npz"
    damaged.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(UserError, match=r"dataset\.npz is damaged"):
        load_dataset(damaged, INSTRUMENT)
    shutil.copytree(trained, tmp_path / "run")
    with pytest.raises(UserError, match="holds a flute, not a piano"):
        load_model(tmp_path / "run", instrument="piano")
    (tmp_path / "run" / "model.weights.h5").write_bytes(b"\x89HDF\r\n cut off")
    with pytest.raises(UserError, match="damaged"):
        load_model(tmp_path / "run")
