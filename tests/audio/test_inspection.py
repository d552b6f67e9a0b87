"""Measures of recordings, on sounds whose tuning, noise, hum and decay are known."""

import numpy as np
import numpy.typing as npt
import pytest
from support.sounds import make_curve_tone

from pipeline.audio.features import extract_features
from pipeline.audio.inspection_decay import decay_times
from pipeline.audio.inspection_levels import find_hum, noise_floor
from pipeline.audio.inspection_pitch import Doubts, find_doubts, measure_notes, tuning_cents
from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import SAMPLE_RATE

Floats = npt.NDArray[np.floating]
RANDOM = np.random.default_rng(0)


def noise(seconds: float, level_db: float) -> Floats:
    return 10 ** (level_db / 20) * RANDOM.normal(size=round(seconds * SAMPLE_RATE))


def sine(seconds: float, f0_hz: float, level_db: float) -> Floats:
    """A sine of the given RMS level."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * f0_hz * time)


def notes_and_pauses(*notes_hz: float) -> Floats:
    """Notes of a second, each followed by a second of silence."""
    pause = np.zeros(SAMPLE_RATE)
    return np.concatenate([part for f0_hz in notes_hz for part in (make_curve_tone(f0_hz), pause)])


def analyse(audio: npt.ArrayLike, low_hz: float = 47.0, high_hz: float = 4000.0):
    """Returns samples, features, and which frames are audible."""
    features = extract_features(audio, f0_min_hz=low_hz, f0_max_hz=high_hz)
    return to_pcm(audio), features, features.loudness_db > features.loudness_db.max() - 40


def doubts_of(audio: npt.ArrayLike, *bounds_hz: float) -> Doubts:
    return find_doubts(*analyse(audio, *bounds_hz))


# --- levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("level_db", [-75.0, -60.0, -50.0])
def test_noise_floor_is_the_level_in_the_pauses(level_db: float) -> None:
    audio = notes_and_pauses(440.0, 523.25)
    floor_db = noise_floor(to_pcm(audio + noise(len(audio) / SAMPLE_RATE, level_db)))
    assert floor_db == pytest.approx(level_db, abs=1)


def test_noise_floor_ignores_offset_and_is_bounded_by_16_bits() -> None:
    audio = notes_and_pauses(440.0, 523.25)
    assert noise_floor(to_pcm(audio)) == -90
    assert noise_floor(to_pcm(audio + noise(4.0, -60) + 0.1)) == pytest.approx(-60, abs=1)


def test_without_a_pause_there_is_no_noise_floor() -> None:
    fading = make_curve_tone(440.0, 2.0) * 10 ** (-np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE * 1.5)
    for audio in (make_curve_tone(440.0, 2.0), fading, make_curve_tone(440.0, 0.1)):
        assert noise_floor(to_pcm(audio)) is None


@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("order", [1, 2])
def test_hum_is_found_with_its_level(mains_hz: int, order: int) -> None:
    audio = notes_and_pauses(440.0, 523.25) + noise(4.0, -70)
    hum = find_hum(to_pcm(audio + sine(4.0, order * mains_hz, -50)))
    assert hum is not None and hum.mains_hz == mains_hz
    assert hum.level_db == pytest.approx(-50, abs=0.5)


@pytest.mark.parametrize("note", [31, 33, 34, 35, 43, 45, 46, 47])  # G1 to B1 and G2 to B2
def test_low_notes_are_no_hum(note: int) -> None:
    f0_hz = 440 * 2 ** ((note - 69) / 12)
    held = make_curve_tone(f0_hz, 4.0) + noise(4.0, -70)
    for audio in (held, notes_and_pauses(f0_hz, f0_hz) + noise(4.0, -70)):
        assert find_hum(to_pcm(audio)) is None


def test_a_note_at_the_frequency_of_the_mains_is_no_hum() -> None:
    assert find_hum(to_pcm(make_curve_tone(50.0, 4.0))) is None
    assert find_hum(to_pcm(noise(4.0, -40))) is None
    assert find_hum(to_pcm(sine(0.5, 50, -40))) is None  # too short to tell


# --- decay ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rt60", [0.2, 0.5, 1.5])
@pytest.mark.parametrize("sound", ["noise", "tone"])
def test_decay_time_is_that_of_an_exponential_decay(rt60: float, sound: str) -> None:
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    envelope = 10 ** (-3 * np.maximum(time - 0.5, 0) / rt60)
    wave = noise(3.0, -20) if sound == "noise" else make_curve_tone(440.0, 3.0)
    (found,) = decay_times(to_pcm(wave * envelope + noise(3.0, -70)))
    assert found == pytest.approx(rt60, rel=0.1)


def test_held_notes_and_cuts_have_no_decay_time() -> None:
    assert decay_times(to_pcm(make_curve_tone(440.0, 2.0))) == []
    assert all(time < 0.12 for time in decay_times(to_pcm(notes_and_pauses(440.0, 523.25))))


def test_every_note_end_of_a_phrase_is_measured() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    note = make_curve_tone(440.0) * 10 ** (-3 * np.maximum(time - 0.3, 0) / 0.4)
    assert decay_times(to_pcm(np.tile(note, 5))) == pytest.approx([0.4] * 5, rel=0.1)


# --- pitch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cents", [-35.0, 0.0, 20.0])
def test_tuning_offset_is_found_within_a_cent(cents: float) -> None:
    scale = [48, 55, 64, 69, 76, 84]
    audio = np.concatenate(
        [make_curve_tone(440 * 2 ** ((note - 69 + cents / 100) / 12), 0.5) for note in scale]
    )
    _, features, audible = analyse(audio)
    notes = measure_notes(features, audible, 0.8)
    assert tuning_cents(notes.tuning) == pytest.approx(cents, abs=1)
    for note in scale:
        assert tuning_cents(notes.tuning[note]) == pytest.approx(cents, abs=1.5)


def test_notes_are_counted_by_pitch_and_loudness() -> None:
    audio = np.concatenate([make_curve_tone(440.0, 2.0), 0.1 * make_curve_tone(660.0, 1.0)])
    _, features, audible = analyse(audio)
    notes = measure_notes(features, audible, 0.8)
    by_note, by_level = notes.coverage.sum(axis=1) / 250, notes.coverage.sum(axis=0) / 250
    # Within 0.25 s of the loud note, the soft one might be its fade.
    assert by_note[69] == pytest.approx(2, abs=0.1) and by_note[76] == pytest.approx(0.75, abs=0.1)
    assert by_note.sum() == pytest.approx(2.75, abs=0.1)
    assert by_level[-3:].sum() == pytest.approx(2, abs=0.1)  # from -15 dB up
    assert notes.loudness[:60].sum() / 250 == pytest.approx(0.75, abs=0.1)  # below -20 dB
    assert notes.n_pitched / 250 == pytest.approx(3, abs=0.05)


def test_a_clear_tone_has_no_doubts() -> None:
    for f0_hz in (110.0, 440.0, 1760.0):
        doubts = doubts_of(make_curve_tone(f0_hz, 1.0))
        assert max(doubts.octave, doubts.several_notes, doubts.noise) < 0.03


def test_a_tone_an_octave_below_the_search_range_is_an_octave_doubt() -> None:
    assert doubts_of(make_curve_tone(165.0, 1.0), 230.0, 2300.0).octave > 0.9


def test_a_tone_that_is_almost_an_octave_higher_is_an_octave_doubt() -> None:
    even = sine(1.0, 880, -20) + sine(1.0, 1760, -26)
    odd = sine(1.0, 440, -38) + sine(1.0, 1320, -40)
    assert doubts_of(even + odd, 100.0, 700.0).octave > 0.9


@pytest.mark.parametrize("notes_hz", [(392.0, 493.9, 587.3), (392.0, 554.4)])
def test_chords_are_told_from_noise(notes_hz: tuple[float, ...]) -> None:
    chord = np.sum([make_curve_tone(f0_hz, level=0.25) for f0_hz in notes_hz], axis=0)
    heard = doubts_of(chord, 230.0, 2300.0)
    assert heard.several_notes > 0.7 and heard.noise < 0.1
    hiss = doubts_of(noise(1.0, -20))
    assert hiss.noise > 0.9 and hiss.several_notes < 0.1
