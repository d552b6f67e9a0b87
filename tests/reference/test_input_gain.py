"""The input gain: equal bits in Python and C, and how the automatic gain follows an input."""

import numpy as np
import pytest
from support.following_instrument import generate_following
from support.sounds import make_tone

from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import CALIBRATED_LEVEL_DB, FRAME_RATE
from pipeline.reference.input_gain import (
    BOUND_DB,
    amplify_loudness,
    automatic_gain,
    exp2_float32,
)
from pipeline.target import live_features, transfer

BOUNDS = {"f0_min_hz": 150, "f0_max_hz": 1500}
SECOND = FRAME_RATE


def phrase(level_db: float, seconds: float = 2.0) -> np.ndarray:
    """Returns the loudness of quarter-second notes, alternately 6 dB softer, with onsets."""
    n_note = SECOND // 4
    rise = np.minimum(np.arange(n_note) * 4.0 - 40, 0)
    notes = [level_db - 6 * (i % 2) + rise for i in range(round(4 * seconds))]
    return np.concatenate(notes).astype(np.float32)


def follow(loudness_db: np.ndarray, aperiodicity: float | np.ndarray = 0.0) -> np.ndarray:
    return automatic_gain(loudness_db, np.broadcast_to(np.float32(aperiodicity), len(loudness_db)))


# --- equal bits -----------------------------------------------------------------------------------


@pytest.mark.firmware
@pytest.mark.parametrize("board", ["host", "qemu_m4"])
def test_gain_and_amplified_loudness_equal_the_device(board, tmp_path_factory, build_dir):
    generated = generate_following(tmp_path_factory.mktemp("gain") / "generated")
    program = transfer.build_transfer(
        board, generated, build_dir=generated.parent / board, sanitize=board == "host"
    )
    noise = 1e-3 * np.random.default_rng(0).standard_normal(2000)
    notes = [make_tone(0.15, f0_hz, level=level) for f0_hz, level in ((330, 0.02), (440, 0.05))]
    parts = [noise, notes[0], np.zeros(1500), notes[1], noise, 10 * notes[1]]
    sound = to_pcm(np.concatenate(parts))
    raw = live_features.analyse(live_features.build_analyser("host"), sound, **BOUNDS)
    aperiodicity = 1 - raw.features.confidence
    expected = automatic_gain(raw.features.loudness_db, aperiodicity)
    assert np.ptp(expected) > 5
    for gain_db, gains in (("live", expected), (-7.25, -7.25), (0.0, 0.0), (31.5, 31.5)):
        played = transfer.transfer(program, sound, gain_db=gain_db, **BOUNDS)
        gains = np.broadcast_to(np.float32(gains), len(played.gain_db))
        np.testing.assert_array_equal(played.gain_db, gains)
        loudness_db = amplify_loudness(raw.power, gains)
        np.testing.assert_array_equal(played.frames[:, 1], loudness_db)
        np.testing.assert_array_equal(played.frames[:, 0], raw.features.f0_hz)
        assert (loudness_db[-1] == raw.features.loudness_db[-1]) == (gain_db == 0)


def test_amplified_loudness_is_the_loudness_plus_the_gain_and_silence_stays():
    power = np.float32([1e-8, 1e-8 + 1e-10, 1e-6, 1e-3, 0.5])
    for gain_db in (-20, 0, 30, 80):
        found = amplify_loudness(power, np.full(5, gain_db, np.float32))
        sound = power.astype(float) - power[0]
        exact = 10 * np.log10(1e-8 + 10 ** (gain_db / 10) * sound)
        np.testing.assert_allclose(found, np.minimum(exact, 0), atol=0.01)
        assert found[0] == -80
    x = np.linspace(-30, 30, 10_001, dtype=np.float32)
    np.testing.assert_allclose(exp2_float32(x), 2.0 ** x.astype(float), rtol=4e-6)


# --- how it follows -------------------------------------------------------------------------------


@pytest.mark.parametrize("level_db", [-50.0, -30.0, -16.0, -2.0])
def test_loud_notes_reach_the_calibrated_level_within_a_few_notes(level_db):
    gains = follow(phrase(level_db, 4.0))
    after = level_db + gains[2 * SECOND :]  # level of the loud notes after two seconds
    assert np.abs(after - CALIBRATED_LEVEL_DB).max() < 2.5


def test_gain_is_frozen_in_silence_noise_and_far_softer_sound():
    notes = phrase(-30.0)
    first = follow(notes)[-1]
    minute = 60 * SECOND
    for loudness_db, aperiodicity in ((-80.0, 0.0), (-20.0, 0.3), (-75.0, 0.0)):
        rest = np.full(minute, loudness_db, np.float32)
        unclear = np.concatenate([np.zeros(len(notes)), np.full(minute, aperiodicity)])
        gains = automatic_gain(np.concatenate([notes, rest]), unclear.astype(np.float32))
        assert (gains[len(notes) :] == first).all()


def test_soft_phrase_stays_soft_and_a_loud_one_is_not_held_down():
    loud, soft = phrase(-30.0, 6.0), phrase(-40.0, 4.0)
    gains = follow(np.concatenate([loud, soft, loud]))
    before, during, after = np.split(gains, [len(loud), len(loud) + len(soft)])
    assert 0 < during[-1] - before[-1] < 2.1  # half a dB per second
    assert np.ptp(after) < 3 and abs(after[-1] - before[-1]) < 1


def test_lasting_change_of_level_is_followed():
    down = follow(np.concatenate([phrase(-20.0, 6.0), phrase(-32.0, 40.0)]))
    assert abs(down[-1] - (CALIBRATED_LEVEL_DB + 32)) < 2
    up = follow(np.concatenate([phrase(-32.0, 6.0), phrase(-20.0, 4.0)]))
    assert abs(up[-1] - (CALIBRATED_LEVEL_DB + 20)) < 2


def test_gain_is_bounded_and_faint_sound_does_not_start_it():
    assert (follow(np.full(SECOND, -61.0, np.float32)) == 0).all()
    assert follow(np.full(4 * SECOND, -59.0, np.float32))[-1] == BOUND_DB
    assert (np.diff(follow(phrase(-50.0))) <= 0.1001).all()
