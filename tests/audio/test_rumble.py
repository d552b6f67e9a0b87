"""What lies below an instrument is removed from its recordings."""

import numpy as np
import pytest

from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.audio.rumble import remove_rumble
from pipeline.core.constants import SAMPLE_RATE

SECONDS = 2
TIME = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
MIDDLE = slice(SAMPLE_RATE // 2, -SAMPLE_RATE // 2)


def gain_db(frequency: float, f0_min_hz: float) -> float:
    sine = 0.4 * np.sin(2 * np.pi * frequency * TIME)
    filtered = from_pcm(remove_rumble(to_pcm(sine), f0_min_hz))
    return float(20 * np.log10(filtered[MIDDLE].std() / sine[MIDDLE].std()))


@pytest.mark.parametrize("f0_min_hz", [60.0, 230.0])
def test_rumble_is_removed_and_the_instrument_is_kept(f0_min_hz):
    assert gain_db(0.5 * f0_min_hz, f0_min_hz) < -60
    assert gain_db(0.85 * f0_min_hz, f0_min_hz) == pytest.approx(-6, abs=0.1)
    assert gain_db(f0_min_hz, f0_min_hz) == pytest.approx(-0.6, abs=0.1)
    for partial in (1.1, 2, 10):
        assert gain_db(partial * f0_min_hz, f0_min_hz) == pytest.approx(0, abs=0.2)


def test_tone_keeps_its_phase_and_digital_silence_stays_zero():
    tone = to_pcm(np.where(TIME < 1, 0.4 * np.sin(2 * np.pi * 880 * TIME), 0))
    filtered = remove_rumble(tone, 230.0)
    middle = slice(SAMPLE_RATE // 4, 3 * SAMPLE_RATE // 4)
    np.testing.assert_allclose(filtered[middle], tone[middle], atol=40)
    assert not filtered[SAMPLE_RATE:].any()


@pytest.mark.parametrize("n_samples", [0, 1, 64])
def test_short_recordings_keep_their_length(n_samples):
    assert len(remove_rumble(np.full(n_samples, 100, np.int16), 60.0)) == n_samples
