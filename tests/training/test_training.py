"""Training reduces the loss, and an interruption or a kill neither changes nor loses anything."""

import json
import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support.refusals import refusal
from support.tone_dataset import INSTRUMENT, SETTINGS, settings, write_dataset

from pipeline import train
from pipeline.core.constants import CLIP_FRAMES
from pipeline.core.errors import UserError
from pipeline.core.runs import load_run
from pipeline.model.ddx7 import Ddx7, load_model, restore_weights
from pipeline.training import checkpoints, distillation, loop
from pipeline.training import losses as training_losses
from pipeline.training.dataset import crop_clips, draw_batch, drop_lead, load_dataset, model_inputs
from pipeline.training.learner import Learner


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
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    calls = []

    def draw(*args, **kwargs):
        calls.append(1)
        if len(calls) == 8:  # what a kill would leave now
            shutil.copytree(whole, broken)
        return draw_batch(*args, **kwargs)

    replace(draw_batch, draw)
    expected = loop.train_model(whole, settings(), dataset)
    assert not (broken / "metrics.json").exists()
    resumed = loop.train_model(broken, settings(), dataset)
    assert len(calls) == 9 + 3
    assert resumed["history"] == expected["history"]
    for a, b in zip(weights_of(whole), weights_of(broken), strict=True):
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


@pytest.fixture
def other_dataset(dataset):
    """Returns the data set with one sample changed."""
    audio = dataset["audio"].copy()
    audio[0, 0] += 1 / 32768
    return {**dataset, "audio": audio}


def test_another_data_set_does_not_pass_for_the_one_that_was_learnt(trained, other_dataset):
    with pytest.raises(UserError, match=r"run was trained with another data set: .* --restart"):
        loop.train_model(trained, settings(steps=3), other_dataset)


def test_models_that_do_not_say_their_data_set_are_finished(tmp_path, trained, other_dataset):
    shutil.copytree(trained, tmp_path / "run")
    metrics = json.loads((trained / "metrics.json").read_text())
    del metrics["dataset"]
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    assert loop.train_model(tmp_path / "run", settings(steps=3), other_dataset) == metrics


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"metrics\.json is damaged \(Expecting"),
        ("[]", r"metrics\.json is damaged \(it holds no table\)"),
        ("{}", r"metrics\.json lacks figures of a finished training"),
        ('{"parameters": 1, "steps": 3, "best_step": 3}', "lacks figures"),
    ],
)
def test_damaged_figures_of_a_finished_training_are_named(
    tmp_path, trained, dataset, text, message
):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=message + ".*: restore it, or give --restart"):
        loop.train_model(tmp_path / "run", settings(steps=3), dataset)


@pytest.mark.parametrize("history", ["[]", "{}", "[1]", '[{"step": "3"}]', "[{}]"])
def test_checkpoint_without_a_history_is_damaged(tmp_path, dataset, history):
    learner = Learner(Ddx7(settings()), {}, training_losses.reconstruction_loss, settings().train)
    path = tmp_path / "checkpoint.npz"
    checkpoints.save_checkpoint(path, learner, json.loads(history), {"dataset": "data"})
    with pytest.raises(UserError, match=r"is damaged \(its history is no list of steps\): delete"):
        checkpoints.load_checkpoint(path, learner)


class StoppedError(Exception):
    """Stands for Ctrl-C."""


@pytest.fixture
def stop(replace):
    """Records which batches are drawn, and stops before the one of step ``stop.at``."""

    def draw(dataset, settings, step):
        if step == stop.at:
            raise StoppedError
        stop.steps.append(step)
        return draw_batch(dataset, settings, step)

    stop = SimpleNamespace(at=None, steps=[])
    replace(draw_batch, draw)
    return stop


