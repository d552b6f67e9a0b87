"""Latency of a note: its measure on known sounds, and the command."""

import json

import numpy as np
import pytest

from pipeline import latency
from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import SAMPLE_RATE
from pipeline.evaluation.latency import begun_ms


def tone(rise_ms: float, decay_s: float = np.inf) -> np.ndarray:
    """Returns a tone that rises linearly and decays exponentially, int16."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    level = 0.3 * np.minimum(1000 * time / rise_ms, 1) * np.exp(-time / decay_s)
    return to_pcm(level * np.sin(2 * np.pi * 440 * time))


@pytest.mark.parametrize("rise_ms", [20.0, 60.0, 200.0])
def test_sound_has_begun_when_it_is_6_db_below_its_level(rise_ms):
    assert begun_ms(tone(rise_ms)) == pytest.approx(rise_ms / 2, abs=3)
    silence = np.zeros(800, np.int16)
    late = np.concatenate([silence, tone(rise_ms)])
    assert begun_ms(late) == pytest.approx(50 + begun_ms(tone(rise_ms)), abs=0.1)


def test_level_of_a_decaying_note_is_that_of_its_loudest_part():
    assert begun_ms(tone(2.0, decay_s=0.3)) < 4


@pytest.mark.firmware
def test_command_reports_every_model_and_writes_the_times(small_run, tmp_path, build_dir, capsys):
    file = tmp_path / "latency.json"
    latency.main(["--run", str(small_run), "--json", str(file)])
    head, row, following = capsys.readouterr().out.splitlines()
    assert "6 dB below its level" in head and row.startswith("flute/reduced_cd")
    assert "5.0 to 9.0" in row and following.startswith("next:")
    (times,) = json.loads(file.read_text()).values()
    assert times["onset"] == [4.96, 8.96] and times["jitter"] >= 4
    assert times["begun_range"][0] <= times["begun"] <= times["begun_range"][1]
