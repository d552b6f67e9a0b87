"""Which notes of a MIDI file are played, and how those without an end are ended."""

from itertools import pairwise

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.midi_files import control, midi_bytes, note, write_tracks

from pipeline.audio.pitch import note_to_hz
from pipeline.core.constants import MAX_F0_HZ, MIN_F0_HZ
from pipeline.core.errors import UserError
from pipeline.target.midi_score import (
    HIGHEST_NOTE,
    LOWEST_NOTE,
    list_parts,
    load_piece,
)
from pipeline.target.player import Score

PROGRAM = mido.Message("program_change", program=73)


def named(name: str) -> mido.MetaMessage:
    return mido.MetaMessage("track_name", name=name)


@pytest.fixture
def band(tmp_path):
    """A tempo track, a melody, a bass with its controllers in the tempo track, and drums."""
    conductor = [mido.MetaMessage("set_tempo", tempo=500_000), control(7, 90, channel=2)]
    melody = [named("Melody"), PROGRAM, control(7, 110), *note(72, 400), *note(76, 400)]
    bass = [named("Bass"), *note(40, 800, channel=2)]
    drums = [item for _ in range(4) for item in note(36, 200, channel=10)]
    return write_tracks(tmp_path / "band.mid", conductor, melody, bass, drums)


def notes(score: Score) -> list[tuple[int, int]]:
    """Returns channel and note of the note-ons."""
    return [(1 + (m[0] & 15), m[1]) for _, m in score if m[0] & 0xF0 == 0x90]


def test_parts_are_counted_as_musicians_do(band):
    assert list(map(str, list_parts(band))) == [
        'track 1 "Melody" (channel 1, Flute, 2 notes, C5 to E5)',
        'track 2 "Bass" (channel 2, 1 note, E2)',
        "track 3 (channel 10, drums, 4 notes, C2)",
    ]


def test_drums_are_left_out_and_the_rest_is_one_part(band):
    piece = load_piece(band)
    assert notes(piece.score) == [(1, 72), (2, 40), (1, 76)]
    assert piece.remarks() == [
        "2 channels are played as one part: --list shows them, --channel and --track choose",
        "not played: 4 notes of drums on channel 10; --channel 10 plays them",
    ]


@pytest.mark.parametrize(
    ("channels", "tracks", "expected", "remarks"),
    [
        ([1], [], [(1, 72), (1, 76)], 0),
        ([10], [], [(10, 36)] * 4, 0),
        ([], [2], [(2, 40)], 0),
        ([2, 10], [2], [(2, 40)], 0),
        ([], [1, 3], [(1, 72), (1, 76)], 1),  # the drums of track 3 are not asked for
        ([1, 10], [], [(1, 72), (10, 36), (10, 36), (1, 76), (10, 36), (10, 36)], 1),
    ],
)
def test_channels_and_tracks_choose(band, channels, tracks, expected, remarks):
    piece = load_piece(band, channels=channels, tracks=tracks)
    assert notes(piece.score) == expected
    assert len(piece.remarks()) == remarks


def test_controllers_of_a_channel_act_from_any_track(band):
    score = load_piece(band, tracks=[2]).score
    assert score == [(0, b"\xb1\x07\x5a"), (0, b"\x91\x28\x64"), (200, b"\x81\x28\x40")]


def test_programs_and_system_messages_are_left_out(tmp_path):
    sysex = mido.Message("sysex", data=[1, 2, 3])
    path = write_tracks(tmp_path / "tune.mid", [sysex, PROGRAM, *note(60, 100, rest=8)])
    assert load_piece(path).score == [(2, b"\x90\x3c\x64"), (27, b"\x80\x3c\x40")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [3]}, " has no notes on channel 3: --list alone shows what it holds"),
        ({"tracks": [4]}, " has no notes on track 4: --list alone shows what it holds"),
        (
            {"channels": [1], "tracks": [2]},
            " has no notes on these channels in these tracks: --list alone shows what it holds",
        ),
    ],
)
def test_part_that_is_not_there_is_refused(band, options, message):
    for read in (load_piece, list_parts):
        with pytest.raises(UserError, match=rf"band\.mid{message}$"):
            read(band, **options)


