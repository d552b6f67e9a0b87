"""Reads Standard MIDI Files as far as they can be played.

The library mido, which writes them here, loses the time of messages that it does not know, and
refuses files with a key signature or a port that is none. What cannot be played is left out here.
Source: "Standard MIDI Files 1.0", MIDI Manufacturers Association, RP-001.
"""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError

DEFAULT_TEMPO = 500_000  # microseconds per beat
# Video frames per second by their number in the header, as fractions; 29 is 30 "drop frame".
VIDEO_RATES = {24: (24, 1), 25: (25, 1), 29: (30_000, 1001), 30: (30, 1)}
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, SYSTEM = 0x80, 0x90, 0xB0, 0xC0, 0xF0  # kinds of messages
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
TRACK_NAME, END_OF_TRACK, TEMPO = 0x03, 0x2F, 0x51  # kinds of meta events


class MidiEvent(NamedTuple):
    """A channel message of a MIDI file.

    Attributes:
        block: Number of the block of 4 ms before which it arrives.
        track: Index of its track in the file, from 0.
        message: Its bytes, two or three.
    """

    block: int
    track: int
    message: bytes

    @property
    def kind(self) -> int:
        """Status byte without the channel, such as `NOTE_ON`."""
        return self.message[0] & 0xF0

    @property
    def channel(self) -> int:
        """Channel, 1 to 16."""
        return 1 + (self.message[0] & 0x0F)

    @property
    def begins_note(self) -> bool:
        """Whether it is a note-on; one of velocity 0 is a note-off."""
        return self.kind == NOTE_ON and self.message[2] > 0


def read_events(path: Path) -> tuple[list[MidiEvent], list[str]]:
    """Reads the channel messages of a MIDI file in the order of time, and the names of its tracks.

    Times are exact: a message arrives before the block in which its time lies, however many came
    before it. Data bytes above 127 become 127.

    Raises:
        UserError: The file is missing or damaged, is not a MIDI file, or holds independent songs.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a Standard MIDI File")
    if not path.is_file():
        raise UserError(f"{path} is missing: give a Standard MIDI File")
    try:
        return _parse(path.read_bytes())
    except _DamagedFileError as error:
        raise UserError(
            f"{path} is not a MIDI file that can be played ({error}): export it again"
        ) from None


class _DamagedFileError(Exception):
    """Something in a file is wrong."""


class _Reader:
    """Takes bytes and numbers from the front of a file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, n_bytes: int) -> bytes:
        taken = self.data[self.place : self.place + n_bytes]
        if len(taken) < n_bytes:
            raise _DamagedFileError("it ends too early")
        self.place += n_bytes
        return taken

    def number(self, n_bytes: int) -> int:
        return int.from_bytes(self.take(n_bytes), "big")

    def variable(self) -> int:
        """Takes a number of seven bits per byte."""
        number = 0
        for _ in range(4):
            byte = self.number(1)
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        raise _DamagedFileError("a number has more than four bytes")


def _parse(data: bytes) -> tuple[list[MidiEvent], list[str]]:
    reader = _Reader(data)
    if reader.take(4) != b"MThd":
        raise _DamagedFileError("it does not begin with MThd")
    header = reader.number(4)
    kind = reader.number(2)
    reader.number(2)  # the number of tracks, which some files get wrong
    division = reader.number(2)
    if kind > 1:
        raise _DamagedFileError(f"it holds independent songs, format {kind}")
    reader.place = 8 + header
    names: list[str] = []
    ticked: list[tuple[int, int, int | bytes]] = []
    while len(data) - reader.place >= 8:
        chunk, length = reader.take(4), reader.number(4)
        end = reader.place + length
        if chunk == b"MTrk":
            if end > len(data):
                raise _DamagedFileError("it ends in the middle of a track")
            name, events = _read_track(reader, end)
            ticked += [(tick, len(names), event) for tick, event in events]
            names.append(_decode(name))
        reader.place = end
    if not names:
        raise _DamagedFileError("it holds no track")
    ticked.sort(key=lambda each: each[0])
    return _timed(ticked, division), names


def _read_track(reader: _Reader, end: int) -> tuple[bytes, list[tuple[int, int | bytes]]]:
    """Returns the name of a track, and tempos and channel messages, each with its tick."""
    events: list[tuple[int, int | bytes]] = []
    name = b""
    tick = status = 0
    while reader.place < end:
        tick += reader.variable()
        first = reader.number(1)
        if first == META:
            kind, content = reader.number(1), reader.take(reader.variable())
            if kind == END_OF_TRACK:
                break
            if kind == TRACK_NAME:
                name = name or content
            if kind == TEMPO and len(content) == 3:
                events.append((tick, int.from_bytes(content, "big")))
        elif first in (SYSEX, ESCAPE):
            reader.take(reader.variable())
        else:
            data = [] if first & 0x80 else [first]
            status = first if first & 0x80 else status
            if not NOTE_OFF <= status < SYSTEM:
                raise _DamagedFileError("a track holds bytes that are no message")
            n_data = 1 if status & 0xE0 == PROGRAM else 2  # channel pressure has one, too
            data += reader.take(n_data - len(data))
            events.append((tick, bytes([status, *(min(byte, 0x7F) for byte in data)])))
    if reader.place > end:
        raise _DamagedFileError("a message is longer than its track")
    return name, events


def _timed(ticked: list[tuple[int, int, int | bytes]], division: int) -> list[MidiEvent]:
    """Converts ticks to blocks.

    Args:
        ticked: Tick, index of the track, and tempo or message, in the order of time.
        division: Third number of the header.
    """
    weight, block_units, follows_tempo = _clock(division)
    events = []
    units = last = 0
    for tick, track, event in ticked:
        units += weight * (tick - last)
        last = tick
        if isinstance(event, bytes):
            events.append(MidiEvent(units // block_units, track, event))
        elif follows_tempo and event:
            weight = event
    return events


def _clock(division: int) -> tuple[int, int, bool]:
    """Returns how time is counted, in units of which every number is whole.

    Args:
        division: Ticks per beat; or in the upper byte minus the video frames per second, and in the
            lower one ticks per frame.

    Returns:
        Units per tick, until the tempo changes; units per block; and whether the tempo counts.
    """
    if 0 < division < 0x8000:
        return DEFAULT_TEMPO, 1_000_000 // FRAME_RATE * division, True
    frames, seconds = VIDEO_RATES.get(256 - (division >> 8), (0, 0))
    block_units = frames * (division & 0xFF)
    if not block_units:
        raise _DamagedFileError(f"its time division is {division:#06x}")
    return FRAME_RATE * seconds, block_units, False


def _decode(name: bytes) -> str:
    """Returns the name of a track as text; files do not say how it is encoded."""
    text = name.decode("latin1")
    with suppress(UnicodeError):
        text = name.decode()
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
