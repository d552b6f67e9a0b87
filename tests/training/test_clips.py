"""How pieces of recordings fill clips."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.takes import make_take

from pipeline.audio.pcm import Pcm
from pipeline.core.constants import CLIP_FRAMES, CLIP_SAMPLES, CONTEXT_FRAMES, HOP_SAMPLES
from pipeline.training.clips import PAUSE_FRAMES, Placed, fill_clips, make_clip, place_audio
from pipeline.training.pieces import Piece


def make_piece(n_frames: int, *, has_onset: bool = True, name: str = "a.wav") -> Piece:
    """Makes a piece that begins 200 frames after the start of a recording."""
    take = make_take(np.full(200 + n_frames, -20.0), name=name, f0_hz=300 + n_frames % 97)
    return Piece(take, 200, 200 + n_frames, has_onset)


def fill(pieces: Sequence[Piece], seed: int = 0) -> list[list[Placed]]:
    return fill_clips(pieces, np.random.default_rng(seed))


def audio_of(placed: Sequence[Placed]) -> Pcm:
    clip = np.zeros(CLIP_SAMPLES, np.int16)
    for item in placed:
        place_audio(clip, item, item.piece.take.audio)
    return clip


def test_long_piece_fills_clips_one_after_the_other() -> None:
    clips = fill([make_piece(2300)])
    assert [(p.piece.first, p.piece.last, p.at) for (p,) in clips] == [
        (200, 1200, 0),
        (1200, 2200, 0),
        (2200, 2500, 0),
    ]
    first, second, third = map(make_clip, clips)
    assert not (first.is_joined or second.is_joined or third.is_joined)
    assert (second.context.loudness_db == -20).all()  # it begins within the sound
    assert third.n_valid_frames == 300
    assert third.sounding[:300].all() and not third.sounding[300:].any()
    assert (third.features.loudness_db[300:] == -80).all()
    assert len(np.unique(third.features.f0_hz)) == 1  # held through the padding
    assert not audio_of(clips[2])[300 * HOP_SAMPLES :].any()


def test_short_notes_are_joined_with_pauses_of_silence() -> None:
    pieces = [make_piece(150, name=f"{i}.wav") for i in range(4)]
    (placed,) = fill(pieces)
    clip, audio = make_clip(placed), audio_of(placed)
    assert clip.is_joined and {p.piece.take.recording.name for p in placed} == {
        f"pack/{i}.wav" for i in range(4)
    }
    assert np.count_nonzero(clip.sounding) == 600
    for before, after in pairwise(placed):
        gap = slice(before.at + 150, after.at)
        assert PAUSE_FRAMES[0] <= after.at - before.at - 150 <= PAUSE_FRAMES[1]
        assert not clip.sounding[gap].any()
        assert (clip.features.loudness_db[gap] == -80).all()
        assert not clip.features.confidence[gap].any()
        assert (clip.features.f0_hz[gap] == clip.features.f0_hz[before.at + 149]).all()
        assert not audio[gap.start * HOP_SAMPLES : gap.stop * HOP_SAMPLES].any()
    # The samples of a frame are its number in the recording, counted from 1.
    at = placed[1].at
    assert (audio[at * HOP_SAMPLES : (at + 1) * HOP_SAMPLES] == 201).all()


def test_order_of_notes_is_drawn_from_the_seed() -> None:
    pieces = [make_piece(100 + i) for i in range(40)]

    def order(seed: int) -> list[int]:
        return [len(p.piece) for clip in fill(pieces, seed) for p in clip]

    assert order(1) == order(1) != order(2)
    assert order(1) != sorted(order(1))


def test_rest_of_a_long_piece_begins_a_clip_and_notes_follow() -> None:
    clips = fill([make_piece(150), make_piece(1400), make_piece(160)])
    assert [len(placed) for placed in clips] == [1, 3]
    rest = clips[1][0]
    assert (rest.at, rest.piece.first, rest.piece.has_onset) == (0, 1200, False)
    assert all(placed.piece.has_onset for placed in clips[1][1:])


def test_rests_among_rests_are_led_in_by_their_own_past() -> None:
    placed, *others = fill([make_piece(n, has_onset=False) for n in (300, 310, 320)])
    ((last,),) = others  # no room for it and its past
    assert (last.at, len(last.piece)) == (0, 320)
    clip, second = make_clip(placed), placed[1]
    assert second.lead == CONTEXT_FRAMES
    lead = slice(second.at - CONTEXT_FRAMES, second.at)
    assert not clip.sounding[lead].any()
    np.testing.assert_array_equal(clip.features.loudness_db[lead], second.piece.past().loudness_db)
    assert (clip.features.f0_hz[lead] == clip.features.f0_hz[second.at]).all()
    assert not audio_of(placed)[lead.start * HOP_SAMPLES : lead.stop * HOP_SAMPLES].any()


def test_note_that_does_not_fit_is_cut_and_continued_in_the_next_clip() -> None:
    clips = fill([make_piece(700), make_piece(800)])
    (head, cut), (rest,) = clips
    assert cut.at + len(cut.piece) == CLIP_FRAMES
    assert cut.piece.has_onset and not rest.piece.has_onset
    assert rest.piece.first == cut.piece.last and rest.at == 0
    assert len(head.piece) + len(cut.piece) + len(rest.piece) == 1500


@settings(deadline=None, max_examples=100)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 2500), st.booleans()), min_size=1, max_size=30),
    seed=st.integers(0, 100),
)
def test_every_frame_of_every_piece_is_in_exactly_one_clip(
    lengths: list[tuple[int, bool]], seed: int
) -> None:
    pieces = [
        make_piece(n, has_onset=onset, name=f"{i}.wav") for i, (n, onset) in enumerate(lengths)
    ]
    counts = {p.take.recording.name: np.zeros(len(p), int) for p in pieces}
    clips = fill(pieces, seed)
    for placed in clips:
        assert placed[0].at == 0
        end = 0
        for item in placed:
            assert item.at == end + item.lead
            end = item.at + len(item.piece)
            piece = item.piece
            counts[piece.take.recording.name][piece.first - 200 : piece.last - 200] += 1
        assert end <= CLIP_FRAMES
    assert all((count == 1).all() for count in counts.values())
    assert all((np.diff([p.at for p in placed]) > 0).all() for placed in clips)


def test_incomplete_last_frame_of_a_recording_ends_with_zeros() -> None:
    take = make_take(np.full(10, -20.0))
    cut = replace(take, stored=take.audio[:-40])
    audio = audio_of([Placed(Piece(cut, 8, 10, has_onset=True), at=5, lead=0)])[5 * HOP_SAMPLES :]
    assert audio[63] == 9 and audio[87] == 10 and not audio[88:].any()
