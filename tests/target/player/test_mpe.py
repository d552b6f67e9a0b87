"""MPE: notes on the members of a zone, and what its manager, channel 1 or 16, does to all."""

import numpy as np
import pytest
from support.performances import course, sounding_at
from support.small_player import LEVEL_DB, bend, control, off, on

pytestmark = pytest.mark.firmware

QUARTER = 2048  # of the bend range
SUSTAIN, SOSTENUTO, VOLUME, ALL_NOTES_OFF = 64, 66, 7, 123


def at(channel: int, message: bytes) -> bytes:
    """Returns a message on another channel, 1 to 16."""
    return bytes([message[0] & 0xF0 | channel - 1, *message[1:]])


def rpn(channel: int, number: int, value: int) -> list[bytes]:
    messages = [control(101, 0), control(100, number), control(6, value)]
    return [at(channel, message) for message in messages]


ZONE = [(0, message) for message in rpn(1, 6, 15)]
CHORD = [(1, at(2, on(60, 64))), (1, at(3, on(64, 64)))]


def test_members_bend_their_note_by_48_semitones_and_the_manager_all_by_two(poly):
    played = poly(
        *ZONE,
        (1, at(2, bend(QUARTER))),
        *CHORD,
        (30, at(3, bend(-QUARTER // 2))),
        (60, at(1, bend(8191))),
    )
    assert sounding_at(played, 1)[:2] == [72, 64]  # a bend before its note acts from the beginning
    assert sounding_at(played, 55)[:2] == [72, 58]
    assert sounding_at(played, 95)[:2] == [74, 60]


def test_bend_range_of_one_member_is_that_of_all_and_not_of_the_manager(poly):
    ranges = [(0, message) for message in rpn(5, 0, 12)]
    played = poly(*ZONE, *ranges, *CHORD, (30, at(2, bend(QUARTER))), (60, at(1, bend(QUARTER))))
    assert course(played, 0)[0][55] == pytest.approx(63, abs=0.01)
    assert course(played, 1)[0][95] == pytest.approx(64.5, abs=0.01)


def test_end_of_the_zone_ends_its_notes_and_restores_the_bend_range(poly):
    end = [(40, message) for message in rpn(1, 6, 0)]
    played = poly(
        *ZONE, *CHORD, *end, (60, at(2, on(60))), (61, at(2, bend(8191))), (61, at(1, bend(8191)))
    )
    assert sounding_at(played, 50) == [0, 0, 0, 0]
    assert course(played)[0][95] == pytest.approx(62, abs=0.01)


def test_pressure_of_a_member_and_of_the_manager(poly):
    played = poly(
        *ZONE, *CHORD, (20, at(3, bytes([0xD0, 127]))), (60, at(1, bytes([0xD0, 64]))), until=120
    )
    (_, first), (_, second) = (course(played, voice) for voice in (0, 1))
    soft = LEVEL_DB + 40 * np.log10(64 / 127)
    assert first[59] == pytest.approx(soft, abs=0.01)
    assert second[59] == pytest.approx(soft + 12, abs=0.02)
    assert first[119] == pytest.approx(soft + 12 * 64 / 127, abs=0.02)
    assert second[119] == pytest.approx(soft + 12, abs=0.02)


@pytest.mark.parametrize("pedal", [SUSTAIN, SOSTENUTO])
def test_pedals_of_the_manager_hold_the_notes_of_all_members(mono, poly, pedal):
    for performer, voices in ((mono, 1), (poly, 2)):
        played = performer(
            *ZONE,
            *CHORD,
            (10, at(1, control(pedal, 127))),
            (20, at(2, off(60))),
            (20, at(3, off(64))),
            (80, at(1, control(pedal, 0))),
            until=250,
        )
        for voice in range(voices):
            loudness = course(played, voice)[1]
            soft = LEVEL_DB + 40 * np.log10(64 / 127)
            np.testing.assert_allclose(loudness[1:80], soft, atol=0.01)
            assert loudness[90] < soft - 5 and np.isnan(loudness[200])


@pytest.mark.parametrize("number", [120, ALL_NOTES_OFF])
def test_volume_and_end_of_all_notes_on_the_manager_act_on_members_only(poly, number):
    small_zone = [(0, message) for message in rpn(1, 6, 2)]
    events = [*small_zone, *CHORD, (1, at(4, on(67, 64)))]
    played = poly(
        *events, (5, at(1, control(VOLUME, 50))), (60, at(1, control(number, 0))), until=200
    )
    soft = LEVEL_DB + 40 * np.log10(64 / 127)
    for voice in (0, 1):
        loudness = course(played, voice)[1]
        assert loudness[59] == pytest.approx(soft + 40 * np.log10(50 / 100), abs=0.02)
        assert np.isnan(loudness[150:]).all()
    np.testing.assert_allclose(course(played, 2)[1][1:200], soft, atol=0.01)


def test_upper_zone_is_the_mirror_image_of_the_lower_one(poly):
    def tune(manager, first, second):
        return [
            *((0, message) for message in rpn(manager, 6, 7)),
            *((0, message) for message in rpn(first, 0, 24)),
            (1, at(manager, control(VOLUME, 80))),
            (1, at(first, bend(QUARTER))),
            (1, at(first, on(60, 64))),
            (1, at(second, on(64, 64))),
            (20, at(manager, control(SUSTAIN, 127))),
            (30, at(second, off(64))),
            (40, at(manager, bend(-QUARTER))),
            (60, at(second, bytes([0xD0, 100]))),
        ]

    lower, upper = poly(*tune(1, 2, 8)), poly(*tune(16, 15, 9))
    assert sounding_at(lower, 35)[:2] == [66, 64]
    np.testing.assert_array_equal(upper.pcm[: 100 * 64], lower.pcm[: 100 * 64])


@pytest.mark.parametrize(
    ("newer", "lower", "upper"),
    [
        ((1, 10), [2, 11], [12, 15]),
        ((16, 9), [2, 6], [7, 15]),
        ((1, 14), [2, 15], []),
        ((16, 15), [], [2, 15]),
        ((1, 0), [], [9, 15]),
    ],
)
def test_zones_that_overlap_are_cut_and_act_on_their_own_members_only(poly, newer, lower, upper):
    """Before, the lower zone has the members 2 to 8, and the upper one 9 to 15."""
    zones = [*rpn(1, 6, 7), *rpn(16, 6, 7), *rpn(newer[0], 6, newer[1])]
    channels = [*lower, *upper]
    notes = [(1, at(channel, on(60 + i))) for i, channel in enumerate(channels)]
    bends = [(20, at(1, bend(8191))), (40, at(16, bend(-8191)))]
    played = poly(*((0, message) for message in zones), *notes, *bends)
    expected = [60 + i + (2 if channel in lower else -2) for i, channel in enumerate(channels)]
    assert sounding_at(played, 70)[: len(channels)] == expected


def test_brightness_changes_no_sample(poly):
    played = poly(*ZONE, *CHORD, (20, at(2, control(74, 127))), (40, at(1, control(74, 0))))
    np.testing.assert_array_equal(played.pcm, poly(*ZONE, *CHORD).pcm)


@pytest.mark.parametrize("last", [1, 2])
def test_note_that_two_sostenuto_pedals_caught_ends_with_the_second_one(mono, poly, last):
    first = 3 - last
    for performer in (mono, poly):
        played = performer(
            *ZONE,
            (1, at(2, on(60, 64))),
            (10, at(last, control(SOSTENUTO, 127))),
            (20, at(first, control(SOSTENUTO, 127))),
            (30, at(2, off(60))),
            (50, at(first, control(SOSTENUTO, 0))),
            (100, at(last, control(SOSTENUTO, 0))),
            until=250,
        )
        loudness = course(played)[1]
        soft = LEVEL_DB + 40 * np.log10(64 / 127)
        np.testing.assert_allclose(loudness[1:100], soft, atol=0.01)
        assert loudness[110] < soft - 5 and np.isnan(loudness[220])


def test_channels_that_join_or_leave_a_zone_keep_no_controllers(poly):
    """Those that leave it are as loud as the zone was."""
    own = [at(2, control(VOLUME, 20)), at(2, control(5, 100)), *rpn(2, 2, 76), *rpn(2, 1, 96)]
    before = [(0, message) for message in [at(1, control(VOLUME, 50)), *own]]
    again = [(50, message) for message in own]
    end = [(51, message) for message in rpn(1, 6, 0)]
    glide = [(60, at(2, control(65, 127)))]
    played = poly(
        *before, *ZONE, *CHORD, *again, *end, *glide, (61, at(2, on(70, 64))), (80, at(2, on(72)))
    )
    quiet = LEVEL_DB + 40 * np.log10(64 / 127 * 50 / 100)
    for block, voice, note in ((20, 0, 60), (20, 1, 64), (70, 0, 70)):
        pitch, loudness = course(played, voice)
        assert pitch[block] == pytest.approx(note, abs=0.001)
        assert loudness[block] == pytest.approx(quiet, abs=0.02)
    assert course(played, 1)[0][80] == pytest.approx(72, abs=0.001)  # no time to glide
