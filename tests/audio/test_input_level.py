"""The level of a recording that an instrument is played from."""

import numpy as np
import pytest
from support.sounds import make_tone

from pipeline.audio.input_level import InputLevel, measure_input
from pipeline.core.constants import CALIBRATED_LEVEL_DB
from pipeline.core.errors import UserError

BOUNDS = {"f0_min_hz": 100, "f0_max_hz": 1500}
TONE = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)  # -6 dB


@pytest.mark.parametrize("gain", [1, 1e-3])
def test_level_is_that_of_pitched_frames(gain):
    noise = 2 * np.random.default_rng(0).uniform(-0.4, 0.4, 8000)
    audio = np.concatenate([TONE, np.zeros(8000), noise]).astype(np.float32)
    found = measure_input(np.float32(gain) * audio, "x.wav", **BOUNDS)
    assert found.level_db == pytest.approx(-6 + 20 * np.log10(gain), abs=0.3)
    assert found.gain_db == pytest.approx(CALIBRATED_LEVEL_DB - found.level_db)
    assert 0.4 < found.pitched_share < 0.6


def test_recording_without_a_pitch_is_refused():
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    with pytest.raises(UserError, match=r"x.wav has no pitch from 100 to 1500 Hz: give --f0"):
        measure_input(noise, "x.wav", **BOUNDS)
    assert measure_input(make_tone(0.1, 440), "x.wav", **BOUNDS).pitched_share == 1


def test_level_far_from_the_calibrated_one_and_little_pitch_are_remarked():
    soft = InputLevel(CALIBRATED_LEVEL_DB - 24, pitched_share=1.0)
    assert soft.gain_db == 24 and soft.remarks(24) == soft.remarks(15) == []
    (line,) = soft.remarks(0)
    assert line == (
        "its loud notes reach -40 dB, 24 dB below what models are trained with: give --gain auto"
    )
    (line,) = soft.remarks(40)
    assert line.startswith("its loud notes reach 0 dB, 16 dB above what")
    (line,) = InputLevel(CALIBRATED_LEVEL_DB, pitched_share=0.06).remarks(0)
    assert line.startswith("only 6 % of its sound has a pitch")
    assert InputLevel(-100.0, pitched_share=1.0).gain_db == 80
