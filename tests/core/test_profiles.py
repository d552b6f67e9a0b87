"""A profile is a file that one can copy; what is wrong in it is named in one line."""

from dataclasses import replace as changed

import pytest

from pipeline.core import accelerator
from pipeline.core.accelerator import has_gpu
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TrainConfig
from pipeline.core.parser import Parser
from pipeline.core.paths import MODEL_DIR, PROFILE_DIR
from pipeline.core.profiles import (
    TINY_TRAINING,
    default_profile,
    known_profiles,
    load_profile,
)
from pipeline.core.runs import load_run
from pipeline.core.training_options import add_profile


@pytest.mark.parametrize("variant", ["full", "reduced", "reduced_ad", "reduced_cd", "tiny"])
def test_shipped_profile_is_how_the_pretrained_models_were_trained(variant):
    training = load_profile("shipped").training(variant)
    for instrument in ("flute", "violin"):
        assert training.config == load_run(MODEL_DIR / instrument / variant).train
    assert training.start == ("reduced" if variant.startswith("reduced_") else "random")


def test_full_profile_takes_the_steps_of_the_papers():
    assert load_profile("full").training("reduced").config == TrainConfig(steps=120_000)


def test_copy_of_a_profile_is_read_from_its_file(tmp_path):
    text = (PROFILE_DIR / "quick.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("steps = 450", "steps = 77") + "[train.full]\nsteps = 99\n")
    mine, quick = load_profile(str(path)), load_profile("quick")
    assert mine.training("full").config.steps == 99
    assert (
        mine.training("reduced", seed=3).config
        == quick.training("reduced", steps=77, seed=3).config
    )
    assert mine.variants == quick.variants


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 450", "steps = 0", "train.steps = 0: give a whole number from 1"),
        ("steps = 450", "step = 450", "unknown entry train.step; allowed: steps, batch_size"),
        ("takes = 4", "takes = true", "takes = True: give a whole number from 1 to 1000"),
        ("takes = 4", "", "takes is missing: give a whole number from 1 to 1000"),
        ("takes = 4", "takes = 4\nspeed = 1", "unknown entry speed; allowed: description,"),
        ('"full", ', '"ful", ', "give one or more of full, reduced, reduced_ad, reduced_cd, tiny"),
        ('"full", "reduced", ', '"reduced", "full", ', "give them in the order full, reduced"),
        ('"full", ', "", "reduced_ad needs full, its teacher"),
        ('"full", "reduced", "reduced_ad", "reduced_cd"', '"tiny"', "tiny needs another before it"),
        ("variants = [", "variants = [1, ", r"variants = .1, .*: give a list of strings"),
        ("\n[train]\n", "\n[training]\n", "unknown entry training"),
    ],
)
def test_wrong_entry_of_a_profile_is_named(tmp_path, old, new, message):
    path = tmp_path / "mine.toml"
    text = (PROFILE_DIR / "quick.toml").read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=f"^{path}.*{message}"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[train.reduced]\nstart = "flute"\n', "train.reduced.start = 'flute': give a string that"),
        ("[train.reduced]\nsteps = 2.5\n", "train.reduced.steps = 2.5: give a whole number"),
        ("reduced = 3\n", "train.reduced = 3: give a table"),
        ("[train.small]\nsteps = 3\n", "unknown entry train.small"),
    ],
)
def test_wrong_entry_for_a_variant_is_named(tmp_path, table, message):
    path = tmp_path / "mine.toml"
    path.write_text((PROFILE_DIR / "quick.toml").read_text() + table)
    with pytest.raises(UserError, match=f"^{path}: {message}"):
        load_profile(str(path))


def test_entry_in_place_of_the_table_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        (PROFILE_DIR / "quick.toml").read_text().partition("\n[train]")[0] + "\ntrain = 5"
    )
    with pytest.raises(UserError, match=f"^{path}: train = 5: give a table"):
        load_profile(str(path))


@pytest.mark.parametrize("name", ["fast", "no/such.toml", ""])
def test_unknown_profile_is_refused_with_the_known_ones(name):
    known = ", ".join(known_profiles())
    with pytest.raises(UserError, match=f"no profile '{name}': choose one of {known}, or give"):
        load_profile(name)


def test_students_bring_the_models_that_they_need():
    shipped, quick = load_profile("shipped"), load_profile("quick")
    assert shipped.variants_for(["reduced_cd"]) == ["full", "reduced", "reduced_cd"]
    assert quick.variants_for(["reduced_cd"]) == ["full", "reduced_cd"]
    assert quick.variants_for(None) == ["full", "reduced", "reduced_ad", "reduced_cd"]
    assert load_profile("laptop").variants_for(["tiny"]) == ["reduced", "tiny"]
    assert quick.variants_for(["tiny"]) == ["full", "reduced", "tiny"]
    assert quick.variants_for(["reduced_cd", "tiny"]) == ["full", "reduced_cd", "tiny"]


def test_tiny_model_is_trained_on_frames_whatever_the_profile_says_about_audio(tmp_path):
    for name in known_profiles():
        training = load_profile(name).training("tiny")
        assert training.start == "random"
        assert training.config == TINY_TRAINING
    path = tmp_path / "mine.toml"
    table = "[train.tiny]\nsteps = 3\n"
    path.write_text((PROFILE_DIR / "quick.toml").read_text() + table)
    assert load_profile(str(path)).training("tiny").config == changed(TINY_TRAINING, steps=3)


def test_default_profile_follows_the_gpu(tmp_path, replace):
    replace(accelerator.DEVICE_DIR, tmp_path)
    assert not has_gpu() and default_profile() == "laptop"
    replace(has_gpu, lambda: True)
    assert default_profile() == "shipped"


@pytest.mark.slow  # loads TensorFlow
def test_gpu_that_the_backend_cannot_use_does_not_count(tmp_path, replace, monkeypatch):
    replace(accelerator.DEVICE_DIR, tmp_path)
    (tmp_path / "nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not has_gpu()


def test_help_lists_the_profiles():
    parser = Parser("some", "Does something.")
    add_profile(parser)
    text = " ".join(parser.format_help().split())
    assert f"{', '.join(known_profiles())}, or your copy of such a file" in text
