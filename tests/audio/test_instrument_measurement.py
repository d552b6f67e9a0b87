"""The range and the decay of an instrument are measured in spite of errors of the pitch tracker."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.audio.features import Features
from pipeline.audio.general_midi import NoteRange
from pipeline.audio.instrument_entries import (
    choose_patch,
    choose_program,
    given_patch,
    make_entries,
)
from pipeline.audio.instrument_measurement import Measured, measure_instrument
from pipeline.audio.pcm import to_pcm
from pipeline.audio.pitch import note_to_hz
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.errors import UserError


def analysed(*notes, seconds=1.0, fall_db=0.0, clear=True, above=False, partials=(1,), name="a"):
    """Returns what the analysis of a recording of some notes has; each falls by `fall_db`.

    It sounds at multiples of the pitch, by default at the pitch itself.
    """
    n_frames = round(seconds * FRAME_RATE)
    loudness_db = np.tile(np.linspace(-20, -20 - fall_db, n_frames), len(notes))
    confidence = np.full(len(loudness_db), 0.95 if clear else 0.4)
    f0_hz = note_to_hz(np.repeat(np.array(notes, float), n_frames))
    phase = 2 * np.pi * np.cumsum(np.repeat(f0_hz, HOP_SAMPLES)) / SAMPLE_RATE
    return SimpleNamespace(
        recording=SimpleNamespace(name=f"pack/{name}.wav"),
        audio=to_pcm(0.2 * sum(np.sin(number * phase) for number in partials)),
        features=Features(f0_hz, loudness_db, confidence),
        checks=SimpleNamespace(is_mostly_above=above, sounding_seconds=seconds * len(notes)),
    )


def test_lowest_and_highest_notes_bound_the_search():
    measured = measure_instrument([analysed(50), analysed(62, 74.3)])
    assert (measured.lowest, measured.highest) == pytest.approx((50, 74.3))
    assert (measured.n_recordings, measured.seconds) == (2, pytest.approx(3.0))
    lowest_hz, highest_hz = measured.search_hz
    assert note_to_hz(46.9) < lowest_hz < note_to_hz(47)
    assert note_to_hz(77.3) < highest_hz < note_to_hz(77.4)
    assert measured.notes == NoteRange(50, 74)


def test_short_errors_and_unclear_notes_do_not_count():
    error = analysed(30, 106, seconds=0.06)
    noise = analysed(28, 110, clear=False)
    too_high = analysed(100, above=True)  # truly an octave higher, which cannot be tracked
    measured = measure_instrument([analysed(60, 67), analysed(72), error, noise, too_high])
    assert (measured.lowest, measured.highest) == pytest.approx((60, 72))
    with pytest.raises(UserError, match="no recording has a note with a clear pitch between 47 "):
        measure_instrument([error, noise, too_high])


def test_chords_do_not_count_and_are_named():
    chord = analysed(33, partials=(4, 5, 6), name="chord")  # of a major triad, the common period
    measured = measure_instrument([analysed(60, 67), analysed(72), chord])
    assert (measured.lowest, measured.highest) == pytest.approx((60, 72))
    assert measured.doubts() == [
        "1 recording has several notes at once, which do not count: chord.wav"
    ]
    with pytest.raises(UserError, match="several notes sound at once in chord"):
        measure_instrument([chord, analysed(28, clear=False)])


def test_little_sound_with_a_clear_pitch_is_doubtful():
    noise = [analysed(60, clear=False) for _ in range(3)]
    assert measure_instrument([analysed(60, 67), noise[0]]).doubts() == []
    (doubt,) = measure_instrument([analysed(60), *noise]).doubts()
    assert "only 1.0 of 4.0 s of sound are notes with a clear pitch" in doubt


def test_recording_that_is_an_octave_off_from_beginning_to_end_does_not_count():
    scale = [analysed(note) for note in range(52, 85)]
    measured = measure_instrument([*scale, analysed(94.2), analysed(40)])
    assert (measured.lowest, measured.highest) == pytest.approx((52, 84))
    assert measured.n_doubtful == 2
    confirmed = measure_instrument([*scale, analysed(94.2), analysed(94)])
    assert confirmed.highest == pytest.approx(94.2)


@pytest.mark.parametrize("step", [3, 6, 12])
def test_pack_with_few_notes_keeps_all_of_them(step):
    pack = [analysed(note) for note in range(36, 97, step)]
    measured = measure_instrument(pack)
    assert (measured.lowest, measured.highest, measured.n_doubtful) == (36, 96, 0)


@pytest.mark.parametrize(("fall_db", "decays"), [(0, False), (4, False), (25, True)])
def test_instrument_decays_if_most_of_its_notes_do(fall_db, decays):
    recordings = [analysed(note, fall_db=fall_db) for note in range(60, 68)]
    odd_ones = [analysed(note, fall_db=25 - fall_db) for note in (61, 63)]
    assert measure_instrument(recordings + odd_ones).decays is decays


def test_note_that_is_loudest_late_does_not_die_away():
    swelling = analysed(60)
    swelling.features.loudness_db[:] = [*np.linspace(-40, -20, 100), *np.linspace(-20, -50, 150)]
    assert measure_instrument([swelling] * 6).dying == 0


def test_too_few_long_notes_leave_the_decay_open():
    measured = measure_instrument([analysed(60, 64, 67, fall_db=30), analysed(72, seconds=0.2)])
    assert measured.dying is None and not measured.decays
    entries = make_entries("harp", measured, given_patch("piano"))
    comments = {entry.key: entry.comment for entry in entries}
    assert "too few of the recorded notes last for 0.3 s" in comments["corpus.decays"]


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [(60, 60, (54, 66)), (60.4, 69.6, (59, 71)), (40, 45, (37, 49)), (113, 119, (103, 115))],
)
def test_range_of_less_than_an_octave_is_widened(lowest, highest, expected):
    notes = Measured(1, 1.0, 1.0, (), lowest, highest, 0, None).notes
    assert (notes.lowest, notes.highest) == expected


def test_search_range_stays_within_that_of_the_tracker():
    assert Measured(1, 1.0, 1.0, (), 30, 107, 0, None).search_hz == (47, 4000)


@pytest.mark.parametrize(
    ("program", "notes", "patch", "why"),
    [
        (
            57,
            NoteRange(34, 72),
            "pair_and_fan",
            "the trumpet, which is in the General MIDI family of Trombone",
        ),
        (65, NoteRange(51, 84), "pair_and_fan", "the trumpet, which plays notes 52 to 84"),
        (
            24,
            NoteRange(40, 84, decays=True),
            "stretched_piano",
            "the piano, which plays notes that die away",
        ),
        (
            73,
            NoteRange(40, 50, decays=True),
            "flute",
            "the flute, which is in the General MIDI family of Flute",
        ),
    ],
)
def test_patch_is_that_of_the_nearest_shipped_instrument(program, notes, patch, why):
    choice = choose_patch(program, notes)
    assert choice.name == patch and why in choice.reason


def test_program_of_an_unknown_name_is_said_to_be_a_guess():
    program, reason = choose_program("kazoo", NoteRange(54, 87))
    assert program == 64 and reason.startswith("no program has this name; Soprano Sax is the sust")
