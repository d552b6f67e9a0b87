"""The level of a recording against that of a model's training data."""

import numpy as np
import pytest
from support.sounds import make_tone

from pipeline.core.errors import UserError
from pipeline.evaluation.input_level import InputLevel, apply_gain, measure_input
from pipeline.quantization.calibration import CLIP_FRAMES, N_TRAIN, Calibration

BOUNDS = {"f0_min_hz": 100, "f0_max_hz": 1500}
TONE = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)  # -6 dB


def calibrate(folder, levels_db):
    """Writes calibration frames of these levels, with sweeps to 0 dB after the training clips."""
    clips = np.full((N_TRAIN, CLIP_FRAMES, 2), 0.5, np.float32)
    clips[..., 1] = np.resize(np.asarray(levels_db), clips.shape[:2]) / 80 + 1
    sweeps = np.ones((4, CLIP_FRAMES, 2), np.float32)
    Calibration(np.concatenate([clips, sweeps]), clips[:2]).save(folder / "calibration.npz")


def level(input_db=-40.0, known_db=-10.0, headroom_db=40.0, pitched_share=1.0) -> InputLevel:
    return InputLevel(input_db, known_db, headroom_db, pitched_share)


@pytest.mark.firmware
@pytest.mark.parametrize("gain", [1, 1e-3])
def test_levels_are_percentiles_of_pitched_and_of_audible_frames(tmp_path, build_dir, gain):
    calibrate(tmp_path, [-12.0, -80.0])
    noise = 2 * np.random.default_rng(0).uniform(-0.4, 0.4, 8000)
    audio = np.concatenate([TONE, np.zeros(8000), noise]).astype(np.float32)
    found = measure_input(gain * audio, tmp_path, "x.wav", **BOUNDS)
    assert found.input_db == pytest.approx(-6 + 20 * np.log10(gain), abs=0.3)
    assert found.headroom_db == pytest.approx(-20 * np.log10(gain * np.abs(audio).max()), abs=1e-4)
    assert found.known_db == pytest.approx(-12, abs=0.01)
    assert 0.4 < found.pitched_share < 0.6


@pytest.mark.firmware
def test_recording_without_a_pitch_is_refused(tmp_path, build_dir):
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    with pytest.raises(UserError, match=r"x.wav has no pitch from 100 to 1500 Hz: give --f0"):
        measure_input(noise, tmp_path, "x.wav", **BOUNDS)
    assert measure_input(make_tone(0.1, 440), tmp_path, "x.wav", **BOUNDS).known_db is None


def test_gain_is_applied_and_limited_by_the_headroom():
    audio = np.array([0.01, -0.005], np.float32)
    plain, lines = apply_gain(audio, level(), 0.0, "x.wav")
    np.testing.assert_array_equal(plain, audio)
    assert lines == [
        "x.wav: its pitched sound reaches -40 dB, 30 dB below what the model was trained with "
        "(-10 dB): give --gain 30, or --gain auto"
    ]
    amplified, lines = apply_gain(audio, level(), 20.0, "x.wav")
    np.testing.assert_allclose(amplified, 10 * audio, rtol=1e-6)
    assert lines == []
    amplified, lines = apply_gain(audio, level(), None, "x.wav")
    np.testing.assert_allclose(amplified, 10**1.5 * audio, rtol=1e-6)
    assert lines == ["x.wav: gain +30.0 dB"]
    amplified, lines = apply_gain(audio, level(), 60.0, "x.wav")
    np.testing.assert_allclose(amplified, 100 * audio, rtol=1e-6)
    assert lines[0] == "x.wav: gain limited to +40.0 dB, because +60.0 dB would clip"


def test_headroom_that_is_too_small_is_told():
    audio = np.array([0.5], np.float32)
    lines = apply_gain(audio, level(headroom_db=6.0), None, "x.wav")[1]
    assert lines[0] == "x.wav: gain +6.0 dB"
    assert lines[1].endswith("more gain would clip: use a compressor, or record it louder")
    (line,) = apply_gain(audio, level(input_db=5.0), 0.0, "x.wav")[1]
    assert "15 dB above what" in line and line.endswith("give --gain -15, or --gain auto")


def test_unknown_level_gives_no_hint_and_no_automatic_gain():
    unknown = level(known_db=None)
    assert apply_gain(TONE, unknown, 0.0, "x.wav")[1] == []
    with pytest.raises(UserError, match=r"--gain auto needs calibration\.npz in the run folder"):
        apply_gain(TONE, unknown, None, "x.wav")


def test_recording_with_little_pitch_is_named():
    (line,) = apply_gain(TONE, level(-10.0, pitched_share=0.06), 0.0, "x.wav")[1]
    assert line.startswith("x.wav: only 6 % of its sound has a pitch")
