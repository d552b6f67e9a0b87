"""The card of a model states what the file and the figures of its run folder contain."""

import json
import re
import shutil

import pytest

from pipeline.core.constants import FORMATS
from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import decoder_name
from pipeline.emit.model_card import model_card
from pipeline.publishing.model_card import SOURCES, card_text
from pipeline.quantization.tflite_reader import read_step_model

RUN = MODEL_DIR / "flute" / "tiny"


@pytest.mark.parametrize("fmt", FORMATS)
def test_card_states_positions_scales_and_figures_of_the_model(fmt):
    card = card_text(RUN, fmt, "x.tflite")
    model = read_step_model(RUN / decoder_name(fmt))
    stated = {name: int(at) for name, at in re.findall(r"^\| `(\w+)` \| (\d+) \|$", card, re.M)}
    assert stated == model.inputs | model.outputs
    assert f"round(x / {model.frame.scale:.8g}) + ({model.frame.zero_point})" in card
    assert f"x is (note − {model.pitch.lowest_note}) / {model.pitch.n_semitones}, " in card
    assert f"sigmoid({model.logits.scale:.8g} · (q −\n  ({model.logits.zero_point})))" in card
    assert "run 12 frames of 440 Hz at -80 dB" in card  # two blocks with kernels of 3 taps
    assert model_card(RUN, fmt=fmt) in card
    quantization = json.loads((RUN / "quantization.json").read_text())
    method = quantization["shipped"][fmt]
    found = quantization["methods"][fmt][method]
    assert f"The method `{method}` changes the audible levels" in card
    assert f"by {found['level_error_db']:.2f} dB, and its sound by an MSS of" in card
    assert f"- `urmp/flute`: {SOURCES['urmp']}" in card


@pytest.mark.parametrize("path", sorted(MODEL_DIR.glob("*/*/decoder_*.tflite")), ids=str)
def test_every_pretrained_model_has_a_card_that_names_its_sources(path):
    card = card_text(path.parent, path.stem.removeprefix("decoder_"), path.name)
    assert card.startswith(f"# {path.parts[-3].capitalize()}, ")
    assert "recordings of one's own" not in card


def test_missing_figures_are_named(tmp_path):
    shutil.copytree(RUN, tmp_path / "tiny")
    (tmp_path / "tiny" / "metrics.json").unlink()
    with pytest.raises(UserError, match=r"metrics\.json cannot be read \(No such file"):
        card_text(tmp_path / "tiny", "int8", "x.tflite")
