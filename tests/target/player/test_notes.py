"""Keys of the player: which voices sound, slurs, and stolen voices."""

import numpy as np
import pytest
from support.performances import attacks, course, sounding_at
from support.small_player import LEVEL_DB, PATCH_NAMES, TABLES, off, on, program_change

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target.player import BEGUN

pytestmark = pytest.mark.firmware


def test_note_starts_in_the_block_after_its_message_and_dies_away(mono):
    played = mono((5, on(72)), (40, off(72)), until=300)
    pitch, loudness = course(played)
    assert attacks(played) == [5]
    assert np.all(np.isnan(pitch[:5])) and np.all(played.pcm[: 5 * HOP_SAMPLES] == 0)
    assert np.abs(played.pcm[5 * HOP_SAMPLES : 7 * HOP_SAMPLES]).max() > 0
    np.testing.assert_allclose(pitch[5:40], 72, atol=0.001)
    np.testing.assert_allclose(loudness[5:40], LEVEL_DB, atol=0.01)
    assert loudness[41] < LEVEL_DB and np.isnan(loudness[110])
    assert played.report["n_sounding"] == 0


def test_velocity_sets_the_loudness_and_velocity_zero_ends_the_note(mono):
    played = mono((0, on(60, 50)), (50, on(60, 0)), until=300)
    loudness = course(played)[1]
    np.testing.assert_allclose(loudness[:50], LEVEL_DB + 40 * np.log10(50 / 127), atol=0.01)
    assert np.isnan(loudness[-1]) and loudness[60] < loudness[49] - 5


def test_mono_player_slurs_to_the_last_note_and_back_to_a_held_one(mono):
    played = mono(
        (0, on(60)),
        (50, on(64)),
        (100, on(67)),
        (150, off(67)),
        (200, off(60)),
        (250, off(64)),
        until=400,
    )
    pitch, loudness = course(played)
    assert attacks(played) == [0]
    for block, note in ((45, 60), (95, 64), (145, 67), (195, 64), (245, 64)):
        assert pitch[block] == pytest.approx(note, abs=0.001)
    assert 60 < pitch[51] < 64  # it glides for 20 ms
    np.testing.assert_allclose(loudness[:250], LEVEL_DB, atol=0.01)
    assert loudness[260] < LEVEL_DB - 5


@pytest.mark.parametrize("program", [0, 2])
def test_keys_that_go_up_in_one_block_end_as_one(mono, program):
    """Whichever comes first: the flute does not slur to the other key, nor the piano strike it."""
    held = [(0, program_change(program)), (0, on(60)), (20, on(64))]
    latest_first = mono(*held, (50, off(64)), (50, on(60, 0)), until=90)
    latest_last = mono(*held, (50, on(60, 0)), (50, off(64)), until=90)
    np.testing.assert_array_equal(latest_first.pcm, latest_last.pcm)
    kept = mono(*held, (50, off(64)), (50, program_change(1)), (50, on(60, 0)), until=90)
    assert (kept.pcm != latest_last.pcm).any()  # another message lies between


def violin_run(n_blocks: int, gap: int, notes: tuple[int, ...]) -> list[tuple[int, bytes]]:
    """Returns a run of notes, each of which ends `gap` blocks before the next one begins."""
    score = [(0, program_change(1))]
    for i, note in enumerate(notes):
        begin = 1 + n_blocks * i
        score += [(begin, on(note, 100)), (begin + n_blocks - gap, off(note))]
    return sorted(score, key=lambda event: event[0])


