"""Notes, bends, controllers and pedals belong to their channel."""

import numpy as np
import pytest
from support.performances import ALL_SOUND_OFF, attacks, course, sounding_at
from support.small_player import LEVEL_DB, bend, control, off, on

pytestmark = pytest.mark.firmware

SUSTAIN = 64
VOLUME = 7
ALL_NOTES_OFF = 123


def at(channel: int, message: bytes) -> bytes:
    """Returns a message on another channel, 1 to 16."""
    return bytes([message[0] & 0xF0 | channel - 1, *message[1:]])


def test_same_note_on_two_channels_with_opposite_bends_is_two_notes(poly):
    played = poly(
        (0, at(1, on(60))),
        (0, at(2, on(60))),
        (10, at(1, bend(8191))),
        (10, at(2, bend(-8192))),
        (60, at(2, off(60))),
        until=200,
    )
    assert sounding_at(played, 50) == [62, 58, 0, 0]
    (higher, loud), (_, lower) = (course(played, voice) for voice in (0, 1))
    assert higher[55] == pytest.approx(62, abs=0.01)
    np.testing.assert_allclose(loud[:200], LEVEL_DB, atol=0.01)  # its key is still down
    assert lower[70] < LEVEL_DB - 5 and played.report["n_stolen"] == 0


def test_note_off_on_another_channel_ends_no_note(mono, poly):
    for performer in (mono, poly):
        played = performer((0, at(3, on(60))), (20, at(4, off(60))), (50, at(3, off(60))))
        loudness = course(played)[1]
        np.testing.assert_allclose(loudness[:50], LEVEL_DB, atol=0.01)
        assert loudness[60] < LEVEL_DB - 5


def test_volume_and_pedal_act_on_their_channel(poly):
    played = poly(
        (0, at(1, on(60))),
        (0, at(2, on(64))),
        (5, at(2, control(VOLUME, 50))),
        (10, at(1, control(SUSTAIN, 127))),
        (60, at(1, off(60))),
        (60, at(2, off(64))),
    )
    (_, first), (_, second) = (course(played, voice) for voice in (0, 1))
    np.testing.assert_allclose(first[:100], LEVEL_DB, atol=0.01)
    assert second[59] == pytest.approx(LEVEL_DB + 40 * np.log10(50 / 100), abs=0.02)
    assert second[70] < second[59] - 5


@pytest.mark.parametrize("number", [ALL_SOUND_OFF, ALL_NOTES_OFF])
def test_all_notes_of_one_channel_end(mono, poly, number):
    played = poly(
        (0, at(1, on(60))), (0, at(2, on(64))), (50, at(2, control(number, 0))), until=200
    )
    np.testing.assert_allclose(course(played, 0)[1][:200], LEVEL_DB, atol=0.01)
    assert np.isnan(course(played, 1)[1][150:]).all()
    back = mono((0, at(1, on(60))), (20, at(2, on(64))), (50, at(2, control(number, 0))), until=90)
    assert course(back)[0][45] == pytest.approx(64, abs=0.01)
    assert course(back)[0][80] == pytest.approx(60, abs=0.01)
    other = mono((0, at(1, on(60))), (50, at(2, control(number, 0))), until=90)
    np.testing.assert_allclose(course(other)[1][:90], LEVEL_DB, atol=0.01)


def test_mono_voice_takes_the_bend_of_the_channel_whose_key_sounds(mono):
    played = mono(
        (0, at(1, bend(8191))),
        (1, at(1, on(60))),
        (50, at(2, on(64))),
        (100, at(2, off(64))),
        until=150,
    )
    pitch = course(played)[0]
    assert attacks(played) == [1]
    for block, expected in ((45, 62), (95, 64), (145, 62)):
        assert pitch[block] == pytest.approx(expected, abs=0.01)


def test_bend_and_volume_in_the_block_of_a_first_note_act_from_its_beginning(mono, poly):
    messages = [at(5, message) for message in (bend(8191), control(VOLUME, 50), on(60))]
    for performer in (mono, poly):
        for order in (messages, messages[::-1]):
            played = performer((0, at(1, bend(-8192))), *((3, message) for message in order))
            pitch, loudness = course(played)
            assert pitch[3] == pytest.approx(62, abs=0.01)
            assert loudness[3] == pytest.approx(LEVEL_DB + 40 * np.log10(50 / 100), abs=0.02)


def test_portamento_glides_from_the_last_note_of_its_channel(poly):
    glide = [at(2, control(65, 127)), at(2, control(5, 64))]
    played = poly(
        *((0, message) for message in glide),
        (0, at(2, on(50))),
        (10, at(1, on(70))),
        (20, at(2, on(62))),
        until=60,
    )
    assert course(played, 1)[0][10] == pytest.approx(70, abs=0.01)
    assert 50 < course(played, 2)[0][20] < 50.2
