"""The level of sources, the gain that calibrates it, and what a gain changes."""

from dataclasses import replace

import numpy as np
import pytest
from support.sounds import make_tone
from support.takes import make_take

from pipeline.audio.analysis import Analysis
from pipeline.audio.features import extract_features
from pipeline.audio.level import (
    calibrate,
    calibrate_audio,
    calibrate_features,
    describe_gain,
    find_gains,
    level_db,
    pitched_frames,
)
from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import CALIBRATED_LEVEL_DB, FRAME_RATE
from pipeline.core.instrument_config import DataConfig

CONFIG = DataConfig(f0_min_hz=100, f0_max_hz=2000)
AS_RECORDED = DataConfig(f0_min_hz=100, f0_max_hz=2000, level="as recorded")


def take(level: float, seconds: float = 1.0, *, n_notes: int = 1, **facts: object) -> Analysis:
    """Makes a recording of one loudness whose seconds are shared by some notes."""
    n_frames = round(seconds * FRAME_RATE)
    made = make_take(np.full(n_frames, level), **facts)
    made.features.f0_hz[:] = 440 * 2 ** (np.arange(n_frames) * n_notes // n_frames / 12)
    return made


def gains_of(takes: list[Analysis], config: DataConfig = CONFIG) -> list[float]:
    gains = find_gains([(take.recording, take.features) for take in takes], config)
    return [gains.of(take.recording) for take in takes]


def test_level_is_the_95th_percentile_of_frames_that_sound_and_have_a_pitch() -> None:
    loudness = np.concatenate([np.linspace(-30, -10, 101), np.full(40, -5.0), np.full(900, -60.0)])
    confidence = np.concatenate([np.full(101, 0.8), np.full(40, 0.79), np.full(900, 1.0)])
    found = pitched_frames(make_take(loudness, confidence=confidence).features, CONFIG)
    assert len(found.loudness_db) == 101  # neither what is unclear nor what is inaudible
    assert level_db([found]) == pytest.approx(-11, abs=1e-4)
    halves = [make_take(half).features for half in np.split(found.loudness_db, [40])]
    assert level_db(halves) == pytest.approx(-11, abs=1e-4)


def test_recordings_of_a_source_share_the_gain_of_its_loud_notes() -> None:
    soft, loud = take(-40, name="soft.wav"), take(-20, name="loud.wav")
    other = take(-5, source="other")
    expected = [CALIBRATED_LEVEL_DB + 20] * 2 + [CALIBRATED_LEVEL_DB + 5]
    assert gains_of([soft, loud, other]) == pytest.approx(expected)
    assert gains_of([soft, loud, other], AS_RECORDED) == [0, 0, 0]


def test_recording_with_enough_notes_has_its_own_gain() -> None:
    long, short = take(-30, 11, n_notes=5, name="a.wav"), take(-20, 3, name="b.wav")
    own, shared = gains_of([long, short])
    assert own == pytest.approx(CALIBRATED_LEVEL_DB + 30)
    assert shared == pytest.approx(CALIBRATED_LEVEL_DB + 20)
    for other in (take(-30, 9.9, n_notes=5), take(-30, 60, n_notes=4)):  # too short; too few notes
        first, second = gains_of([other, short])
        assert first == second


def test_rendered_recordings_share_a_gain_however_long_they_are() -> None:
    takes = [take(level, 20, n_notes=8, name=f"{level}.wav") for level in (-40, -20)]
    features = [one.features for one in takes]
    rendered = [replace(one.recording, real=False) for one in takes]
    gains = find_gains(zip(rendered, features, strict=True), CONFIG)
    assert gains.recordings == {} and set(gains.sources) == {"pack"}


def test_chain_is_measured_as_one_recording() -> None:
    parts = [take(level, 4, n_notes=6, name=f"{level}") for level in (-30, -24, -30)]
    alone = take(-10, 4, n_notes=6, name="alone")
    measured = [(part.recording, part.features) for part in (*parts, alone)]
    chain = [part.recording for part in parts]
    gains = find_gains(measured, CONFIG, chains=[chain])
    assert {gains.of(part) for part in chain} == {CALIBRATED_LEVEL_DB + 24}
    assert set(gains.recordings) == {part.name for part in chain}
    assert gains.of(alone.recording) == gains.sources["pack"] == CALIBRATED_LEVEL_DB + 10
    assert find_gains(measured, CONFIG).recordings == {}


def test_source_without_a_pitch_keeps_its_level() -> None:
    assert gains_of([take(-30, confidence=0.3)]) == [0]
    assert level_db([take(-30, 0.016).features]) is None


@pytest.mark.parametrize("gain_db", [-30.0, 6.0])
def test_gain_only_changes_the_loudness_of_features(gain_db: float) -> None:
    bounds = {"f0_min_hz": 230.0, "f0_max_hz": 2300.0}
    t = np.arange(8000) / 16_000
    audio = make_tone(0.5, 440, level=0.1) * np.minimum(1, 4 * t).astype(np.float32) + np.float32(
        1e-4
    ) * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    calibrated = calibrate_audio(audio, gain_db)
    found = calibrate_features(extract_features(audio, **bounds), calibrated)
    expected = extract_features(calibrated, **bounds)
    np.testing.assert_allclose(found.f0_hz, expected.f0_hz, rtol=1e-5)
    np.testing.assert_array_equal(found.loudness_db, expected.loudness_db)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-5)


def test_calibrated_recording_saturates_and_gain_0_changes_nothing() -> None:
    quiet = take(-30)
    assert calibrate(quiet, 0) is quiet
    loud = calibrate(quiet, 60)
    assert loud.audio.max() == 32767 and loud.recording == quiet.recording
    np.testing.assert_array_equal(loud.audio, to_pcm(1000 * quiet.audio.astype(float) / 32768))
    np.testing.assert_array_equal(loud.features.f0_hz, quiet.features.f0_hz)


def test_gains_of_a_source_are_described_in_a_few_words() -> None:
    assert describe_gain(3.04, []) == "gain +3.0 dB"
    assert describe_gain(-3, [1]) == "gain -3.0 dB (1 recording has +1.0 dB)"
    assert describe_gain(0, [2, -1.5]) == "gain +0.0 dB (2 recordings have -1.5 to +2.0 dB)"


def test_digital_silence_stays_silent_at_any_gain() -> None:
    bits = np.random.default_rng(0).integers(-1, 2, 4000)  # dithered silence
    audio = np.concatenate([make_tone(0.5, level=0.01), bits / 32768]).astype(np.float32)
    for gain_db in (-20, 40):
        calibrated = calibrate_audio(audio, gain_db)
        assert not calibrated[8000:].any()
        np.testing.assert_allclose(
            calibrated[:8000], 10 ** (gain_db / 20) * audio[:8000], rtol=1e-6
        )
