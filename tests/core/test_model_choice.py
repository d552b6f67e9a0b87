"""One's own model plays first, and the reason says which model it is."""

from argparse import Namespace

import numpy as np
import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.model_choice import (
    choose_model,
    chosen_model,
    chosen_models,
    modelled_instruments,
)
from pipeline.core.runs import WEIGHTS, RunConfig, decoder_name

DECODER = decoder_name("int8")


@pytest.fixture
def places(tmp_path, replace, monkeypatch):
    """Empty folders of runs and of pretrained models below the current folder."""
    monkeypatch.chdir(tmp_path)
    for name, path in (("runs", paths.RUN_DIR), ("models", paths.MODEL_DIR)):
        (tmp_path / name).mkdir()
        replace(path, tmp_path / name)
    return tmp_path


def make(folder, *, quantized=True):
    folder.mkdir(parents=True)
    for name in ("config.toml", "model.weights.h5", *([DECODER] if quantized else [])):
        (folder / name).touch()
    return folder


def choose(instrument="flute", **options):
    return str(choose_model(instrument, file=DECODER, **options))


def test_own_model_comes_before_the_pretrained_one(places):
    make(places / "models/flute/reduced_cd")
    assert choose() == "models/flute/reduced_cd (pretrained)"
    make(places / "runs/flute/reduced")
    assert choose() == "runs/flute/reduced (trained here)"
    assert choose(runs=places / "models") == "models/flute/reduced_cd (pretrained)"
    make(places / "elsewhere/flute/full")
    assert choose(runs=places / "elsewhere") == "elsewhere/flute/full (trained here)"


def test_distilled_students_come_before_others_unless_a_variant_is_given(places):
    for variant in ("tiny", "full", "reduced", "reduced_ad", "reduced_cd"):
        make(places / "runs/flute" / variant)
        assert choose() == f"runs/flute/{variant} (trained here)"
    assert choose(variant="reduced") == "runs/flute/reduced (trained here)"


def test_variant_that_is_left_out_is_never_chosen(places):
    make(places / "runs/flute/tiny")
    with pytest.raises(UserError, match="no trained model of flute other than tiny in runs/flute"):
        choose(other_than="tiny")
    make(places / "models/flute/reduced_cd")
    assert choose(other_than="tiny") == "models/flute/reduced_cd (pretrained)"
    make(places / "runs/flute/full")
    assert choose(other_than="tiny") == "runs/flute/full (trained here)"


def test_own_model_that_is_not_quantized_is_named_with_the_command(places):
    own = make(places / "runs/clarinet/reduced_cd", quantized=False)
    command = "run python -m pipeline.quantize --run runs/clarinet/reduced_cd"
    with pytest.raises(UserError, match=f"^no clarinet can be played: runs/clarinet/.*: {command}"):
        choose("clarinet")
    assert choose_model("clarinet").run_dir == own  # a float model needs no decoder
    make(places / "models/clarinet/reduced")
    assert choose("clarinet").startswith("models/clarinet/reduced (pretrained; runs/clarinet/red")
    assert choose("clarinet").endswith(f"not quantized: {command})")


def test_own_model_whose_training_stopped_is_not_played(places):
    own = make(places / "runs/flute/reduced_cd")
    RunConfig("flute", "flute", "reduced_cd", TcnConfig(2, 8), TrainConfig(steps=90)).save(own)
    np.savez(own / "checkpoint.npz", history=np.array('[{"step": 30}]'))
    stopped = "runs/flute/reduced_cd: training stopped at step 30 of 90: continue with python -m "
    for file in (DECODER, WEIGHTS):
        with pytest.raises(UserError, match=f"^no flute can be played: {stopped}"):
            choose_model("flute", file=file)
    make(places / "models/flute/tiny")
    assert choose().startswith(f"models/flute/tiny (pretrained; {stopped}")
    make(places / "runs/flute/reduced")
    assert choose() == "runs/flute/reduced (trained here)"
    (own / "metrics.json").touch()
    assert choose() == "runs/flute/reduced_cd (trained here)"


def test_missing_model_is_reported_with_the_command_that_makes_it(places):
    make(places / "models/flute/reduced_cd")
    for options, message in (
        ({}, "no trained model of violin in runs/violin or models/violin: run python -m "),
        ({"variant": "full"}, "no trained full violin in"),
        ({"runs": places / "models"}, "no pretrained model of violin: leave out --pretrained, or "),
        ({"runs": places / "my"}, f"--instrument violin --audio DIR --runs {places}/my first"),
    ):
        with pytest.raises(UserError, match=message):
            choose("violin", **options)
    with pytest.raises(UserError, match=r"choose one of flute$"):
        choose("violin", runs=places / "models")
    with pytest.raises(UserError, match="unknown instrument 'kazoo': choose one of flute, "):
        choose("kazoo")


def test_several_instruments_or_run_folders_keep_their_order(places):
    for place in ("runs/clarinet/full", "models/flute/reduced_cd"):
        make(places / place)
    asked = Namespace(run=None, instrument=["flute", "clarinet"], variant=None, runs=None)
    chosen = chosen_models(asked, file=DECODER)
    assert list(map(str, chosen)) == [
        "models/flute/reduced_cd (pretrained)",
        "runs/clarinet/full (trained here)",
    ]
    for name in ("y", "x"):
        RunConfig("kazoo", "flute", "reduced", TcnConfig(2, 8), TrainConfig()).save(places / name)
    asked = Namespace(run=[places / "y", places / "x"], instrument=None)
    assert [str(model) for model in chosen_models(asked)] == [
        *("y (given by --run)", "x (given by --run)")
    ]
    with pytest.raises(UserError, match=r"nope (does not exist|is not a run folder)"):
        chosen_models(Namespace(run=[places / "y", places / "nope"], instrument=None))
    assert chosen_models(Namespace(run=None, instrument=None)) == []


def test_run_folder_says_which_instrument_plays(places):
    run_dir = places / "mine"
    run_dir.mkdir()
    train = TrainConfig()
    RunConfig("kazoo", "flute", "reduced", TcnConfig(2, 8), train).save(run_dir)
    asked = Namespace(run=run_dir, instrument=None, variant=None, runs=None)
    assert str(chosen_model(asked)) == "mine (given by --run)" and asked.instrument == "kazoo"
    with pytest.raises(UserError, match="mine holds a kazoo, not a flute"):
        chosen_model(Namespace(run=run_dir, instrument="flute", variant=None, runs=None))
    with pytest.raises(UserError, match="give --instrument NAME or --run DIR"):
        chosen_model(Namespace(run=None, instrument=None))
    with pytest.raises(UserError, match="unknown instrument 'kazoo'"):
        chosen_model(Namespace(run=None, instrument="kazoo", variant=None, runs=None))


def test_modelled_instruments_are_known_and_have_weights(places, replace):
    (places / "instruments").mkdir()
    replace(paths.INSTRUMENT_DIR, places / "instruments")
    for name in ("clarinet", "flute", "oboe"):
        (places / "instruments" / f"{name}.toml").touch()
    make(places / "models/flute/reduced_cd")
    make(places / "runs/clarinet/full", quantized=False)
    make(places / "runs/undescribed/full")
    assert modelled_instruments() == ["clarinet", "flute"]
    assert modelled_instruments(places / "models") == ["flute"]
