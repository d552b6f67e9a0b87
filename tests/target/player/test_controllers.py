"""Controllers, pedals and program changes of the player."""

import numpy as np
import pytest
from support.performances import ALL_SOUND_OFF, attacks, course, sounding_at
from support.small_player import LEVEL_DB, TABLES, bend, control, off, on, program_change

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target.player import FADED, stretches

pytestmark = pytest.mark.firmware

SUSTAIN = 64
PORTAMENTO = 65
RESET = 121
ALL_NOTES_OFF = 123
MONO = 126
POLY = 127


def test_bend_range_is_two_semitones_or_set_by_rpn_0(mono):
    rpn = [control(101, 0), control(100, 0), control(6, 7), control(38, 50)]
    played = mono(
        (0, on(60)),
        (1, bend(8191)),
        (50, bend(-8192)),
        *((100, message) for message in rpn),
        (150, control(101, 127)),
        (150, control(100, 127)),
        (150, control(6, 12)),
        (200, bend(0)),
        until=250,
    )
    pitch = course(played)[0]
    assert pitch[49] == pytest.approx(62, abs=0.01)
    assert pitch[99] == pytest.approx(58, abs=0.01)
    assert pitch[149] == pytest.approx(60 - 7.5, abs=0.01)
    assert pitch[199] == pytest.approx(60 - 7.5, abs=0.01)  # data without a parameter
    assert pitch[249] == pytest.approx(60, abs=0.01)


def test_nrpn_data_is_ignored_and_bend_range_limited_to_two_octaves(mono):
    messages = [control(101, 0), control(100, 0), control(6, 127), control(99, 0), control(6, 1)]
    played = mono((0, on(60)), (0, bend(8191)), *((0, m) for m in messages), until=100)
    assert course(played)[0][99] == pytest.approx(84, abs=0.01)


def test_modulation_wheel_sets_the_depth_of_vibrato_from_none_to_half_a_semitone(mono):
    violin = program_change(1)
    played = mono((0, violin), (1, on(69)), (300, control(1, 127)), (600, control(1, 0)), until=800)
    pitch = course(played)[0]
    usual = TABLES["violin"].vibrato_cents / 100
    drift = 4 * TABLES["violin"].pitch_drift_cents / 100
    assert usual <= np.abs(pitch[150:300] - 69).max() < usual + drift
    assert 0.5 <= np.abs(pitch[400:600] - 69).max() < 0.5 + drift
    assert np.abs(pitch[610:800] - 69).max() < drift


@pytest.mark.parametrize("number", [2, 7, 11])
def test_breath_volume_and_expression_set_the_loudness(mono, number):
    played = mono((0, on(60)), (10, control(number, 40)), until=100)
    loudness = course(played)[1]
    reference = 100 if number == 7 else 127  # the default volume is 100
    assert loudness[99] == pytest.approx(LEVEL_DB + 40 * np.log10(40 / reference), abs=0.02)
    steps = np.diff(loudness[9:60])
    assert steps.max() <= 0 and steps.min() > 40 * np.log10(40 / reference) / 3  # no jump


def test_combined_controllers_never_exceed_the_range_of_the_instrument(mono):
    played = mono((0, program_change(1)), (0, control(7, 127)), (2, on(70)), until=400)
    assert np.nanmax(course(played)[1]) <= TABLES["violin"].loudest_db + 1e-4


def test_cc_65_enables_portamento_and_cc_5_sets_its_time(mono):
    played = mono(
        (0, control(5, 64)),
        (0, control(PORTAMENTO, 127)),
        (0, on(60)),
        (50, off(60)),
        (200, on(72)),
        (400, off(72)),
        (600, control(PORTAMENTO, 0)),
        (601, on(48)),
        until=700,
    )
    pitch = course(played)[0]
    assert pitch[10] == pytest.approx(60, abs=0.001)  # nothing to glide from
    n_frames = (64 * 64 * 127) >> 12
    expected = 60 + 12 * np.arange(1, n_frames + 1) / n_frames
    np.testing.assert_allclose(pitch[200 : 200 + n_frames], expected, atol=0.01)
    assert pitch[399] == pytest.approx(72, abs=0.001)
    assert pitch[601] == pytest.approx(48, abs=0.001)


