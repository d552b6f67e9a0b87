"""Clips have the features that the firmware would measure in their calibrated recordings."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from support.sounds import make_tone
from support.takes import make_take

from pipeline import data
from pipeline.audio.analysis import Analysis
from pipeline.audio.features import Features
from pipeline.audio.level import calibrate_audio
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import Pcm, from_pcm, to_pcm
from pipeline.core.constants import CONTEXT_FRAMES, HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument
from pipeline.target.live_features import extract_live_features, live_extractor
from pipeline.training.clips import Placed
from pipeline.training.dataset import load_dataset
from pipeline.training.dataset_arrays import FEATURES
from pipeline.training.live_clips import Measure, measure_take, stack_live
from pipeline.training.pieces import Piece

FLUTE = load_instrument("flute")


def place(take: Any, first: int, last: int, at: int = 0, lead: int = 0) -> Placed:
    return Placed(Piece(take, first, last, has_onset=True), at, lead)


def measure_all(takes: Sequence[Analysis], measure: Measure) -> dict[str, Features]:
    return {take.recording.name: measure_take(take, measure) for take in takes}


@pytest.mark.firmware
def test_live_features_are_those_of_the_calibrated_recording(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    tone = make_tone(8.0, 523.25) * np.linspace(0.1, 1, 8 * SAMPLE_RATE, dtype=np.float32)
    tone[:320] *= np.linspace(0, 1, 320)
    sf.write(tmp_path / "in" / "a.wav", tone / 8, SAMPLE_RATE)
    data.main(["--instrument", "flute", "--audio", f"{tmp_path / 'in'}", "--runs", f"{tmp_path}"])
    found = load_dataset(tmp_path / "flute" / "dataset.npz", FLUTE)
    assert np.abs(found["audio"]).max() > 1.2 * np.abs(tone / 8).max(), "calibrated"
    summary = json.loads((tmp_path / "flute" / "dataset.json").read_text())
    recorded = from_pcm(to_pcm(load_audio(tmp_path / "in" / "a.wav")))
    calibrated = calibrate_audio(recorded, summary["sources"]["in"]["gain_db"])
    expected = extract_live_features(from_pcm(to_pcm(calibrated)), **FLUTE.data.f0_bounds)
    for name in ("f0_hz", "loudness_db"):
        values = getattr(expected, name).reshape(2, 1000)
        np.testing.assert_array_equal(found[f"live_{name}"], values)
        np.testing.assert_array_equal(
            found[f"live_context_{name}"][1], values[0, -CONTEXT_FRAMES:], err_msg=name
        )
    # Both kinds of features describe the same moments.
    inside = slice(20, 980)
    difference = found["live_loudness_db"] - found["loudness_db"]
    assert np.abs(difference[:, inside]).max() < 0.5
    assert found["live_f0_hz"][:, inside] == pytest.approx(523.25, rel=1e-3)


def test_recording_that_begins_within_a_note_is_led_in_by_itself() -> None:
    given: list[Pcm] = []

    def measure(audio: Pcm) -> Features:
        given.append(audio)
        numbers = np.arange(len(audio) // HOP_SAMPLES, dtype=np.float32)
        return Features(f0_hz=numbers, loudness_db=-numbers, confidence=numbers)

    take = make_take(np.full(200, -20.0), edge=0.5)
    take = replace(take, stored=to_pcm(make_tone(200 * HOP_SAMPLES / SAMPLE_RATE, 440.0)))
    live = stack_live([[place(take, 0, 200)]], measure_all([take], measure))
    np.testing.assert_array_equal(given[0][50 * HOP_SAMPLES :], take.audio)
    lead_in = take.audio[: 50 * HOP_SAMPLES][::-1]
    np.testing.assert_array_equal(given[0][: 50 * HOP_SAMPLES], lead_in)
    np.testing.assert_array_equal(live["live_f0_hz"][0, :200], np.arange(50, 250))
    assert (live["live_context_loudness_db"] == -50).all(), "its first frame is held"


def test_pitch_of_the_note_before_is_held_until_the_next_one_is_found() -> None:
    takes = [make_take(np.full(100, -20.0), name=name) for name in ("a.wav", "b.wav")]
    pitches = iter([300.0, 500.0])

    def measure(audio: Pcm) -> Features:
        f0_hz = np.full(len(audio) // HOP_SAMPLES, next(pitches), np.float32)
        f0_hz[:7] = 440.0
        return Features(f0_hz=f0_hz, loudness_db=np.full_like(f0_hz, -20), confidence=f0_hz)

    notes = [place(takes[0], 0, 100), place(takes[1], 0, 100, at=150, lead=50)]
    live = stack_live([notes, [place(takes[1], 20, 100)]], measure_all(takes, measure))
    f0_hz = live["live_f0_hz"][0]
    for first, last, expected in ((0, 7, 440), (7, 157, 300), (157, 1000, 500)):
        assert (f0_hz[first:last] == expected).all(), (first, last)
    assert (live["live_f0_hz"][1] == 500).all()
    assert set(live) == {f"live_{name}" for name in FEATURES}


def test_machine_without_compiler_leaves_them_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("PATH", "")
    assert live_extractor(FLUTE.data) is None
    line = capsys.readouterr().out
    assert line.startswith("no live features, so models cannot learn to be played live: ")
    assert line.count("\n") == 1