@pytest.fixture
def interrupted(tmp_path, dataset, stop):
    """Returns the folder of a training that was interrupted after a validation, at step 4 of 9."""
    stop.at = 4
    with pytest.raises(StoppedError):
        loop.train_model(tmp_path / "run", settings(), dataset)
    stop.at, stop.steps = None, []
    return tmp_path / "run"


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["data set", "steps", "initial model"])
def test_other_training_costs_nothing_until_it_has_weights(
    interrupted, dataset, other_dataset, trained, stop, capsys, changed
):
    before = files_of(interrupted)
    other = {
        "data set": (settings(), other_dataset, {}),
        "steps": (settings(steps=8), dataset, {}),
        "initial model": (settings(), dataset, {"warm_start": trained}),
    }[changed]
    with pytest.raises(UserError, match=r"run was trained .*another .* --restart"):
        loop.train_model(interrupted, *other[:2], **other[2])
    stop.at = 2
    with pytest.raises(StoppedError):
        loop.train_model(interrupted, *other[:2], **other[2], replace=True)
    assert files_of(interrupted) == before
    assert re.search(
        r"run was trained .*another .*: training starts again", capsys.readouterr().out
    )

    stop.at, stop.steps = None, []
    metrics = loop.train_model(interrupted, settings(), dataset, replace=True)
    assert stop.steps == [3, 4, 5, 6, 7, 8] and metrics["steps"] == 9


def test_other_training_replaces_model_decoders_and_figures(tmp_path, trained, other_dataset):
    # Otherwise an old decoder would play with a new patch until the next quantization.
    run_dir = tmp_path / "run"
    shutil.copytree(trained, run_dir)
    stale = [run_dir / name for name in ("decoder_int8.tflite", "decoder_int8.npz")]
    for path in stale:
        path.write_bytes(b"old")
    before = files_of(run_dir)
    loop.train_model(run_dir, settings(steps=1), other_dataset, replace=True)
    after = files_of(run_dir)
    assert not any(path.exists() for path in stale)
    assert before.keys() - after.keys() == {path.name for path in stale}
    assert all(after[name] != before[name] for name in after)


@pytest.mark.slow
def test_decoders_of_earlier_weights_do_not_outlive_them(interrupted, dataset):
    stale = interrupted / "decoder_int8.tflite"  # an earlier version quantized unfinished models
    stale.write_bytes(b"old")
    loop.train_model(interrupted, settings(), dataset)
    assert not stale.exists()


def test_unfinished_model_is_refused_with_its_step(interrupted):
    with pytest.raises(UserError, match=r"run: training stopped at step 3 of 9: continue with "):
        load_model(interrupted)


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
    """Kills the command near a checkpoint; checkpoint and weights stay valid and training ends."""
    command = [sys.executable, "-m", "pipeline.train", "--instrument", "flute"]
    command += ["--variant", "reduced", "--runs", str(tmp_path), "--dataset", str(dataset_path)]
    changes = {**SETTINGS, "steps": 12, "validate_every": 1}
    command += [f"--{name.replace('_', '-')}={value}" for name, value in changes.items()]
    run_dir = tmp_path / "flute" / "reduced"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (run_dir / "checkpoint.npz").exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(np.random.default_rng(11).uniform(0, 0.5))
    process.kill()
    process.wait()
    with np.load(run_dir / "checkpoint.npz") as stored:
        assert all(np.isfinite(stored[name]).all() for name in stored if "variable" in name)
    restore_weights(Ddx7(load_run(run_dir, finished=False)), run_dir)
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
        (
            ["--instrument", "violin", "--dataset", "/no.npz"],
            "/no.npz is missing: run python -m pipeline.data --instrument violin, or give another",
        ),
    ],
)
def test_bad_requests_end_with_one_line_and_status_2(tmp_path, capsys, arguments, message):
    line = refusal(capsys, train.main, *arguments, "--runs", tmp_path)
    assert message.format(runs=tmp_path) in line


def test_data_set_of_another_instrument_is_refused(tmp_path, dataset_path, capsys):
    shutil.copy(dataset_path, tmp_path / "dataset.npz")
    (tmp_path / "dataset.json").write_text('{"instrument": "flute"}')
    words = ["--instrument", "piano", "--dataset", tmp_path / "dataset.npz", "--runs", tmp_path]
    line = refusal(capsys, train.main, *words)
    assert "was made for the flute, not for the piano: run python -m pipeline.data" in line
    assert len(load_dataset(tmp_path / "dataset.npz", INSTRUMENT)["split"]) == 6
    (tmp_path / "dataset.json").write_text("{")
    assert "dataset.json is damaged" in refusal(capsys, train.main, *words)


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
