"""Line errors, lost bytes, an unplugged cable and System Reset leave no note behind."""

import numpy as np
import pytest
from support.performances import attacks, course
from support.small_player import LEVEL_DB, bend, control, off, on, program_change

pytestmark = pytest.mark.firmware

DAMAGED, SENSING, RESET = b"\xf5", b"\xfe", b"\xff"
SUSTAIN = 64


def test_damaged_byte_ends_the_notes_and_the_next_message_is_played(mono, poly):
    for performer in (mono, poly):
        events = [(0, control(SUSTAIN, 127)), (1, on(60)), (20, off(60)), (40, DAMAGED)]
        played = performer(*events, (200, on(64)), until=260)
        pitch, loudness = course(played)
        np.testing.assert_allclose(loudness[1:40], LEVEL_DB, atol=0.01)
        assert loudness[50] < LEVEL_DB - 5 and np.isnan(loudness[150])
        assert attacks(played) == [1, 200] and pitch[210] == pytest.approx(64, abs=0.01)


def test_data_after_a_damaged_byte_belong_to_no_message(mono):
    """Without the damage, the last two bytes would be another note with running status."""
    played = mono((0, on(60)), (40, DAMAGED + bytes([64, 100])), until=300)
    assert attacks(played) == [0] and np.nanmax(course(played)[0]) < 60.01
    assert np.isnan(course(played)[1][200])


def test_cable_that_is_silent_for_300_ms_after_active_sensing_ends_the_notes(mono):
    alive = [(block, SENSING) for block in range(0, 301, 75)]
    played = mono((0, on(60)), *alive, until=700)
    loudness = course(played)[1]
    np.testing.assert_allclose(loudness[:384], LEVEL_DB, atol=0.01)
    assert loudness[385] < LEVEL_DB - 0.5 and np.isnan(loudness[500])


def test_system_reset_frees_notes_from_the_sostenuto_pedal(mono, poly):
    for performer in (mono, poly):
        played = performer(
            (0, on(60)), (10, control(66, 127)), (20, RESET), (40, on(60)), (60, off(60)), until=300
        )
        assert attacks(played) == [0, 40]
        assert course(played)[1][70] < LEVEL_DB - 5 and played.trace["block"].max() < 250


def test_clock_and_song_messages_between_and_within_messages_change_nothing(mono):
    clock, start, stop, position, song = b"\xf8", b"\xfa", b"\xfc", b"\xf2\x10\x20", b"\xf3\x05"
    events = [(0, on(60)), (30, on(64, 80)), (50, off(60)), (60, bend(3000)), (90, off(64))]
    timed = [
        (block, message[:1] + clock + message[1:2] + start + message[2:])
        for block, message in events
    ]
    system = [(block, position + clock + song + stop) for block in range(0, 100, 7)]
    played = mono(*sorted([*timed, *system]), until=250)
    np.testing.assert_array_equal(played.pcm, mono(*events, until=250).pcm)


def test_cable_without_active_sensing_may_be_silent(mono):
    played = mono((0, on(60)), until=700)
    np.testing.assert_allclose(course(played)[1][:700], LEVEL_DB, atol=0.01)


def test_notes_after_an_unplugged_cable_are_played_without_supervision(mono):
    played = mono((0, SENSING), (1, on(60)), (200, on(64)), until=600)
    loudness = course(played)[1]
    assert np.isnan(loudness[190])
    np.testing.assert_allclose(loudness[200:600], LEVEL_DB, atol=0.01)


def test_system_reset_ends_all_sound_and_restores_all_settings(poly):
    settings = [program_change(2), control(7, 20), control(11, 20), control(126, 0), bend(8191)]
    settings += [control(101, 0), control(100, 0), control(6, 12), control(5, 90), control(65, 127)]
    notes = [(60, on(60)), (60, on(64)), (90, off(60)), (110, on(67))]
    changed = [(block, message) for block, message in enumerate(settings)]
    plain = poly(*notes, until=150)
    played = poly(*changed, (30, on(40)), (50, RESET), *notes, until=150)
    assert played.trace["block"][played.trace["block"] < 60].max() == 50
    after = played.trace[played.trace["block"] >= 60]
    for name in ("block", "voice", "preset", "f0_hz"):
        np.testing.assert_array_equal(after[name], plain.trace[name])
    # The random drift of the loudness has another state.
    np.testing.assert_allclose(after["loudness_db"], plain.trace["loudness_db"], atol=0.01)


THREE_KEYS = [(2, on(60)), (20, on(64)), (40, on(67))]


@pytest.mark.parametrize("program", range(3))
@pytest.mark.parametrize(
    "ends",
    [
        [(100, control(123, 0))],
        [(100, DAMAGED)],
        [(0, SENSING), (124, b"")],
        [(1, control(SUSTAIN, 127)), (50, off(64)), (51, off(60)), (100, DAMAGED)],
        [(1, control(SUSTAIN, 127)), (50, off(67)), (60, control(66, 127)), (100, DAMAGED)],
    ],
    ids=["all notes off", "damaged", "unplugged", "pedal", "both pedals"],
)
def test_all_keys_of_a_mono_player_end_as_one(mono, program, ends):
    """The note dies away as if the other keys had been released before."""
    chosen = [(0, program_change(program))]
    end = ends[-1][0]
    before = [(70, off(64)), (80, off(60))]
    released = mono(*chosen, *THREE_KEYS, *before, (end, off(67)), until=300)
    events = sorted([*chosen, *THREE_KEYS, *ends], key=lambda event: event[0])
    played = mono(*events, until=300)
    np.testing.assert_array_equal(played.pcm, released.pcm)
    assert course(played)[1][end + 1] > LEVEL_DB - 20  # a release, not a cut


def test_reset_of_the_controllers_lifts_both_pedals_of_a_mono_player_as_one(mono):
    """The sostenuto pedal alone holds the first key, the sustain pedal both."""
    chosen, keys = [(0, program_change(1)), (1, on(60))], [(30, on(67)), (60, off(67))]
    pedals = [(10, control(66, 127)), (20, control(SUSTAIN, 127))]
    played = mono(*chosen, *pedals, *keys, (61, off(60)), (100, control(121, 0)), until=300)
    released = mono(*chosen, keys[0], (61, off(60)), (100, off(67)), until=300)
    np.testing.assert_array_equal(played.pcm, released.pcm)
