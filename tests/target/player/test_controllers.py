"""Controllers, pedals and program changes of the player."""

import numpy as np
import pytest
from support.performances import ALL_SOUND_OFF, attacks, course, sounding_at
from support.small_player import LEVEL_DB, TABLES, bend, control, off, on, program_change

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target.player import BEGUN, FADED, stretches

pytestmark = pytest.mark.firmware

SUSTAIN = 64
PORTAMENTO = 65
SOSTENUTO = 66
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


def rpn(number: int, coarse: int | None = None, fine: int | None = None) -> list[bytes]:
    """Selects a registered parameter and enters its data."""
    messages = [control(101, number >> 7), control(100, number & 127)]
    messages += [] if coarse is None else [control(6, coarse)]
    return messages + ([] if fine is None else [control(38, fine)])


def test_nrpn_data_is_ignored_and_bend_range_limited_to_four_octaves(mono):
    messages = [*rpn(0, 127), control(99, 0), control(6, 1)]
    played = mono((0, on(48)), (0, bend(8191)), *((0, m) for m in messages), until=100)
    assert course(played)[0][99] == pytest.approx(96, abs=0.01)
    played = mono((0, on(96)), (0, bend(-8192)), *((0, m) for m in messages), until=100)
    assert course(played)[0][99] == pytest.approx(48, abs=0.01)


def test_rpn_1_tunes_the_channel_by_up_to_a_semitone_at_once(mono):
    played = mono(
        (0, on(60)),
        *((10, message) for message in rpn(1, 96, 0)),
        *((50, message) for message in rpn(1, 0, 0)),
        *((90, message) for message in rpn(1, 64, 0)),
        until=130,
    )
    pitch = course(played)[0]
    for block, expected in ((5, 60), (45, 60.5), (85, 59), (125, 60)):
        assert pitch[block] == pytest.approx(expected, abs=0.002)


def test_rpn_2_transposes_later_notes(mono, poly):
    for performer in (mono, poly):
        played = performer(
            (0, on(60)),
            *((10, message) for message in rpn(2, 64 - 12)),
            (30, off(60)),
            (150, on(60)),
            (180, off(60)),
            until=400,
        )
        pitch = course(played)[0]
        assert pitch[25] == pytest.approx(60, abs=0.001)
        assert pitch[160] == pytest.approx(48, abs=0.001)
        assert played.report["n_sounding"] == 0 and np.isnan(pitch[390])


@pytest.mark.parametrize(("step", "sign"), [(96, 1), (97, -1)])
def test_data_increment_and_decrement_step_the_parameter(mono, step, sign):
    steps = [control(step, 0)] * 50
    played = mono(
        *((0, message) for message in [*rpn(0, 3, 20), *steps]),  # cents of the bend range
        (1, bend(8191)),
        (1, on(60)),
        *((40, message) for message in [*rpn(127 * 128 + 127), *steps]),  # null: no effect
        *((80, message) for message in [*rpn(2), *steps[:5]]),  # semitones of later notes
        (80, on(62)),
        until=120,
    )
    pitch = course(played)[0]
    bent = 60 + (3.2 + sign * 0.5)
    assert pitch[39] == pytest.approx(bent, abs=0.01)
    assert pitch[79] == pytest.approx(bent, abs=0.01)
    assert pitch[119] == pytest.approx(bent + 2 + sign * 5, abs=0.01)


def test_data_decrement_ends_at_zero_and_increment_at_the_largest_range(mono):
    lowest = [*rpn(0, 0, 2), *[control(97, 0)] * 5, *rpn(1, 0, 1), *[control(97, 0)] * 3]
    widest = [*rpn(0, 48, 98), *[control(96, 0)] * 9]
    played = mono(
        *((0, message) for message in [*lowest, bend(8191), on(48)]),
        *((40, message) for message in widest),
        until=80,
    )
    pitch = course(played)[0]
    assert pitch[39] == pytest.approx(47, abs=0.001)
    assert pitch[79] == pytest.approx(47 + 48.99, abs=0.01)


@pytest.mark.parametrize("pressed", ["channel", "key"])
def test_pressure_swells_a_note_by_up_to_12_db(mono, poly, pressed):
    def press(value: int) -> bytes:
        return bytes([0xD0, value]) if pressed == "channel" else bytes([0xA0, 60, value])

    for performer in (mono, poly):
        played = performer((0, on(60, 64)), (10, press(127)), (80, press(32)), until=150)
        loudness = course(played)[1]
        soft = LEVEL_DB + 40 * np.log10(64 / 127)
        np.testing.assert_allclose(loudness[:10], soft, atol=0.01)
        assert loudness[79] == pytest.approx(soft + 12, abs=0.02)
        assert loudness[149] == pytest.approx(soft + 12 * 32 / 127, abs=0.02)
        assert np.abs(np.diff(loudness[9:80])).max() < 12 / 3  # no jump


