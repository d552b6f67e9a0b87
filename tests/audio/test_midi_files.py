"""What is read from Standard MIDI Files, when it sounds, and what is refused."""

from fractions import Fraction

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.midi_files import midi_bytes, note, write_tracks

from pipeline.audio.midi_files import read_events, read_midi
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


KEY_OF_NINE_FLATS = b"\0\xff\x59\x02\xf7\0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it ends too early"),
        (b"RIFF1234WAVE", "MThd not found"),
        (midi_bytes(b"\0" + ON + END)[:20], "it ends too early"),
        (midi_bytes(b"\0" + ON + END)[:-3], "it ends too early"),
        (midi_bytes(b"\0" + ON + END, n_tracks=2), "it ends too early"),
        (midi_bytes(b"\0\x3c\x64" + END), "running status"),
        (midi_bytes(b"\0\xf5" + END), "undefined status byte 0xf5"),
        (midi_bytes(KEY_OF_NINE_FLATS + b"\0" + ON + END), "key"),
        (midi_bytes(b"\0\xff\x51\x01\x07" + END), "index out of range"),
        (midi_bytes(b"\0" + ON + END, division=0), "its time division is 0"),
        (midi_bytes(b"\0" + ON + END, division=-26 << 8 | 4), "its time division is -6652"),
        (midi_bytes(b"\0" + ON + END, division=-25 << 8), "its time division is -6400"),
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
        read_midi(tmp_path / "none.mid")
    with pytest.raises(UserError, match="is missing"):
        read_midi(tmp_path)


@settings(max_examples=60, deadline=None)
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