def test_drums_alone_are_listed_but_not_played(band, tmp_path):
    assert [part.channel for part in list_parts(band, tracks=[3])] == [10]
    with pytest.raises(UserError, match=r"band\.mid: track 3 has only drums: add --channel 10$"):
        load_piece(band, tracks=[3])
    drums = write_tracks(tmp_path / "drums.mid", note(36, 200, channel=10))
    with pytest.raises(UserError, match=r"drums\.mid has only drums: add --channel 10$"):
        load_piece(drums)


def test_parts_are_selected_for_the_list(band):
    assert [part.track for part in list_parts(band, channels=[2, 10])] == [2, 3]
    assert [part.track for part in list_parts(band, channels=[2, 10], tracks=[1, 2])] == [2]


@pytest.mark.parametrize("number", [120, 123, 124, 125])
def test_all_notes_off_ends_the_notes_of_its_own_track(tmp_path, number):
    """Both tracks play on channel 1; the third one, which holds no notes, acts on all of it."""
    tune = [*note(60, 500), *note(62, 500)]
    other = [*note(48, 100), control(number, 0)]
    path = write_tracks(tmp_path / "tune.mid", tune, other, [control(number, 0, rest=300)])
    alone = load_piece(write_tracks(tmp_path / "alone.mid", tune, [control(number, 0, rest=300)]))
    assert load_piece(path, tracks=[1]).score == alone.score
    ends = [block for block, message in load_piece(path).score if message[0] == 0xB0]
    assert ends == [25, 75]


def test_note_off_ends_a_note_of_another_track(tmp_path):
    on, off = note(60, 250)
    path = write_tracks(tmp_path / "tune.mid", [on], [off.copy(time=250)])
    for tracks in ([], [1]):
        piece = load_piece(path, tracks=tracks)
        assert [message[0] for _, message in piece.score] == [0x90, 0x80] and not piece.remarks()


def test_note_off_ends_no_note_of_a_part_that_is_not_chosen(tmp_path):
    """Both tracks play the same key of the same channel, the second for a shorter time."""
    path = write_tracks(tmp_path / "tune.mid", note(60, 500), note(60, 100))
    assert [block for block, _ in load_piece(path, tracks=[1]).score] == [0, 125]
    assert [block for block, _ in load_piece(path, tracks=[2]).score] == [0, 25]


def encoded(*events: tuple[int, bytes]) -> bytes:
    """Returns a track of messages, each at its tick."""
    times = [0, *(tick for tick, _ in events)]
    deltas = [after - before for before, after in pairwise(times)]
    messages = [message for _, message in events]
    return b"".join(
        bytes([0x80 | delta >> 7, delta & 127]) + message
        for delta, message in zip([*deltas, 0], [*messages, b"\xff\x2f\0"], strict=True)
    )


ON, OFF, NOTES_OFF = b"\x90\x3c\x64", b"\x80\x3c\x40", b"\xb0\x7b\0"


@pytest.mark.parametrize(
    "other",
    [
        [(0, ON), (100, ON), (200, OFF), (300, OFF)],
        [(0, ON), (200, NOTES_OFF), (300, OFF)],
        [(0, ON), (200, OFF), (300, OFF)],
    ],
)
def test_note_off_too_many_ends_no_note_of_another_track(tmp_path, other):
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_bytes(encoded(*other), encoded((150, ON), (900, OFF))))
    assert load_piece(path, tracks=[2]).score == [(37, ON), (225, OFF)]


FAR_OFF = b"\x80\x3e\x40"


@pytest.mark.parametrize(
    "other",
    [
        [(0, b"\x90\x3e\x64"), (100, FAR_OFF), (200, OFF)],
        [(0, ON), (100, OFF), (200, OFF)],
        [(0, ON), (100, ON), (120, OFF), (140, b"\x90\x3c\0"), (200, OFF)],
        [(0, ON), (150, NOTES_OFF), (160, OFF), (200, OFF)],
        [(200, OFF), (300, ON), (400, OFF)],
    ],
)
def test_note_off_too_many_ends_a_note_that_has_none_in_its_own_track(tmp_path, other):
    """The other track has notes itself, on the same key or on another one."""
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_bytes(encoded(*other), encoded((50, ON))))
    piece = load_piece(path, tracks=[2])
    assert piece.score == [(12, ON), (50, OFF)] and not piece.remarks()


