"""Counting gross pitch errors of the live analysis."""

import json

import numpy as np
import pytest
from support.sounds import make_tone

from pipeline import live_pitch as command
from pipeline.audio.features import Features
from pipeline.audio.pcm import to_pcm, write_wav
from pipeline.evaluation.live_pitch import PitchErrors, count_pitch_errors, total


def features(f0_hz, confidence=1.0, loudness_db=-20.0) -> Features:
    f0_hz = np.asarray(f0_hz, np.float32)
    return Features(
        f0_hz,
        np.broadcast_to(np.float32(loudness_db), f0_hz.shape),
        np.broadcast_to(np.float32(confidence), f0_hz.shape),
    )


def test_errors_are_counted_by_place_and_direction():
    pitch = np.full(100, 440.0)
    confidence = np.ones(100)
    confidence[50:60] = 0.0  # a rest: the second onset is frames 60 to 84
    live, sure = pitch.copy(), np.ones(100)
    live[[3, 24, 60]] = 220  # onsets
    live[[25, 90]] = 1320  # sustained
    live[[40, 41]] = 500  # 2.2 semitones
    live[[52, 95]] = 220
    sure[[95, 96]] = 0.4  # held
    loudness_db = np.full(100, -20.0)
    loudness_db[99] = -61
    found = count_pitch_errors(
        features(pitch, confidence, loudness_db),
        features(live, sure),
        f0_min_hz=100,
        f0_max_hz=1500,
    )
    assert found == PitchErrors(50, 3, 37, 2, too_low=3, held=2)
    assert found.wrong_share == pytest.approx(5 / 87)
    assert total([found, found]) == PitchErrors(100, 6, 74, 4, 6, 4)


def test_pitches_that_the_live_analysis_does_not_look_for_are_not_compared():
    found = count_pitch_errors(
        features([90.0, 440.0, 1600.0]), features([440.0] * 3), f0_min_hz=100, f0_max_hz=1500
    )
    assert found == PitchErrors(onset=1)
    assert PitchErrors().wrong_share == 0


@pytest.mark.firmware
def test_command_prints_and_writes_the_counts(tmp_path, build_dir, capsys):
    folder = tmp_path / "tones"
    folder.mkdir()
    write_wav(folder / "low.wav", to_pcm(make_tone(0.5, 440)))
    write_wav(folder / "high.wav", to_pcm(make_tone(0.5, 1900)))  # above the live bounds
    out = tmp_path / "counts.json"
    command.main(["--audio", str(folder), "--instrument", "flute", "--json", str(out)])
    assert "all 2 recordings   0.00   0.00     0.00" in capsys.readouterr().out
    counts = {name.split("/")[-1]: row for name, row in json.loads(out.read_text()).items()}
    assert counts["low.wav"]["onset"] == 25 and counts["low.wav"]["sustain"] > 90
    assert counts["high.wav"]["onset"] == counts["high.wav"]["sustain"] == 0
