"""Recordings with issues are used, and each issue is reported in one line."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from support.sounds import make_curve_tone

from pipeline import data
from pipeline.audio.features import extract_features
from pipeline.audio.loading import load_audio
from pipeline.audio.recording_checks import clipped_share, find_issues
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute").data
NOISE = np.random.default_rng(0).normal(size=4 * SAMPLE_RATE)
LEVEL = float(np.std(make_curve_tone(523.25, 4.0)))


def chord(*notes_hz: float) -> npt.NDArray[np.float32]:
    return np.sum([make_curve_tone(f0_hz, 4.0, level=0.25) for f0_hz in notes_hz], axis=0)


def issues_of(path: Path, sound: npt.ArrayLike, rate: int = SAMPLE_RATE) -> str:
    sf.write(path, sound, rate)
    audio = load_audio(path)
    features = extract_features(audio, f0_min_hz=FLUTE.f0_min_hz, f0_max_hz=FLUTE.f0_max_hz)
    return "; ".join(find_issues(path, audio, features, FLUTE))


@pytest.mark.parametrize("f0_hz", [246.9, 261.6, 523.25, 1046.5, 2093.0, 2217.5])
def test_tones_within_the_range_have_no_issues(tmp_path: Path, f0_hz: float) -> None:
    assert issues_of(tmp_path / "tone.wav", make_curve_tone(f0_hz, 4.0)) == ""


def test_noise_that_hides_the_pitch_is_reported(tmp_path: Path) -> None:
    clear = make_curve_tone(523.25, 4.0)
    assert issues_of(tmp_path / "little.wav", 0.3 * (clear + 0.3 * LEVEL * NOISE)) == ""
    noisy = issues_of(tmp_path / "much.wav", 0.3 * (clear + 0.7 * LEVEL * NOISE))
    assert noisy.startswith("mean confidence 0.6") and "noise" in noisy and "%" not in noisy


@pytest.mark.parametrize(
    "notes_hz", [(392.0, 493.9, 587.3), (440.0, 523.25, 659.3), (392.0, 493.9), (392.0, 554.4)]
)
def test_several_notes_at_once_are_reported_as_unclear(
    tmp_path: Path, notes_hz: tuple[float, ...]
) -> None:
    seen = issues_of(tmp_path / "chord.wav", chord(*notes_hz))
    assert "mean confidence 0." in seen and "several notes at once" in seen


@pytest.mark.parametrize(
    ("f0_hz", "word"),
    [
        *((f0_hz, "100 % repeats slower than 230 Hz") for f0_hz in (82.4, 110.0, 164.8, 220.0)),
        *((f0_hz, "100 % lies above 2300 Hz") for f0_hz in (2489.0, 2793.8, 3520.0)),
    ],
)
def test_tones_below_and_above_the_range_are_found(tmp_path: Path, f0_hz: float, word: str) -> None:
    assert word in issues_of(tmp_path / "tone.wav", make_curve_tone(f0_hz, 4.0))


def test_share_out_of_range_counts_sounding_frames_only(tmp_path: Path) -> None:
    low_and_high = np.concatenate([make_curve_tone(523.25, 3.0), make_curve_tone(2793.8, 2.0)])
    assert "% lies above" in (seen := issues_of(tmp_path / "both.wav", low_and_high))
    assert float(seen.partition(" ")[0]) == pytest.approx(40, abs=2)
    little = np.concatenate([make_curve_tone(523.25, 4.0), make_curve_tone(2793.8, 0.5)])
    assert issues_of(tmp_path / "little.wav", little) == ""


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_clipping_is_found_in_the_file_even_when_turned_down(tmp_path: Path, rate: int) -> None:
    time = np.arange(4 * rate) / rate
    swelling = (0.5 + time / 4) * np.sin(2 * np.pi * 330 * time)
    assert issues_of(tmp_path / "whole.wav", 0.66 * swelling, rate) == ""
    for gain in (1.0, 0.3):
        seen = issues_of(tmp_path / "clipped.wav", gain * np.clip(swelling, -0.999, 0.999), rate)
        assert "of its samples are clipped" in seen
        # The sine exceeds the limit during acos(limit) * 2 / pi of its period.
        beyond = np.mean(np.abs(swelling) > 0.999)
        assert clipped_share(tmp_path / "clipped.wav") == pytest.approx(beyond, rel=0.1)


def test_quiet_recordings_are_not_called_clipped(tmp_path: Path) -> None:
    sf.write(tmp_path / "quiet.wav", 1e-3 * make_curve_tone(261.6, 4.0), SAMPLE_RATE)
    assert clipped_share(tmp_path / "quiet.wav") == 0


def test_data_stage_uses_the_recordings_and_reports_their_issues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    sounds = {
        "chord": chord(392.0, 493.9, 587.3),
        "clean": make_curve_tone(440.0, 4.0),
        "clipped": np.clip(4 * make_curve_tone(440.0, 4.0), -1, 1),
        "high": make_curve_tone(2793.8, 4.0),
        "low": make_curve_tone(110.0, 4.0),
        "noisy": 0.3 * (make_curve_tone(440.0, 4.0) + LEVEL * NOISE),
    }
    for name, sound in sounds.items():
        sf.write(folder / f"{name}.wav", sound, SAMPLE_RATE)
    with_issues = [name for name in sounds if name != "clean"]
    for _ in range(2):  # the second time, the features come from the cache
        data.main(["--instrument", "flute", "--audio", str(folder), "--runs", str(tmp_path)])
        lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
        assert [line.partition(".wav: ")[0] for line in lines] == [
            f"warning: {folder / name}" for name in with_issues
        ]
    summary = json.loads((tmp_path / "flute" / "dataset.json").read_text())
    assert list(summary["warnings"]) == [f"in/{name}.wav" for name in with_issues]
    with np.load(tmp_path / "flute" / "dataset.npz") as dataset:
        assert {"in/clipped.wav", "in/high.wav"} < set(dataset["recording"])
