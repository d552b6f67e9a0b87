"""What is read from Standard MIDI Files, when it sounds, and what is refused."""

from fractions import Fraction

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.midi_files import midi_bytes, note, write_tracks

from pipeline.audio.midi_files import read_events
from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError

ON = b"\x90\x3c\x64"
END = b"\0\xff\x2f\0"


def blocks(path, content: bytes) -> list[int]:
    path.write_bytes(content)
    return [event.block for event in read_events(path)[0]]


def delta(ticks: int) -> bytes:
    """Encodes a time of up to four bytes."""
    groups = [ticks >> 21, ticks >> 14 & 127, ticks >> 7 & 127, ticks & 127]
    return bytes([0x80 | group for group in groups[:3]] + groups[3:])


@pytest.mark.parametrize(
    ("frames", "ticks", "seconds"),
    [
        (24, 4, 1 / 96),
        (25, 40, 1 / 1000),
        (29, 100, 1001 / 3_000_000),
        (30, 80, 1 / 2400),
    ],
)
def test_video_frames_count_real_time_whatever_the_tempo(tmp_path, frames, ticks, seconds):
    division = -frames << 8 | ticks
    tempo = b"\0\xff\x51\x03\x01\0\0"  # a seventh of the usual one
    track = tempo + b"".join(delta(n) + ON for n in (0, 1000, 5000, 300_000)) + END
    expected = [
        int(Fraction(n) * Fraction(seconds).limit_denominator(10**7) * FRAME_RATE)
        for n in (0, 1000, 6000, 306_000)
    ]
    assert blocks(tmp_path / "film.mid", midi_bytes(track, division=division)) == expected