def test_sustain_pedal_holds_notes_until_it_is_lifted(mono, poly):
    for performer in (mono, poly):
        played = performer(
            (0, control(SUSTAIN, 127)),
            (1, on(60)),
            (30, off(60)),
            (100, control(SUSTAIN, 0)),
            until=300,
        )
        loudness = course(played)[1]
        np.testing.assert_allclose(loudness[1:100], LEVEL_DB, atol=0.01)
        assert loudness[110] < LEVEL_DB - 5 and np.isnan(loudness[200])


def test_releasing_the_pedal_ends_only_notes_without_a_held_key(mono, poly):
    events = [
        (0, on(60)),
        (5, control(SUSTAIN, 127)),
        (10, on(67)),
        (20, off(67)),
        (50, control(SUSTAIN, 0)),
    ]
    played = mono(*events, until=90)
    assert course(played)[0][49] == pytest.approx(67, abs=0.01)
    assert course(played)[0][89] == pytest.approx(60, abs=0.01)
    played = poly(*events, until=90)
    np.testing.assert_allclose(course(played, 0)[1][:90], LEVEL_DB, atol=0.01)
    assert course(played, 1)[1][60] < LEVEL_DB - 5


def test_all_sound_off_ramps_to_silence_within_one_block(poly):
    played = poly(
        (0, on(60)), (0, on(64)), (50, control(ALL_SOUND_OFF, 0)), (80, off(60)), until=90
    )
    assert set(played.trace["event"][played.trace["block"] == 50]) == {FADED}
    assert played.trace["block"].max() == 50
    assert np.all(played.pcm[51 * HOP_SAMPLES :] == 0)


@pytest.mark.parametrize("number", [ALL_NOTES_OFF, 124, 125])
def test_all_notes_off_releases_keys_but_not_the_pedal(mono, poly, number):
    for performer in (mono, poly):
        played = performer((0, on(60)), (0, on(64)), (50, control(number, 0)), until=300)
        assert course(played)[1][55] < LEVEL_DB - 5 and played.trace["block"].max() < 200
        held = performer(
            (0, on(60)), (10, control(SUSTAIN, 127)), (50, control(number, 0)), until=300
        )
        assert course(held)[1][299] == pytest.approx(LEVEL_DB, abs=0.01)


def test_reset_of_controllers_keeps_volume_and_notes(mono):
    played = mono(
        (0, on(60)),
        (1, bend(4000)),
        (1, control(11, 20)),
        (1, control(2, 20)),
        (1, control(1, 127)),
        (1, control(7, 50)),
        (100, control(RESET, 0)),
        until=200,
    )
    pitch, loudness = course(played)
    assert pitch[199] == pytest.approx(60, abs=0.01)
    assert loudness[199] == pytest.approx(LEVEL_DB + 40 * np.log10(50 / 100), abs=0.02)


def test_mono_and_poly_modes_are_switched_by_their_controllers(poly):
    played = poly(
        (0, control(MONO, 1)),
        (1, on(60)),
        (20, on(64)),
        (40, control(POLY, 0)),
        (50, on(60)),
        (50, on(64)),
    )
    assert sounding_at(played, 30) == [64, 0, 0, 0]
    assert sounding_at(played, 45) == [0, 0, 0, 0]
    assert sorted(sounding_at(played, 60)) == [0, 0, 60, 64]


def test_program_change_affects_later_notes_only(poly):
    played = poly(
        (0, on(60)), (20, program_change(1)), (30, on(64)), (40, program_change(9)), (50, on(67))
    )
    assert [(s.block, s.preset) for s in stretches(played)] == [(0, 0), (30, 1), (50, 1)]


def test_mono_voice_of_another_instrument_fades_out_before_the_new_note(mono):
    played = mono((0, on(60)), (20, program_change(2)), (30, on(64)), until=60)
    first, second = stretches(played)
    assert (first.block, len(first.frames), first.is_faded, first.preset) == (0, 31, True, 0)
    assert (second.block, second.preset) == (31, 2)


def test_note_that_ends_while_it_waits_for_a_voice_is_not_stuck(mono):
    events = [(0, on(60)), (20, program_change(2)), (30, on(64)), (30, off(64)), (30, off(60))]
    played = mono(*events, until=400)
    assert played.trace["block"].max() <= 31


def test_every_channel_is_received(mono):
    played = mono((0, bytes([0x9F, 60, 127])), (20, bytes([0x8F, 60, 0])), until=200)
    assert attacks(played) == [0] and np.isnan(course(played)[0][150])
