"""Which parts of a recording training learns from."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.takes import make_take

from pipeline.audio.features import Features
from pipeline.core.constants import CLIP_FRAMES, CONTEXT_FRAMES
from pipeline.core.instrument_config import load_instrument
from pipeline.training.pieces import LEAD_FRAMES, Piece, cut_pieces, find_stretches

CONFIG = load_instrument("flute").data


def spans(pieces: list[Piece]) -> list[tuple[int, int, bool]]:
    return [(piece.first, piece.last, piece.has_onset) for piece in pieces]


def test_stretches_end_exactly_at_the_silences() -> None:
    loudness_db = np.full(4000, -70.0)
    loudness_db[100:1200] = -20
    loudness_db[1300:1400] = -30  # after a pause of 100 frames, 0.4 s: no split
    loudness_db[1526:3000] = -59.9  # after 126 frames: a split; the level is still within 40 dB
    one = np.ones(4000, np.float32)
    features = Features(f0_hz=440 * one, loudness_db=loudness_db.astype("f4"), confidence=one)
    assert find_stretches(features, CONFIG) == [(100, 1400), (1526, 3000)]


def test_rise_and_fade_of_a_note_are_kept() -> None:
    loudness_db = np.full(400, -79.0)
    loudness_db[100:200] = -20
    loudness_db[200:260] = np.linspace(-61, -76, 60)  # fades below the silence threshold
    (piece,) = cut_pieces(make_take(loudness_db), CONFIG)
    assert piece.has_onset
    assert piece.first == 100 - LEAD_FRAMES
    assert piece.last == 260  # -76 dB is the first frame within 3 dB of the floor


def test_digital_silence_after_a_note_is_not_kept() -> None:
    loudness_db = np.full(400, -80.0)
    loudness_db[0:100] = -20
    assert spans(cut_pieces(make_take(loudness_db), CONFIG)) == [(0, 101, True)]


def test_fade_is_no_longer_than_a_pause_and_leaves_the_next_onset_alone() -> None:
    loudness_db = np.full(1000, -61.0)
    loudness_db[:300] = -20
    loudness_db[300:] -= np.arange(700) * 0.1  # a slow fade
    loudness_db[480:600] = -20
    first, second = cut_pieces(make_take(loudness_db), CONFIG)
    assert (first.last, second.first) == (300 + 125, 480 - LEAD_FRAMES)
    loudness_db[430:480] = -20  # the fade is not over yet
    first, second = cut_pieces(make_take(loudness_db), CONFIG)
    assert 300 < first.last <= second.first == 430 - LEAD_FRAMES


def test_recording_that_begins_within_a_note_pretends_no_onset() -> None:
    within = make_take(np.full(300, -20.0), edge=0.1, f0_hz=330)
    (piece,) = cut_pieces(within, CONFIG)
    assert not piece.has_onset
    past = piece.past()
    assert (past.f0_hz == 330).all() and (past.loudness_db == -20).all()
    rising = make_take(np.full(300, -20.0), f0_hz=330)
    (piece,) = cut_pieces(rising, CONFIG)
    assert piece.has_onset
    assert (piece.past().f0_hz == 440).all() and (piece.past().loudness_db == -80).all()


def test_past_of_a_piece_is_what_the_recording_has_before_it() -> None:
    loudness_db = np.linspace(-30, -20, 500)
    take = make_take(loudness_db)
    past = Piece(take, 300, 400, has_onset=False).past()
    np.testing.assert_array_equal(past.loudness_db, take.features.loudness_db[176:300])
    short = Piece(take, 100, 400, has_onset=False).past()
    assert len(short.f0_hz) == CONTEXT_FRAMES
    assert (short.loudness_db[:24] == -80).all()
    np.testing.assert_array_equal(short.loudness_db[24:], take.features.loudness_db[:100])


def test_unclear_note_is_dropped_and_its_neighbours_stay() -> None:
    loudness_db = np.full(1500, -80.0)
    confidence = np.ones(1500)
    for start in (100, 600, 1100):
        loudness_db[start : start + 200] = -20
    confidence[600:800] = 0.5
    pieces = cut_pieces(make_take(loudness_db, confidence=confidence), CONFIG)
    assert spans(pieces) == [(75, 301, True), (1075, 1301, True)]


def test_clear_part_of_an_unclear_stretch_is_kept_with_its_past() -> None:
    confidence = np.full(900, 0.3)
    confidence[500:700] = 0.95
    confidence[600:610] = 0.4  # a short gap is bridged
    (piece,) = cut_pieces(make_take(np.full(900, -20.0), confidence=confidence), CONFIG)
    assert spans([piece]) == [(500, 700, False)]
    assert (piece.past().loudness_db == -20).all()


def test_unclear_four_seconds_of_a_long_stretch_are_cut_out() -> None:
    confidence = np.ones(5000)
    confidence[2000:3000] = 0.2
    pieces = cut_pieces(make_take(np.full(5000, -20.0), confidence=confidence), CONFIG)
    assert spans(pieces) == [(0, 2000, True), (3000, 5000, False)]


@settings(deadline=None, max_examples=60)
@given(
    levels=st.lists(st.sampled_from([-80, -65, -50, -30, -20]), min_size=1, max_size=30),
    clear=st.lists(st.sampled_from([0.0, 0.7, 0.9, 1.0]), min_size=30, max_size=30),
    run=st.integers(30, 150),
)
def test_no_run_of_clear_sound_is_lost_and_no_frame_is_used_twice(
    levels: list[int], clear: list[float], run: int
) -> None:
    loudness_db = np.repeat(np.array(levels, float), run)
    confidence = np.repeat(clear[: len(levels)], run)
    take = make_take(loudness_db, confidence=confidence)
    used = np.zeros(len(loudness_db), int)
    for piece in cut_pieces(take, CONFIG):
        used[piece.first : piece.last] += 1
    audible = loudness_db >= loudness_db.max() - CONFIG.silence_db
    assert used.max(initial=0) <= 1
    assert used[audible & (confidence >= CONFIG.confidence_threshold)].all()


def test_splitting_a_piece_keeps_its_frames_and_one_onset() -> None:
    piece = Piece(make_take(np.full(2500, -20.0)), 100, 2400, has_onset=True)
    head, rest = piece.split(CLIP_FRAMES)
    assert rest is not None
    assert spans([head, rest]) == [(100, 1100, True), (1100, 2400, False)]
    assert replace(piece, last=1100) == head
    assert head.split(CLIP_FRAMES) == (head, None)
