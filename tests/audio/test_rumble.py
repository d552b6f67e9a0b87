"""What lies below an instrument is removed from its recordings."""

import tracemalloc

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from pipeline.audio.pcm import PIECE, from_pcm, to_pcm
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


@pytest.mark.parametrize("piece", [700, 16_000, 1 << 20])
def test_blocks_give_the_same_bits_as_the_whole_recording(monkeypatch, piece):
    random = np.random.default_rng(0)
    audio = to_pcm(0.3 * random.standard_normal(20_000).cumsum() / 100)
    audio[5000:9000] = 0
    sections = butter(8, 0.85 * 60.0, "highpass", fs=SAMPLE_RATE, output="sos")
    padding = SAMPLE_RATE
    whole = to_pcm(sosfiltfilt(sections, from_pcm(audio), padtype="even", padlen=padding))
    whole[5000:9000] = 0
    monkeypatch.setattr("pipeline.audio.rumble.PIECE", piece)
    np.testing.assert_array_equal(remove_rumble(audio, 60.0), whole)


def test_hours_are_filtered_in_little_more_memory_than_they_take():
    audio = np.zeros(3_000_000, np.int16)
    audio[::50] = 1000
    tracemalloc.start()
    remove_rumble(audio, 60.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < audio.nbytes + 48 * PIECE


@pytest.mark.parametrize("n_samples", [0, 1, 64])
def test_short_recordings_keep_their_length(n_samples):
    assert len(remove_rumble(np.full(n_samples, 100, np.int16), 60.0)) == n_samples
