"""The page reads MIDI files as the pipeline does; its reader runs in Node.js."""

import random
import re

import mido
import pytest
from support.midi_files import control, midi_bytes, note, write_tracks
from support.web_page import arrange

from pipeline.core.errors import UserError
from pipeline.target.midi_score import load_piece

pytestmark = pytest.mark.firmware

ON = b"\0\x90\x3c\x64"
END = b"\0\xff\x2f\0"
FILM = -29 << 8 | 80
CHANNELS = (0, 1, 9)
CONTROLS = [1, 7, 64, 64, 66, 66, 120, 121, 123, 124, 126, 127]


def random_track(seed: int) -> bytes:
    """Returns messages on three channels, some notes without an end, tempo changes and pedals."""
    draw = random.Random(seed)
    track = bytearray()
    for _ in range(150):
        track += bytes([0x80 | draw.randrange(4), draw.randrange(128)])
        channel, first, second = draw.choice(CHANNELS), draw.randrange(128), draw.randrange(128)
        track += draw.choice(
            [bytes([0x90 | channel, first, second])] * 6
            + [bytes([0x80 | channel, first, second])] * 6
            + [bytes([0xB0 | channel, draw.choice(CONTROLS), second])] * 3
            + [bytes([0xE0 | channel, first, second])]
            + [bytes([0xC0 | channel, first])]
            + [bytes([0xFF, 0x51, 3, draw.randrange(1, 12), first, second])]
        )
    for channel in CHANNELS if seed % 4 == 1 else ():  # at the end, the pedal holds a note
        track += bytes([0, 0xB0 | channel, 64, 127, 0, 0x90 | channel, 60, 1])
        track += bytes([0, 0x80 | channel, 60, 0])
    return bytes(track) + END


@pytest.mark.parametrize("channel", [None, 2, 10])
def test_page_reads_what_the_pipeline_reads(tmp_path, channel):
    divisions = (96, 480, 375, FILM, -24 << 8 | 4, -25 << 8 | 40, -30 << 8 | 255)
    files = [
        midi_bytes(random_track(2 * n), random_track(2 * n + 1), division=division)
        for n, division in enumerate(divisions)
    ]
    pieces = []
    for content, read in zip(files, arrange(*files, channel=channel), strict=True):
        (tmp_path / "tune.mid").write_bytes(content)
        piece = load_piece(tmp_path / "tune.mid", channels=[channel] if channel else [])
        assert [(block, bytes(message)) for block, message in read["score"]] == piece.score
        assert read["nNotes"] == len(piece.notes) > 10
        assert read["nOutside"] == sum(len(part.notes) for part in piece.parts) - len(piece.notes)
        assert read["nDrums"] == piece.n_drums and (piece.n_drums > 0) == (channel is None)
        assert read["nUnended"] == len(piece.unended)
        assert read["isPedalLeft"] == piece.is_pedal_left
        assert read["seconds"] == pytest.approx(piece.score[-1][0] / 250, abs=0.004)
        pieces.append(piece)
    assert any(piece.unended for piece in pieces) and any(piece.is_pedal_left for piece in pieces)


def test_channels_are_listed_with_their_notes(tmp_path):
    drums = note(36, 100, channel=10) + note(38, 100, channel=10)
    path = write_tracks(tmp_path / "band.mid", note(60, 400), drums)
    (read,) = arrange(path.read_bytes())
    assert read["channels"] == [{"channel": 1, "nNotes": 1}, {"channel": 10, "nNotes": 2}]
    (drum_part,) = arrange(path.read_bytes(), channel=10)
    assert [message[0] for _, message in drum_part["score"]] == [0x99, 0x89] * 2


