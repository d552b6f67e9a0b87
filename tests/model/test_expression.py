"""Selection of the expression table that belongs to a model, and the level of tables."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from support.sounds import make_tone

from pipeline.audio.analysis import Analysis
from pipeline.audio.features import extract_features
from pipeline.audio.level import calibrate
from pipeline.audio.pcm import to_pcm
from pipeline.audio.recordings import Recording
from pipeline.core import paths
from pipeline.core.constants import CALIBRATED_LEVEL_DB
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, TrainConfig, load_instrument
from pipeline.core.runs import RunConfig
from pipeline.model import expression_learning
from pipeline.model.expression import PLAIN, Expression, find_expression

Replace = Callable[[object, object], None]


def make_run(folder: Path, instrument: str = "flute") -> Path:
    """Writes the configuration of a run; returns its folder."""
    run_dir = folder / instrument / "reduced_cd"
    RunConfig(instrument, "flute", "reduced_cd", TcnConfig(2, 8), TrainConfig()).save(run_dir)
    return run_dir


def save_table(folder: Path, lowest_note: int) -> Expression:
    """Writes a table, identified by its lowest note, into a folder."""
    table = dataclasses.replace(PLAIN, lowest_note=lowest_note)
    table.save(folder / "expression.toml", "a test")
    return table


def test_model_uses_the_table_beside_its_run_folder(tmp_path: Path, replace: Replace) -> None:
    runs = tmp_path / "runs"
    replace(paths.RUN_DIR, runs)
    save_table(make_run(runs).parent, 30)
    run_dir = make_run(tmp_path / "shipped")
    own = save_table(run_dir.parent, 31)
    assert find_expression(run_dir) == own
    assert find_expression(runs / "flute" / "reduced_cd").lowest_note == 30


def test_model_without_a_table_uses_the_pretrained_one(tmp_path: Path, replace: Replace) -> None:
    models = tmp_path / "models"
    replace(paths.MODEL_DIR, models)
    run_dir = make_run(tmp_path / "elsewhere")
    assert find_expression(run_dir) == PLAIN
    pretrained = save_table(make_run(models).parent, 32)
    assert find_expression(run_dir) == pretrained


def test_plain_notes_are_as_loud_as_the_loud_notes_of_recordings() -> None:
    assert {row[-1] for row in PLAIN.envelope_db} == {CALIBRATED_LEVEL_DB}
    assert max(map(max, PLAIN.envelope_db)) < PLAIN.loudest_db < CALIBRATED_LEVEL_DB + 10


def scale_of_notes(path: Path) -> Analysis:
    """Writes a score of detached notes, and returns the features of its rendering."""
    track = mido.MidiTrack()
    parts = [np.zeros(3200, np.float32)]
    for i in range(40):
        pitch, velocity = 60 + i % 25, 60 + i
        rest = 200 if i == 0 else 300
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=rest))
        track.append(mido.Message("note_off", note=pitch, time=300))
        tone = make_tone(0.3, 440 * 2 ** ((pitch - 69) / 12), level=0.9 * (velocity / 127) ** 2)
        parts += [tone, np.zeros(4800, np.float32)]
    mido.MidiFile(type=0, ticks_per_beat=500, tracks=[track]).save(path.with_suffix(".mid"))
    audio = np.concatenate(parts)
    checks: Any = None
    return Analysis(
        recording=Recording("corpus/scale", path, real=False, source="set"),
        stored=to_pcm(audio),
        n_cut=(0, 0),
        features=extract_features(audio, f0_min_hz=230, f0_max_hz=2300),
        checks=checks,
    )


def test_table_is_learnt_at_the_calibrated_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(
        tmp_path / "dataset.npz",
        loudness_db=np.full((1, 1000), -12.0),
        sounding=np.ones((1, 1000), bool),
        real=np.zeros(1, bool),
        f0_hz=np.full((1, 1000), 440.0),
        confidence=np.zeros((1, 1000)),
    )
    take = scale_of_notes(tmp_path / "scale.wav")
    monkeypatch.setattr(expression_learning, "render_corpus", lambda *_: [])
    tables = []
    for gain_db in (0.0, -15.0):
        takes = [calibrate(take, gain_db)]
        monkeypatch.setattr(expression_learning, "analyse", lambda *_, takes=takes: takes)
        tables.append(expression_learning.learn(load_instrument("flute"), tmp_path)[0])
    envelopes = [np.array(table.envelope_db) for table in tables]
    np.testing.assert_allclose(envelopes[0], envelopes[1], atol=0.25)
    # The loud notes, velocity about 95, have the calibrated level.
    body = envelopes[0][:3, 9] + 40 * np.log10(95 / 127)
    assert body.mean() == pytest.approx(CALIBRATED_LEVEL_DB, abs=2.5)


def test_folder_that_is_not_a_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run folder"):
        find_expression(tmp_path)
