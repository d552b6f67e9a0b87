"""Commands for run folders carry everything that their reader needs."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.runs import RunConfig, find_run, load_run, runs_option, training_command


@pytest.fixture
def instruments(tmp_path, replace):
    """A folder of instruments that contains a clarinet alone."""
    folder = tmp_path / "instruments"
    folder.mkdir()
    (folder / "clarinet.toml").touch()
    replace(paths.INSTRUMENT_DIR, folder)
    return folder


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("RUNS/clarinet/full", "train --variant full --instrument clarinet"),
        ("MODELS/clarinet/reduced", "train --variant reduced --instrument clarinet"),
        ("other/clarinet/reduced_ad", "distill --method audio --instrument clarinet --runs other"),
        ("two words/clarinet/reduced_cd", "distill --method control --instrument clarinet --runs "),
        ("RUNS/clarinet/tiny", "distill --variant tiny --method control --instrument clarinet"),
        ("other/kazoo/full", "train"),
        ("other/clarinet", "train"),
    ],
)
def test_training_command_makes_the_model_of_a_folder(instruments, folder, command):
    places = {"RUNS": paths.RUN_DIR, "MODELS": paths.MODEL_DIR}
    first, *others = Path(folder).parts
    written = training_command(Path(places.get(first, first), *others))
    end = "'two words'" if first == "two words" else ""
    assert written == f"python -m pipeline.{command}{end}"


def test_folder_that_commands_use_by_default_is_not_repeated():
    assert runs_option(None) == runs_option(paths.RUN_DIR) == ""
    assert runs_option(Path("my runs")) == " --runs 'my runs'"


def test_missing_variant_is_reported_with_both_places(instruments, tmp_path):
    with pytest.raises(UserError) as error:
        find_run("clarinet", "full", tmp_path)
    assert f"{tmp_path}/clarinet/full or {paths.MODEL_DIR}/clarinet/full" in str(error.value)
    assert f"train --variant full --instrument clarinet --runs {tmp_path}" in str(error.value)


def interrupt(folder, step):
    """Writes what a training leaves that was interrupted after the validation at a step."""
    RunConfig("flute", "flute", folder.name, TcnConfig(2, 8), TrainConfig(steps=5000)).save(folder)
    history = json.dumps([{"step": step // 2}, {"step": step}])
    np.savez(folder / "checkpoint.npz", history=np.array(history))
    (folder / "model.weights.h5").touch()


def test_unfinished_training_is_refused_with_its_step_and_the_command_that_continues(tmp_path):
    full = tmp_path / "flute" / "full"
    interrupt(full, 1500)
    began = f"^{full}: training stopped at step 1500 of 5000: continue with python -m pipeline"
    options = f"--instrument flute --runs {tmp_path} and the options that it began with$"
    with pytest.raises(UserError, match=rf"{began}.train --variant full {options}"):
        load_run(full)
    (tmp_path / "flute" / "request").mkdir()
    (tmp_path / "flute" / "request" / "full.json").touch()
    for load in (load_run, lambda folder: find_run("flute", "full", tmp_path)):
        with pytest.raises(UserError, match=rf"{began}.run {options}"):
            load(full)
    assert load_run(full, finished=False).train.steps == 5000
    (full / "metrics.json").touch()  # killed before the checkpoint was removed
    assert load_run(full).variant == "full" and find_run("flute", "full", tmp_path) == full


def test_training_whose_checkpoint_was_deleted_has_not_ended(tmp_path):
    full = tmp_path / "flute" / "full"
    interrupt(full, 1500)
    (full / "checkpoint.npz").unlink()
    assert load_run(full).variant == "full"  # a model from elsewhere, without figures
    (full / "logs").mkdir()
    with pytest.raises(UserError, match=rf"^{full}: training has not ended: continue with python"):
        load_run(full)


@pytest.mark.parametrize("history", ["", "[]", "[1]", '[{"step": null}]'])
def test_unfinished_training_with_a_damaged_checkpoint_is_named(tmp_path, history):
    interrupt(tmp_path / "full", 2)
    np.savez(tmp_path / "full" / "checkpoint.npz", history=np.array(history))
    with pytest.raises(UserError, match=r"checkpoint\.npz is damaged .*: delete it to train from"):
        load_run(tmp_path / "full")


def test_path_that_is_no_run_folder_says_what_it_is(tmp_path):
    with pytest.raises(UserError, match=r"flut/tiny does not exist: run python -m pipeline\.train"):
        load_run(tmp_path / "flut" / "tiny")
    with pytest.raises(
        UserError, match=r"flute is not a run folder \(no config.toml\): run python"
    ):
        (tmp_path / "flute").mkdir()
        load_run(tmp_path / "flute")
    for variant in ("tiny", "full"):
        interrupt(tmp_path / "flute" / variant, 2)
    within = " or ".join(f"{tmp_path}/flute/{variant}" for variant in ("full", "tiny"))
    with pytest.raises(UserError, match=f"flute holds run folders: choose {within}$"):
        load_run(tmp_path / "flute")
