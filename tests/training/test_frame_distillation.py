"""A tiny student follows its teacher's levels, and is a model like the others."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from support.refusals import refusal
from support.tone_dataset import INSTRUMENT

from pipeline import distill
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.paths import MODEL_DIR
from pipeline.core.profiles import load_profile
from pipeline.core.runs import load_run
from pipeline.model.ddx7 import Ddx7, load_model, save_model
from pipeline.training import frame_batches, frame_distillation, options

STEPS = 120
OF_TINY = dataclasses.replace(INSTRUMENT, tiny=TcnConfig(2, 8, 2))


def tiny(**changes):
    small = {"steps": STEPS, "batch_size": 8, "crop_frames": 64, "warmup_steps": 10}
    small |= {"average_steps": 10}
    training = load_profile("quick").training("tiny", **{**small, **changes})
    return options.resolve(OF_TINY, "tiny", training)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A reduced model with random weights, whose levels follow the frames strongly."""
    folder = tmp_path_factory.mktemp("teacher") / "flute" / "reduced_cd"
    small = dataclasses.replace(INSTRUMENT, reduced=TcnConfig(2, 12))
    training = load_profile("quick").training("reduced_cd", initial_logit=-3.0)
    config = options.resolve(small, "reduced_cd", training)
    keras.utils.set_random_seed(1)
    model = Ddx7(config)
    for layer in model.tcn.layers:
        if weights := layer.get_weights():
            layer.set_weights([2 * weights[0], weights[1]])
    model.noise.set_weights([weight + 0.3 for weight in model.noise.get_weights()])
    config.save(folder)
    save_model(model, folder)
    return folder


@pytest.fixture(scope="module")
def distilled(tmp_path_factory, dataset, teacher):
    folder = tmp_path_factory.mktemp("tiny") / "flute" / "tiny"
    metrics = frame_distillation.distil_frames(folder, tiny(), INSTRUMENT.data, dataset, teacher)
    return folder, metrics


def test_student_comes_close_to_its_teacher_with_its_noise(distilled, teacher, dataset):
    folder, metrics = distilled
    assert load_run(folder).variant == "tiny"
    student, large = load_model(folder), load_model(teacher)
    for one, other in zip(student.noise.weights, large.noise.weights, strict=True):
        np.testing.assert_allclose(np.array(one), np.array(other), rtol=1e-3)
    features = dataset["features"][dataset["split"] == 1]
    fresh = Ddx7(tiny())
    db = [
        -20 * np.log10(1 + np.exp(-np.asarray(model.tcn(features))[:, 50:]))
        for model in (large, student, fresh)
    ]
    error_db, before_db = (np.abs(found - db[0]).mean() for found in db[1:])
    assert error_db < 2.0 < 6.0 < before_db
    assert metrics["teacher"]["level_error_db"]["valid"] < 3
    assert metrics["teacher"]["variant"] == "reduced_cd"
    assert metrics["teacher"]["config_hash"] == load_run(teacher).hash


def test_metrics_are_those_of_other_models(distilled):
    folder, metrics = distilled
    assert metrics == json.loads((folder / "metrics.json").read_text())
    assert metrics["best_step"] == metrics["steps"] == STEPS
    assert metrics["selected_by"] == "last step" and metrics["start"] is None
    valid = metrics["mss"]["valid"]
    assert valid["step"] == STEPS and {"dry", "sound", "mss"} <= set(valid["sources"]["played"])
    assert metrics["mss"]["test"] == {}, "the data set has no clips for the test"


def test_finished_student_is_kept_and_another_configuration_is_refused(
    distilled, dataset, teacher, replace
):
    folder, metrics = distilled
    replace(frame_batches.FrameBatches, None)
    again = frame_distillation.distil_frames(folder, tiny(), INSTRUMENT.data, dataset, teacher)
    assert again == metrics
    with pytest.raises(UserError, match="was trained with another configuration"):
        frame_distillation.distil_frames(folder, tiny(steps=5), INSTRUMENT.data, dataset, teacher)
    louder = {**dataset, "loudness_db": dataset["loudness_db"] + 1}
    with pytest.raises(UserError, match="was trained with another data set"):
        frame_distillation.distil_frames(folder, tiny(), INSTRUMENT.data, louder, teacher)


def test_teacher_with_another_patch_is_refused(tmp_path, dataset, teacher):
    other = dataclasses.replace(OF_TINY, patch="two_stacks")
    config = options.resolve(other, "tiny", load_profile("quick").training("tiny"))
    with pytest.raises(UserError, match="reduced_cd plays another FM patch than the flute does"):
        frame_distillation.distil_frames(
            tmp_path / "tiny", config, INSTRUMENT.data, dataset, teacher
        )
    assert not (tmp_path / "tiny").exists()


def test_command_makes_a_tiny_student_of_the_best_small_model(dataset_path, teacher, capsys):
    runs = teacher.parent.parent
    arguments = ["--instrument", "flute", "--variant", "tiny", "--method", "control"]
    arguments += ["--runs", str(runs), "--dataset", str(dataset_path)]
    distill.main([*arguments, "--steps", "3", "--batch-size", "2"])
    printed = capsys.readouterr().out
    assert f"teacher: {teacher}" in printed
    assert f"next: python -m pipeline.quantize --run {runs / 'flute' / 'tiny'}" in printed
    assert load_run(runs / "flute" / "tiny").tcn == INSTRUMENT.tiny


def test_tiny_student_is_no_teacher_of_the_next_one(tmp_path, dataset_path, distilled, capsys):
    shutil.copytree(distilled[0], tmp_path / "flute" / "tiny")
    arguments = ["--instrument", "flute", "--variant", "tiny", "--method", "control"]
    arguments += ["--runs", str(tmp_path), "--dataset", str(dataset_path)]
    with pytest.raises(UserError, match="was trained with another configuration"):
        distill.main(arguments)
    assert "teacher: data/models/flute/reduced_cd (pretrained)" in capsys.readouterr().out


def test_finished_student_of_another_teacher_is_refused(distilled, dataset):
    other = MODEL_DIR / "flute" / "reduced_cd"
    with pytest.raises(UserError, match=r"from another teacher or .*: .* give --restart"):
        frame_distillation.distil_frames(distilled[0], tiny(), INSTRUMENT.data, dataset, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "audio"], "--method audio: a tiny student learns from levels alone"),
        (
            ["--method", "control", "--warm-start", "runs/flute/tiny"],
            "--warm-start: a tiny student learns from levels alone and starts from random",
        ),
        (["--method", "control", "--teacher", "TINY"], "is a tiny model, which teaches no other"),
    ],
)
def test_what_a_tiny_student_cannot_learn_from_is_named(distilled, capsys, arguments, message):
    given = [distilled[0] if word == "TINY" else word for word in arguments]
    line = refusal(capsys, distill.main, "--instrument", "flute", "--variant", "tiny", *given)
    assert message in line
