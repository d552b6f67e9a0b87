"""The anchors: linear prediction of a recording, without and with noise."""

import numpy as np
import pytest
from support.sounds import make_tone

from pipeline.audio.features import extract_features
from pipeline.audio.lpc import LPC_WINDOW, impulse_train, lpc_anchor, lpc_noise_anchor
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument
from pipeline.model import metrics
from pipeline.model.harmonic_metrics import harmonic_figures


def features_of(audio):
    return extract_features(audio, f0_min_hz=230.0, f0_max_hz=2300.0)


def test_impulses_occur_once_per_period_with_continuous_phase():
    f0_hz = np.linspace(300, 900, 250)
    train = impulse_train(f0_hz, SAMPLE_RATE)
    turns = np.cumsum(np.interp(np.arange(SAMPLE_RATE), 64 * (np.arange(250) + 1), f0_hz))
    whole = np.cumsum(train)
    assert np.abs(whole - turns / SAMPLE_RATE)[:-1].max() < 1.01
    assert train.sum() == pytest.approx(np.floor(turns[-1] / SAMPLE_RATE), abs=1)


def test_anchor_keeps_pitch_and_loudness_of_a_tone():
    tone = make_tone(1.5, 370.0)
    features = features_of(tone)
    anchor = lpc_anchor(tone, features.f0_hz)
    assert len(anchor) == len(tone)
    found = features_of(anchor)
    inner = slice(50, -50)
    cents = 1200 * np.log2(found.f0_hz[inner] / features.f0_hz[inner])
    assert np.abs(np.median(cents)) < 5
    assert metrics.loudness_error_db(features, found) < 1.5
    energy = [np.sum(np.square(x[LPC_WINDOW:-LPC_WINDOW])) for x in (tone, anchor)]
    assert energy[1] / energy[0] == pytest.approx(1, abs=0.3)


def test_anchor_with_noise_has_the_recordings_share_of_noise():
    rng = np.random.default_rng(0)
    tone = make_tone(1.5, 370.0)
    noise = rng.normal(size=len(tone)).astype(np.float32)
    noise *= 0.1 * np.sqrt(np.mean(tone**2)) / noise.std()  # 20 dB below the tone
    features = features_of(tone + noise)
    config = load_instrument("flute").data
    with_noise = lpc_noise_anchor(tone + noise, features.f0_hz, features.confidence)
    without = lpc_anchor(tone + noise, features.f0_hz)
    figures, bare = (
        harmonic_figures(tone + noise, anchor, features, config) for anchor in (with_noise, without)
    )
    assert abs(figures["hnr_bias_db"]) < 2 and bare["hnr_bias_db"] > 10
    assert metrics.loudness_error_db(features, features_of(with_noise)) < 1.5


def test_anchor_of_a_purely_periodic_recording_has_no_noise():
    tone = make_tone(0.5, 370.0)
    f0_hz = np.full(-(-len(tone) // HOP_SAMPLES), 370.0)
    np.testing.assert_array_equal(
        lpc_noise_anchor(tone, f0_hz, np.ones(len(f0_hz))), lpc_anchor(tone, f0_hz)
    )


def test_anchor_is_silent_where_the_recording_is():
    audio = np.concatenate([make_tone(0.5), np.zeros(8000, np.float32), make_tone(0.3)])
    f0_hz = np.full(-(-len(audio) // HOP_SAMPLES), 523.25)
    anchor = lpc_anchor(audio, f0_hz)
    assert np.all(anchor[8000 + LPC_WINDOW : 16000 - LPC_WINDOW] == 0)
    assert np.all(np.isfinite(anchor))