def test_key_pressure_acts_on_its_note_and_channel_pressure_on_all(poly):
    played = poly(
        (0, on(60, 64)),
        (0, on(64, 64)),
        (10, bytes([0xA0, 64, 127])),
        (60, bytes([0xD0, 64])),
        until=120,
    )
    (_, first), (_, second) = (course(played, voice) for voice in (0, 1))
    soft = LEVEL_DB + 40 * np.log10(64 / 127)
    assert first[59] == pytest.approx(soft, abs=0.01)
    assert second[59] == pytest.approx(soft + 12, abs=0.02)
    assert first[119] == pytest.approx(soft + 12 * 64 / 127, abs=0.02)
    assert second[119] == pytest.approx(soft + 12, abs=0.02)  # the greater one


def test_pressure_never_exceeds_the_range_of_the_instrument(mono):
    played = mono((0, program_change(1)), (0, bytes([0xD0, 127])), (2, on(70)), until=400)
    loudest = TABLES["violin"].loudest_db
    assert np.nanmax(course(played)[1]) == pytest.approx(loudest, abs=1e-3)


def test_soft_pedal_takes_6_db_from_later_notes(mono, poly):
    for performer in (mono, poly):
        played = performer(
            (0, on(60)), (20, control(67, 127)), (40, off(60)), (150, on(60)), until=200
        )
        loudness = course(played)[1]
        np.testing.assert_allclose(loudness[:40], LEVEL_DB, atol=0.01)
        assert loudness[190] == pytest.approx(LEVEL_DB - 6, abs=0.2)


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


def test_sostenuto_holds_the_notes_that_sounded_when_it_was_pressed(mono, poly):
    events = [
        (0, on(60)),
        (10, control(SOSTENUTO, 127)),
        (20, on(67)),
        (30, off(67)),
        (40, off(60)),
        (100, control(SOSTENUTO, 0)),
    ]
    played = poly(*events, until=250)
    np.testing.assert_allclose(course(played, 0)[1][:100], LEVEL_DB, atol=0.01)
    assert course(played, 1)[1][40] < LEVEL_DB - 5
    assert course(played, 0)[1][110] < LEVEL_DB - 5 and np.isnan(course(played, 0)[1][200])
    played = mono(*events, until=250)
    pitch, loudness = course(played)
    assert pitch[25] == pytest.approx(67, abs=0.01)
    assert pitch[90] == pytest.approx(60, abs=0.01)
    np.testing.assert_allclose(loudness[:100], LEVEL_DB, atol=0.01)
    assert loudness[110] < LEVEL_DB - 5 and np.isnan(loudness[200])


def test_note_under_both_pedals_ends_with_the_last_one(mono, poly):
    for first, second in ((SUSTAIN, SOSTENUTO), (SOSTENUTO, SUSTAIN)):
        for performer in (mono, poly):
            played = performer(
                (0, on(60)),
                (5, control(SUSTAIN, 127)),
                (5, control(SOSTENUTO, 127)),
                (10, off(60)),
                (40, control(first, 0)),
                (80, control(second, 0)),
                until=250,
            )
            loudness = course(played)[1]
            np.testing.assert_allclose(loudness[:80], LEVEL_DB, atol=0.01)
            assert loudness[90] < LEVEL_DB - 5 and np.isnan(loudness[200])


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
        (1, control(67, 127)),
        (1, bytes([0xD0, 100])),
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


@pytest.mark.parametrize("note", [60, 72], ids=["struck again", "stolen"])
def test_key_pressure_acts_on_a_note_that_waits_for_its_voice(poly, note):
    chord = [(0, on(key)) for key in (60, 62, 64, 65)]
    pressed = [(10, bytes([0xA0, 60, 127])), (50, on(note, 64))]
    played = poly(*chord, *pressed, (50, bytes([0xA0, note, 127])))
    plain = poly(*chord, *pressed)
    begun = played.trace[played.trace["event"] == BEGUN][-1]
    assert begun["block"] == 51
    soft = LEVEL_DB + 40 * np.log10(64 / 127)
    voice = begun["voice"]
    np.testing.assert_allclose(course(played, voice)[1][51:100], soft + 12, atol=0.01)
    np.testing.assert_allclose(course(plain, voice)[1][51:100], soft, atol=0.01)