def test_hour_of_thirds_of_a_block_ends_in_the_right_block(tmp_path):
    """Sums of floats would be a block early or late."""
    track = b"".join(delta(1) + b"\xb0\x07\x64" for _ in range(3000)) + delta(897_000) + ON + END
    found = blocks(tmp_path / "long.mid", midi_bytes(track, division=375))  # 750 ticks per second
    assert found == [tick * FRAME_RATE // 750 for tick in [*range(1, 3001), 900_000]]


def test_tempo_of_one_track_moves_the_notes_of_another(tmp_path):
    tempo = [
        mido.MetaMessage("set_tempo", tempo=t, time=n) for t, n in ((250_000, 0), (10**6, 200))
    ]
    path = write_tracks(tmp_path / "tune.mid", tempo, note(60, 300, rest=100))
    assert [event.block for event in read_events(path)[0]] == [12, 125]  # 0.05 s; 0.1 + 0.4 s


def test_names_of_tracks_are_readable_in_any_encoding(tmp_path):
    names = [b"Fl\xc3\xb6te", b"Fl\xf6te", b" a\0b\n", b""]
    tracks = [b"\0\xff\x03" + bytes([len(name)]) + name + END for name in names]
    (tmp_path / "tune.mid").write_bytes(midi_bytes(*tracks))
    assert read_events(tmp_path / "tune.mid")[1] == ["Flöte", "Flöte", "a b", ""]


@pytest.mark.parametrize(
    "meta",
    [
        b"\xff\x59\x02\xf7\0",  # a key of nine flats
        b"\xff\x21\0",  # a port without a number
        b"\xff\x51\x02\x01\0",  # a tempo of two bytes
        b"\xff\x51\x03\0\0\0",  # a tempo of no time
        b"\xff\x60\x03abc",  # a kind that nobody knows
        b"\xf0\x03\x01\x02\xf7",
        b"\xf7\x02\xf3\x01",
        b"\x90\x3e\x64",
    ],
)
def test_what_stands_between_notes_takes_its_time(tmp_path, meta):
    track = b"\0" + ON + delta(400) + meta + delta(400) + ON + END
    found = blocks(tmp_path / "tune.mid", midi_bytes(track))
    assert (found[0], found[-1]) == (0, 200)


def test_running_status_lasts_until_the_next_status(tmp_path):
    track = b"\0\x90\x3c\x64\0\x3e\xff\0\xc1\x05\0\x06\0\x80\x3c\0" + END
    (tmp_path / "tune.mid").write_bytes(midi_bytes(track))
    assert [event.message for event in read_events(tmp_path / "tune.mid")[0]] == [
        *(b"\x90\x3c\x64", b"\x90\x3e\x7f", b"\xc1\x05", b"\xc1\x06", b"\x80\x3c\x00")
    ]


def test_chunks_of_other_kinds_and_what_follows_the_tracks_are_passed_over(tmp_path):
    content = midi_bytes(b"\0" + ON + END, n_tracks=5)
    alien = content[:14] + b"XFIH\0\0\0\x02ab" + content[14:] + b"\0\0\n"
    assert blocks(tmp_path / "tune.mid", alien) == [0]
    after_end = midi_bytes(b"\0" + ON + END + b"garbage")
    assert blocks(tmp_path / "tune.mid", after_end) == [0]


def test_mido_reads_the_same_messages(tmp_path):
    messages = [
        mido.Message("note_on", note=60, velocity=1, time=0),
        mido.Message("pitchwheel", pitch=-5, time=16_384),
        mido.Message("aftertouch", value=9, channel=15, time=128),
        mido.Message("polytouch", note=1, value=9, time=127),
        mido.Message("control_change", control=7, value=8, time=2_097_152),
        mido.Message("program_change", program=12, time=1),
    ]
    path = write_tracks(tmp_path / "tune.mid", messages)
    now = np.cumsum([message.time for message in messages])
    assert [(event.block, event.message) for event in read_events(path)[0]] == [
        (tick // 4, bytes(message.bytes())) for tick, message in zip(now, messages, strict=True)
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it ends too early"),
        (b"RIFF1234WAVE", "it does not begin with MThd"),
        (midi_bytes(b"\0" + ON + END)[:20], "it holds no track"),
        (midi_bytes(b"\0" + ON + END)[:13], "it ends too early"),
        (midi_bytes(b"\0" + ON + END)[:-3], "it ends in the middle of a track"),
        (midi_bytes(b"\0" + ON + b"\0\x3c") + b"12345678", "a message is longer than its track"),
        (midi_bytes(b"\0" + ON + b"\0\x3c"), "it ends too early"),
        (midi_bytes(b"\0\xff\x01\x05" + END), "it ends too early"),
        (midi_bytes(b"\xff\xff\xff\xff\x7f" + ON + END), "a number has more than four bytes"),
        (midi_bytes(b"\0\x3c\x64" + END), "bytes that are no message"),
        (midi_bytes(b"\0\xf5" + END), "bytes that are no message"),
        (midi_bytes(b"\0" + ON + END, division=0), "its time division is 0x0000"),
        (midi_bytes(b"\0" + ON + END, division=-26 << 8 | 4), "its time division is 0xe604"),
        (midi_bytes(b"\0" + ON + END, division=-25 << 8), "its time division is 0xe700"),
        (midi_bytes(b"\0" + ON + END, kind=2), "independent songs, format 2"),
        (midi_bytes(b"\0" + ON + END, kind=7), "independent songs, format 7"),
    ],
)
def test_damaged_file_is_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "tune.mid"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"tune\.mid is not a MIDI file .*{message}") as refusal:
        read_events(path)
    assert "\n" not in str(refusal.value)


def test_file_that_is_missing_or_must_not_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.mid is missing: give a Standard MIDI File"):
        read_events(tmp_path / "none.mid")
    with pytest.raises(UserError, match="is a folder: give a Standard MIDI File"):
        read_events(tmp_path)


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 200), value=st.integers(0, 255), seed=st.integers(0, 7))
def test_altered_byte_is_read_or_refused(tmp_path_factory, position, value, seed):
    rng = np.random.default_rng(seed)
    tracks = [
        b"".join(b"\x10" + bytes([0x90, *rng.integers(0, 128, 2).tolist()]) for _ in range(20))
        + END
        for _ in range(2)
    ]
    content = bytearray(midi_bytes(*tracks))
    content[position % len(content)] = value
    path = tmp_path_factory.mktemp("altered") / "tune.mid"
    path.write_bytes(content)
    try:
        events, _ = read_events(path)
    except UserError as error:
        assert "tune.mid" in str(error)
    else:
        assert all(event.block >= 0 and len(event.message) <= 3 for event in events)
