"""Multi mode: a program of its own for each MIDI channel, chosen at the console of the player."""

import numpy as np
import pytest
from support.play_app import answers, pcm, play

pytestmark = pytest.mark.firmware

CHOOSE = [(5, bytes([0xC0, 1, 0xC1, 2]))]
NOTES = [(10, bytes([0x90, 60, 100])), (12, bytes([0x91, 64, 100])), (60, b"")]
MULTI = (3, b"multi 1\r")
ASK = (40, b"notes\r")
PROGRAMS = " ".join(["0"] * 16)


def test_each_channel_plays_its_own_instrument(play_on_host):
    run = play(play_on_host, CHOOSE + NOTES, [MULTI, ASK])
    assert answers(run)[1:] == ["multi 1", PROGRAMS, "0 held violin 60", "1 held piano 64"]
    run = play(play_on_host, CHOOSE + NOTES, [ASK])
    assert answers(run)[1:] == ["0 held piano 60", "1 held piano 64"]


def test_one_channel_plays_as_it_does_without_multi_mode(play_on_host):
    tune = [CHOOSE[0], NOTES[0], (40, bytes([0x80, 60, 0])), (45, bytes([0xC0, 2, 0x90, 67, 90]))]
    in_multi = pcm(play(play_on_host, tune, [MULTI, (60, b"help\r")]))
    only_one = [(5, bytes([0xC0, 1])), *tune[1:]]
    expected = pcm(play(play_on_host, only_one, [(60, b"help\r")]))
    assert expected.any()
    np.testing.assert_array_equal(in_multi, expected)


def test_program_at_the_console_and_the_end_of_multi_mode_apply_to_all_channels(play_on_host):
    typed = [MULTI, (8, b"program 0\rmulti\r"), ASK]
    assert answers(play(play_on_host, CHOOSE + NOTES, typed))[-4:] == [
        *("multi 1", PROGRAMS, "0 held flute 60", "1 held flute 64")
    ]
    lines = answers(play(play_on_host, CHOOSE + NOTES, [MULTI, (8, b"multi 0\r"), ASK]))
    assert lines[-3:] == ["multi 0", "0 held piano 60", "1 held piano 64"]
    lines = answers(play(play_on_host, NOTES, [(3, b"multi 2\r")]))
    assert lines[1:] == ["give 1 for a program per channel, or 0 for one of all"]


def test_mpe_zone_has_the_program_of_its_manager(play_on_host):
    zone, wider = ((4, bytes([0xB0, 101, 0, 0xB0, 100, 6, 0xB0, 6, n])) for n in (3, 4))
    programs = [(4, bytes([0xC0, 1, 0xC4, 2]))]
    notes = [NOTES[1], (14, bytes([0x94, 67, 100])), NOTES[2]]  # on channels 2 and 5
    for messages in ([zone, *programs], [*programs, zone]):
        run = play(play_on_host, [*messages, *notes], [MULTI, ASK])
        assert answers(run)[-2:] == ["0 held violin 64", "1 held piano 67"]
    own = (4, bytes([0xC1, 0]))  # channel 2 keeps it when channel 5 joins the zone
    run = play(play_on_host, [zone, *programs, own, wider, *notes], [MULTI, ASK])
    assert answers(run)[-2:] == ["0 held flute 64", "1 held violin 67"]


def test_programs_of_the_channels_survive_a_restart(play_on_host):
    typed = [MULTI, (20, b"save\r")]
    flash = play(play_on_host, CHOOSE, typed).files["flash.bin"]
    run = play(play_on_host, NOTES, [(3, b"multi\r"), ASK], flash=flash)
    programs = " ".join(["1", "2", *["0"] * 14])
    assert answers(run)[1:] == ["multi 1", programs, "0 held violin 60", "1 held piano 64"]
