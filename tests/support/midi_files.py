"""Writes Standard MIDI Files byte by byte, also such as no library would write."""

import struct
from collections.abc import Sequence
from pathlib import Path

import mido

END = mido.MetaMessage("end_of_track")


def midi_bytes(*tracks: bytes, division: int = 500, kind: int = 1, n_tracks: int = -1) -> bytes:
    """Returns a file of encoded tracks; with the default division a tick lasts 1 ms."""
    count = len(tracks) if n_tracks < 0 else n_tracks
    head = b"MThd" + struct.pack(">IHHH", 6, kind, count, division & 0xFFFF)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def write_tracks(
    path: Path, *tracks: Sequence[mido.Message | mido.MetaMessage], division: int = 500
) -> Path:
    """Writes a file of tracks of messages, whose times are ticks since the one before."""
    file = mido.MidiFile(ticks_per_beat=division, tracks=[mido.MidiTrack(each) for each in tracks])
    file.save(path)
    return path


def note(pitch: int, ticks: int, *, rest: int = 0, channel: int = 1) -> list[mido.Message]:
    """Returns a note-on and a note-off."""
    on = mido.Message("note_on", note=pitch, velocity=100, time=rest, channel=channel - 1)
    return [on, mido.Message("note_off", note=pitch, time=ticks, channel=channel - 1)]


def control(number: int, value: int, *, rest: int = 0, channel: int = 1) -> mido.Message:
    """Returns a control change."""
    return mido.Message(
        "control_change", control=number, value=value, time=rest, channel=channel - 1
    )