def test_note_off_of_no_part_ends_the_note_that_has_none_before_an_older_one(tmp_path):
    path = tmp_path / "tune.mid"
    tracks = [encoded((0, ON), (400, OFF)), encoded((100, ON)), encoded((200, OFF))]
    path.write_bytes(midi_bytes(*tracks))
    assert load_piece(path, tracks=[1]).score == [(0, ON), (100, OFF)]
    assert load_piece(path, tracks=[2]).score == [(25, ON), (50, OFF)]


def test_note_off_of_a_note_of_the_same_key_leaves_one_without_an_end(tmp_path):
    """The note of track 2 has no note-off anywhere, because the only one is that of track 1."""
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_bytes(encoded((0, ON), (200, OFF)), encoded((50, ON), (300, FAR_OFF))))
    assert load_piece(path, tracks=[1]).score == [(0, ON), (50, OFF)]
    assert load_piece(path, tracks=[2]).unended == [(12, 1, 60)]


@pytest.mark.parametrize("number", [126, 127])
def test_note_off_ends_no_note_that_a_change_of_mode_has_ended(tmp_path, number):
    """The note-offs are in a track without notes; the first note has no other end than the mode."""
    end = encoded((100, bytes([0xB0, number, 0])), (200, OFF))
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_bytes(encoded((0, ON)), encoded((150, ON)), end))
    assert load_piece(path, tracks=[2]).score[-2:] == [(37, ON), (50, OFF)]


@st.composite
def tracks_with_notes(draw) -> bytes:
    """Draws notes of a few keys that overlap, are struck twice, or end twice or never."""
    tick = st.integers(0, 400)
    key = st.sampled_from([60, 62])
    ons = draw(st.lists(st.tuples(tick, key), min_size=1, max_size=6))
    offs = draw(st.lists(st.tuples(tick, key), max_size=6))
    ends = draw(st.lists(tick, max_size=1))
    events = [(at, bytes([0x90, pitch, 100])) for at, pitch in ons]
    events += [(at, bytes([0x80, pitch, 64])) for at, pitch in offs]
    events += [(at, NOTES_OFF) for at in ends]
    return encoded(*sorted(events))


def spans(score: Score) -> list[tuple[int, int, int]]:
    """Returns key, onset and end in blocks of each note, in the order of their ends."""
    down: dict[int, int] = {}
    found = []
    for block, (status, key, value) in score:
        is_strike = status == ON[0] and value > 0
        ended = sorted(down) if status == NOTES_OFF[0] else [key] if key in down else []
        found += [(each, down.pop(each), block) for each in ended]
        if is_strike:
            down[key] = block
    assert not down
    return found


@given(st.lists(tracks_with_notes(), min_size=2, max_size=3))
def test_track_whose_notes_end_sounds_as_it_does_alone(tmp_path_factory, tracks):
    folder = tmp_path_factory.mktemp("tracks")
    path, alone = folder / "tune.mid", folder / "alone.mid"
    path.write_bytes(midi_bytes(*tracks))
    for number, track in enumerate(tracks, 1):
        alone.write_bytes(midi_bytes(track))
        piece = load_piece(alone)
        if not piece.unended:
            assert spans(load_piece(path, tracks=[number]).score) == spans(piece.score)


