"""The patch of a new instrument is the one that can imitate its recordings."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.audio.features import Features
from pipeline.audio.instrument_entries import choose_patch, choose_program
from pipeline.audio.instrument_measurement import measure_instrument
from pipeline.core.constants import FRAME_RATE
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import MODEL_DIR
from pipeline.model.patch_fit import Fit
from pipeline.model.patches import find_patch
from pipeline.reference.fm import FixedVoice
from pipeline.training import patch_choice
from pipeline.training.initial_run import nearest_pretrained
from pipeline.training.patch_choice import choose_fitting_patch

STARTS = {load_patch(name): name for name in ("flute", "trumpet", "violin")}


def tones(name, n_frames=130):
    """Returns analyses of tones that a patch makes at levels that move."""
    random = np.random.default_rng(1)
    analyses = []
    for f0_hz in (262.0, 392.0, 523.0, 784.0):
        levels = np.linspace(*random.uniform(0.02, 0.25, (2, 6)), n_frames) * 2.0**32
        f0 = np.full(n_frames, f0_hz, np.float32)
        pcm = FixedVoice(load_patch(name)).render(f0, levels.astype(np.int32))
        features = Features(f0, np.full_like(f0, -20.0), np.full_like(f0, 0.95))
        checks = SimpleNamespace(is_mostly_above=False, sounding_seconds=n_frames / FRAME_RATE)
        analyses.append(SimpleNamespace(audio=pcm, features=features, checks=checks))
    return analyses


@pytest.mark.parametrize(
    ("name", "instrument"), [("violin", "violin"), ("pair_and_fan", "trumpet")]
)
def test_tones_choose_the_patch_that_made_them_and_training_starts_with_it(
    name, instrument, monkeypatch
):
    monkeypatch.setattr(patch_choice, "N_FRAMES", 8)
    analyses = tones(name)
    measured = measure_instrument(analyses)
    choice = choose_fitting_patch("tuba", measured, analyses)
    nearest = choose_patch(choose_program("tuba", measured.notes)[0], measured.notes)
    assert nearest.name == "pair_and_fan"  # the trumpet's
    assert choice.name == name
    error_db = re.match(rf"static fits to 8 frames err by (.*) dB with {name}, by ", choice.reason)[
        1
    ]
    assert float(error_db) < 1.2
    assert choice.reason.endswith(f"training can start from the shipped {instrument}")
    config = InstrumentConfig("tuba", choice.name, DataConfig(*measured.search_hz))
    assert nearest_pretrained(config, "reduced") == MODEL_DIR / instrument / "reduced"
    assert find_patch(config) == load_patch(name)


def test_too_little_sound_leaves_the_patch_of_the_nearest_instrument():
    analyses = tones("violin", n_frames=60)
    choice = choose_fitting_patch("tuba", measure_instrument(analyses), analyses)
    assert choice.name == "pair_and_fan" and "too little sound to compare patches" in choice.reason


def fits(**errors_db):
    return sorted(
        (Fit(load_patch(name), (error,)) for name, error in errors_db.items()),
        key=lambda fit: fit.error_db,
    )


@pytest.mark.parametrize(
    ("nearest", "errors_db", "chosen"),
    [
        ("trumpet", {"trumpet": 6.7, "flute": 2.5, "pair_and_fan": 2.4}, "flute"),
        ("trumpet", {"trumpet": 6.7, "flute": 5.5, "pair_and_fan": 2.4}, "pair_and_fan"),
        ("violin", {"violin": 2.9, "flute": 2.0, "two_stacks": 1.5}, "violin"),
        ("violin", {"violin": 3.1, "flute": 2.0, "two_stacks": 1.5}, "flute"),
    ],
)
def test_patch_of_a_shipped_model_is_preferred_unless_another_is_much_better(
    nearest, errors_db, chosen
):
    found = fits(**errors_db)
    choice = patch_choice._choose(found, STARTS, load_patch(nearest))
    assert choice.patch.name == chosen
    reason = patch_choice._reason(choice, found, STARTS)
    assert f"err by {errors_db[chosen]:.2f} dB with {chosen}, by " in reason
    best = min(errors_db, key=errors_db.__getitem__)
    if chosen != best:
        assert f"by {errors_db[best]:.2f} dB with the best one, {best}; training can" in reason
    else:
        assert f"by {sorted(errors_db.values())[1]:.2f} dB with the next one" in reason
        assert "shipped" not in reason


def test_without_shipped_models_the_best_patch_is_chosen():
    found = fits(trumpet=3.0, two_stacks=2.5)
    assert patch_choice._choose(found, {}, load_patch("trumpet")).patch.name == "two_stacks"