def loudness_of_run(played, n_blocks: int, n_notes: int) -> float:
    """Returns the mean loudness of the second half of a run in dB."""
    loudness = course(played)[1]
    return float(loudness[1 + n_blocks * n_notes // 2 : 1 + n_blocks * n_notes].mean())


def test_notes_that_abut_are_slurred_in_whatever_order_their_messages_come(mono):
    slurred = [(0, program_change(1)), (1, on(60)), (60, on(64)), (60, off(60)), (90, off(64))]
    abutting = [slurred[i] for i in (0, 1, 3, 2, 4)]
    played = mono(*abutting, until=200)
    np.testing.assert_array_equal(played.pcm, mono(*slurred, until=200).pcm)
    assert 60 < course(played)[0][61] < 64 and np.isnan(course(played)[0][199])


@pytest.mark.parametrize("n_blocks", [5, 12, 30])
@pytest.mark.parametrize("gap", [0, 1])
def test_run_is_as_loud_with_small_gaps_as_with_overlaps(mono, n_blocks, gap):
    notes = (60, 62, 64, 65) * (40 // n_blocks + 2)
    overlapping = mono(*violin_run(n_blocks, -2, notes), until=600)
    detached = mono(*violin_run(n_blocks, gap, notes), until=600)
    reference = loudness_of_run(overlapping, n_blocks, len(notes))
    assert loudness_of_run(detached, n_blocks, len(notes)) == pytest.approx(reference, abs=1.5)


def test_repeated_note_that_abuts_is_heard_as_another_one(mono):
    played = mono(
        (0, program_change(1)), (1, on(60)), (90, off(60)), (90, on(60)), (180, off(60)), until=300
    )
    pitch, loudness = course(played)
    drift = 4 * TABLES["violin"].loudness_drift_db
    assert loudness[90] == pytest.approx(loudness[89] - 3, abs=1 + drift)
    assert loudness[170] == pytest.approx(loudness[80], abs=drift)
    assert attacks(played) == [1] and pitch[95] == pytest.approx(60, abs=0.3)


def test_instrument_that_does_not_slur_attacks_every_note(mono):
    played = mono((0, program_change(2)), (1, on(60)), (60, on(64)), until=120)
    pitch, loudness = course(played)
    assert pitch[61] == pytest.approx(64, abs=0.001)  # without a glide
    assert attacks(played) == [1, 61] and loudness[67] > loudness[59] + 0.5


def test_mono_player_forgets_the_oldest_of_seventeen_keys(mono):
    keys = range(40, 57)
    presses = [(10 * i, on(note)) for i, note in enumerate(keys)]
    lifts = [(200 + 10 * i, off(note)) for i, note in enumerate(reversed(keys))]
    played = mono(*presses, *lifts, until=600)
    pitch, loudness = course(played)
    assert pitch[345] == pytest.approx(41, abs=0.01)  # key 40 was forgotten
    assert loudness[358] < LEVEL_DB  # it is released with key 41


def test_poly_player_gives_every_key_a_voice(poly):
    played = poly((0, on(60)), (10, on(64)), (20, on(67)), (40, off(64)), until=100)
    assert sounding_at(played, 30) == [60, 64, 67, 0]
    assert course(played, 1)[1][60] < LEVEL_DB - 5
    np.testing.assert_allclose(course(played, 2)[1][20:100], LEVEL_DB, atol=0.01)


def test_new_note_steals_the_voice_released_first_or_else_the_quietest(poly):
    chord = [(0, on(60, 100)), (0, on(62, 60)), (0, on(64, 80)), (0, on(65, 90))]
    played = poly(
        *chord, (20, off(65)), (21, off(60)), (22, on(70)), (23, on(71)), (24, on(72)), (26, on(73))
    )
    assert sounding_at(played, 21) == [60, 62, 64, 65]
    assert sounding_at(played, 23)[3] == 70  # released first
    assert sounding_at(played, 24)[0] == 71  # released next
    assert sounding_at(played, 25) == [71, 72, 64, 70]  # the quietest
    assert sounding_at(played, 27) == [71, 72, 73, 70]
    assert played.report["n_stolen"] == 2


def test_repeated_key_reuses_its_voice(poly):
    played = poly((0, on(60)), (0, on(64)), (20, off(60)), (22, on(60)), (40, on(60)), until=80)
    assert sounding_at(played, 60) == [60, 64, 0, 0]
    assert attacks(played) == [0, 0, 23, 41]


def test_stolen_voice_fades_within_a_block_before_its_next_note(poly):
    notes = [(i, on(60 + i)) for i in range(5)]
    played = poly(*notes, until=60)
    assert attacks(played) == [0, 1, 2, 3, 5]
    assert sounding_at(played, 4) == [0, 61, 62, 63]
    assert sounding_at(played, 5) == [64, 61, 62, 63]


@pytest.mark.parametrize("program", range(3))
def test_soft_note_on_a_stolen_or_struck_voice_sounds_as_on_an_idle_one(poly, program):
    """The fade ends the loud note first, so that its loudness does not remain."""
    loud = [(0, program_change(program)), *((1, on(note)) for note in (60, 62, 64, 65))]
    drift_db = 8 * TABLES[PATCH_NAMES[program]].loudness_drift_db  # of two random courses
    for note in (60, 72):  # struck again, stolen
        played = poly(*loud, (100, on(note, 32)), until=200)
        alone = poly((0, program_change(program)), (101, on(note, 32)), until=200)
        begun = played.trace[played.trace["event"] == BEGUN][-1]
        voice = begun["voice"]
        assert begun["block"] == 101
        difference = course(played, voice)[1][101:200] - course(alone)[1][101:200]
        assert np.abs(difference).max() <= drift_db + 0.01
        np.testing.assert_allclose(course(played, voice)[0][101:105], note, atol=0.1)


def test_soft_note_after_a_loud_one_does_not_begin_with_its_loudness(mono):
    played = mono((0, on(60, 127)), (50, off(60)), (51, on(64, 32)), until=100)
    loudness = course(played)[1]
    assert attacks(played) == [0]  # it rises out of the release
    np.testing.assert_allclose(loudness[51:100], LEVEL_DB + 40 * np.log10(32 / 127), atol=0.01)