@pytest.mark.parametrize(
    ("onsets", "expected"), [((0, 0), True), ((0, 20), True), ((0, 40), False)]
)
def test_chord_is_told_from_a_slur(tmp_path, onsets, expected):
    first, second = (
        mido.Message("note_on", note=pitch, velocity=90, time=time)
        for pitch, time in zip((60, 64), onsets, strict=True)
    )
    path = write_tracks(tmp_path / "tune.mid", [first, second, control(123, 0, rest=500)])
    (read,) = arrange(path.read_bytes())
    assert read["hasChords"] is expected


def test_running_status_and_sysex_are_understood():
    track = bytes(
        [0, 0xF0, 2, 1, 0xF7, 0, 0x90, 60, 64, 10, 62, 64, 10, 62, 0, 0, 60, 0, 0, 0xC0, 5]
    )
    (read,) = arrange(midi_bytes(track + END, division=10))
    blocks = [block for block, _ in read["score"]]
    assert blocks == [0, 125, 250, 250] and read["score"][1][1] == [0x90, 62, 64]


BROKEN = [
    (b"", "it ends too early"),
    (b"RIFF1234WAVE", "it does not begin with MThd"),
    (midi_bytes(ON + END, kind=2), "it holds independent songs, format 2"),
    (midi_bytes(ON + END, division=0), "its time division is 0x0000"),
    (midi_bytes(ON + END, division=-26 << 8 | 4), "its time division is 0xe604"),
    (midi_bytes(ON + END, division=-25 << 8), "its time division is 0xe700"),
    (midi_bytes(ON + END)[:-2], "it ends in the middle of a track"),
    (midi_bytes(), "it holds no track"),
    (midi_bytes(b"\0\xff\x01\x05" + END), "it ends too early"),
    (midi_bytes(b"\xff\xff\xff\xff\x7f" + ON), "a number has more than four bytes"),
    (midi_bytes(ON + b"\0\x3c") + b"12345678", "a message is longer than its track"),
    (midi_bytes(END), "it holds no note"),
    (midi_bytes(b"\0\x99\x24\x40" + END), "it holds only drums, on channel 10"),
    (midi_bytes(b"\0\x90\x78\x40" + END), "it holds no note that the firmware can play"),
    (midi_bytes(b"\0\x40\x2f\0"), "a track holds bytes that are no message"),
    (midi_bytes(b"\xff\xff\x7f\x90\x40\x40", division=1), "it lasts over an hour"),
]


PIPELINE_WORDS = {
    "it holds only drums, on channel 10": "has only drums: add --channel 10",
    "it holds no note that the firmware can play": "holds no note from E0 to B7",
    "it lasts over an hour": "lasts over 3600 s",
    "it holds no note": "holds no note: export",
}
"""What the pipeline says instead, which has other remedies."""


def test_broken_file_is_named_in_one_line_and_refused_by_the_pipeline_too(tmp_path):
    read = arrange(*(content for content, _ in BROKEN))
    assert read == [{"error": reason} for _, reason in BROKEN]
    for content, reason in BROKEN:
        (tmp_path / "tune.mid").write_bytes(content)
        with pytest.raises(UserError, match=PIPELINE_WORDS.get(reason, re.escape(reason))):
            load_piece(tmp_path / "tune.mid")


def test_damaged_files_are_read_or_refused_by_both(tmp_path):
    draw = random.Random(7)
    files = []
    for seed in range(80):
        content = bytearray(midi_bytes(random_track(seed), random_track(seed + 1)))
        for _ in range(draw.randrange(1, 4)):
            place = draw.randrange(len(content))
            content[place : place + draw.randrange(3)] = draw.choice(
                (b"\0", b"\x7f", b"\xf0", b"\xff")
            )
        files.append(bytes(content))
    n_refused = 0
    for content, read in zip(files, arrange(*files), strict=True):
        (tmp_path / "tune.mid").write_bytes(content)
        if "error" in read:
            n_refused += 1
            with pytest.raises(UserError):
                load_piece(tmp_path / "tune.mid")
        else:
            score = load_piece(tmp_path / "tune.mid").score
            assert [(block, bytes(message)) for block, message in read["score"]] == score
    assert 10 < n_refused < 70
