"""The model card states the facts of a run folder."""

import hashlib
import json
from shutil import copytree

import pytest

from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.emit.model_card import model_card

FLUTE = MODEL_DIR / "flute" / "tiny"


def test_card_of_a_pretrained_model_states_what_its_files_hold():
    card = model_card(FLUTE)
    assert card.startswith("# Flute, Tiny\n")
    assert "2 048 multiply-accumulates" in card and "2 124 parameters" in card
    assert "6>5>1 4>3>1 2>1" in card and "notes 57 to 98" in card
    assert hashlib.sha256((FLUTE / "decoder_int8.tflite").read_bytes()).hexdigest() in card
    test = json.loads((FLUTE / "metrics.json").read_text())["mss"]["test"]["sources"]
    assert len(test) == 3
    for name, found in test.items():
        assert f"| {name} | {found['sound']:.2f} | {found['dry']:.2f} |" in card
    assert "## Licence\n\nApache-2.0." in card


def test_card_of_ones_own_model_leaves_its_licence_to_its_maker(small_run):
    card = model_card(small_run)
    assert "# Flute, Reduced + CD" in card and "No figures were recorded." in card
    assert "Whoever trained the model decides" in card


def test_damaged_figures_are_named(tmp_path):
    copytree(FLUTE, tmp_path / "tiny")
    (tmp_path / "tiny" / "metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json is damaged"):
        model_card(tmp_path / "tiny")


def test_run_folder_without_a_quantized_model_is_refused():
    with pytest.raises(UserError, match=r"decoder_int16x8\.tflite.*pipeline"):
        model_card(MODEL_DIR / "flute" / "full", fmt="int16x8")