def test_notes_that_the_firmware_cannot_play_are_left_out(tmp_path):
    assert note_to_hz(LOWEST_NOTE - 1) < MIN_F0_HZ <= note_to_hz(LOWEST_NOTE)
    assert note_to_hz(HIGHEST_NOTE) <= MAX_F0_HZ < note_to_hz(HIGHEST_NOTE + 1)
    wide = [item for pitch in (15, 16, 107, 108, 127) for item in note(pitch, 100)]
    piece = load_piece(write_tracks(tmp_path / "wide.mid", wide))
    assert piece.notes == [pitch for _, pitch in notes(piece.score)] == [16, 107]
    assert len(piece.score) == 4
    assert piece.remarks() == [
        "not played: 3 notes below E0 or above B7, which the firmware does not reach"
    ]
    high = write_tracks(tmp_path / "high.mid", note(120, 100))
    with pytest.raises(UserError, match="holds no note from E0 to B7: transpose it"):
        load_piece(high)


def test_notes_without_an_end_are_released_after_the_last_message(tmp_path):
    hanging = mido.Message("note_on", note=64, velocity=90, time=500, channel=4)
    path = write_tracks(tmp_path / "tune.mid", [*note(60, 100), hanging], note(67, 1000))
    piece = load_piece(path)
    assert piece.score[-3:] == [
        (750, b"\xb4\x40\x00"),
        (750, b"\xb4\x42\x00"),
        (750, b"\xb4\x7b\x00"),
    ]
    assert piece.remarks()[1:] == [
        "no note-off: 1 note, first E4 on channel 5 at 0.60 s; released 2 s after the last message"
    ]


@pytest.mark.parametrize(
    ("after", "remark"),
    [
        ([], "a pedal is never lifted: its notes are released 2 s after the last"),
        ([control(64, 0)], None),
        ([control(121, 0)], None),
        ([control(120, 0)], None),
    ],
)
def test_pedal_that_is_never_lifted_is_lifted(tmp_path, after, remark):
    path = write_tracks(tmp_path / "tune.mid", [control(64, 127), *note(60, 100), *after])
    piece = load_piece(path)
    if remark is None:
        assert not piece.remarks() and piece.score[-1][0] == 25
    else:
        assert piece.remarks()[0].startswith(remark)
        assert piece.score[-3:] == [
            (525, b"\xb0\x40\x00"),
            (525, b"\xb0\x42\x00"),
            (525, b"\xb0\x7b\x00"),
        ]


def test_sostenuto_holds_only_what_was_down(tmp_path):
    press = control(66, 127, rest=50)
    caught = [note(60, 100)[0], press, note(60, 100)[1], *note(64, 100)]
    piece = load_piece(write_tracks(tmp_path / "tune.mid", caught))
    assert piece.is_pedal_left and not piece.unended
    lifted = load_piece(write_tracks(tmp_path / "up.mid", [*caught, control(66, 0)]))
    assert not lifted.remarks()
    late = load_piece(write_tracks(tmp_path / "late.mid", [press, *note(60, 100)]))
    assert not late.remarks()


def test_pedal_that_holds_nothing_at_the_end_is_not_mentioned(tmp_path):
    after = [*note(60, 100), control(64, 127)]
    piece = load_piece(write_tracks(tmp_path / "tune.mid", after))
    assert not piece.remarks() and piece.score[-1] == (25, b"\xb0\x40\x7f")


def test_all_notes_off_ends_what_the_pedal_does_not_hold(tmp_path):
    on = mido.Message("note_on", note=60, velocity=90)
    without = load_piece(write_tracks(tmp_path / "a.mid", [on, control(123, 0, rest=100)]))
    assert not without.remarks() and len(without.score) == 2
    pedalled = [control(64, 127), on, control(123, 0, rest=100)]
    held = load_piece(write_tracks(tmp_path / "b.mid", pedalled))
    assert held.is_pedal_left and not held.unended


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (midi_bytes(b"\0\xff\x2f\0"), "holds no note: export the part"),
        (midi_bytes(b"\0\x90\x3c\0\0\xff\x2f\0"), "holds no note: export the part"),
        (midi_bytes(b"\0\x90\x3c\x40\x82\xff\xff\x7f\x80\x3c\0"), "lasts over 3600 s: cut it"),
    ],
)
def test_file_without_notes_or_over_an_hour_is_refused(tmp_path, content, message):
    (tmp_path / "tune.mid").write_bytes(content)
    with pytest.raises(UserError, match=rf"tune\.mid {message}"):
        load_piece(tmp_path / "tune.mid")
