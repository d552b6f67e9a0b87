"""Reads Standard MIDI Files; whatever is wrong with one becomes a single line."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import mido

from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError

DEFAULT_TEMPO = 500_000  # microseconds per beat
# Video frames per second by their number in the header, as fractions; 29 is 30 "drop frame".
VIDEO_RATES = {24: (24, 1), 25: (25, 1), 29: (30_000, 1001), 30: (30, 1)}
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, SYSTEM = 0x80, 0x90, 0xB0, 0xC0, 0xF0  # kinds of messages


class MidiEvent(NamedTuple):
    """A channel message of a MIDI file.

    Attributes:
        block: Number of the block of 4 ms before which it arrives.
        track: Index of its track in the file, from 0.
        message: Its bytes, at most three.
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


def read_midi(path: Path) -> mido.MidiFile:
    """Reads a Standard MIDI File; data bytes above 127 become 127.

    Raises:
        UserError: The file is missing, damaged, or not a MIDI file.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: give a Standard MIDI File")
    try:
        return mido.MidiFile(path, clip=True)
    except EOFError:
        raise _unplayable(path, "it ends too early") from None
    except Exception as error:  # altered bytes raise almost anything inside mido
        if isinstance(error, OSError) and error.errno:  # the file cannot be read
            raise
        raise _unplayable(path, str(error) or type(error).__name__) from None


def read_events(path: Path) -> tuple[list[MidiEvent], list[str]]:
    """Reads the channel messages of a MIDI file in the order of time, and the names of its tracks.

    Times are exact: a message arrives before the block in which its time lies, however many came
    before it.

    Raises:
        UserError: As for `read_midi`, or the file holds independent songs.
    """
    midi = read_midi(path)
    if midi.type not in (0, 1):
        raise _unplayable(path, f"it holds independent songs, format {midi.type}")
    weight, block_units, follows_tempo = _clock(path, midi.ticks_per_beat)
    ticked = []
    for track, messages in enumerate(midi.tracks):
        tick = 0
        for message in messages:
            tick += message.time
            ticked.append((tick, track, message))
    events = []
    units = last = 0
    for tick, track, message in sorted(ticked, key=lambda each: each[0]):
        units += weight * (tick - last)
        last = tick
        if message.type == "set_tempo":
            weight = (follows_tempo and message.tempo) or weight
        elif not message.is_meta:
            data = bytes(message.bytes())
            if data[0] < SYSTEM:
                events.append(MidiEvent(units // block_units, track, data))
    return events, [_readable(track.name) for track in midi.tracks]


def _clock(path: Path, division: int) -> tuple[int, int, bool]:
    """Returns how time is counted, in units of which every number is whole.

    Args:
        path: The file, for errors.
        division: Third number of the header, signed: ticks per beat, or minus the video frames per
            second and ticks per frame.

    Returns:
        Units per tick (until the tempo changes), units per block, and whether the tempo counts.
    """
    if division > 0:
        return DEFAULT_TEMPO, 1_000_000 // FRAME_RATE * division, True
    rate, n_ticks = -(division >> 8), division & 0xFF
    if rate not in VIDEO_RATES or not n_ticks:
        raise _unplayable(path, f"its time division is {division}")
    frames, seconds = VIDEO_RATES[rate]
    return FRAME_RATE * seconds, frames * n_ticks, False


def _readable(name: str) -> str:
    """Returns the name of a track as text; files do not say how it is encoded."""
    with suppress(UnicodeError):
        name = name.encode("latin1").decode()
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def _unplayable(path: Path, reason: str) -> UserError:
    return UserError(f"{path} is not a MIDI file that can be played ({reason}): export it again")
