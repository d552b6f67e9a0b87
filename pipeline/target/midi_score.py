"""Turns a Standard MIDI File into the score of one instrument.

The caller chooses the instrument, so program changes are left out. Drums are left out unless their
channel is asked for, and so are notes that no instrument of the firmware can play. Notes without an
end are released. ``pipeline/pages/assets/web/midi_file.js`` does the same for the instrument page.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.audio.midi_files import NOTE_OFF, NOTE_ON, MidiEvent, read_events
from pipeline.audio.note_names import note_name
from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.target.held_notes import HeldNotes
from pipeline.target.midi_parts import (
    DRUM_CHANNEL,
    Part,
    choose_parts,
    count_notes,
    find_parts,
    select_parts,
)
from pipeline.target.midi_selection import select_events
from pipeline.target.player import Score

MAX_SECONDS = 3600
LOWEST_NOTE, HIGHEST_NOTE = 16, 107  # the notes between MIN_F0_HZ and MAX_F0_HZ
RELEASE_SECONDS = 2


@dataclass(frozen=True)
class Piece:
    """What is played of a MIDI file.

    Attributes:
        score: Messages of the parts that are played, and what releases notes without an end.
        parts: The parts that are played.
        n_drums: Number of notes that are left out because nobody asked for drums.
        unended: Onset in blocks, channel and MIDI note of each note without a note-off.
        is_pedal_left: Whether a pedal holds notes at the end.
    """

    score: Score
    parts: Sequence[Part]
    n_drums: int
    unended: Sequence[tuple[int, int, int]]
    is_pedal_left: bool

    @property
    def notes(self) -> list[int]:
        """The MIDI notes that are played, part by part."""
        return [note for part in self.parts for note in part.notes if _is_reachable(note)]

    def remarks(self) -> list[str]:
        """Returns what a listener should know about the piece, a line each."""
        lines = []
        n_channels = len({part.channel for part in self.parts})
        if n_channels > 1:
            lines.append(
                f"{n_channels} channels are played as one part: --list shows them, --channel and "
                "--track choose"
            )
        if self.n_drums:
            lines.append(
                f"not played: {count_notes(self.n_drums)} of drums on channel {DRUM_CHANNEL}; "
                f"--channel {DRUM_CHANNEL} plays them"
            )
        if n_outside := sum(len(part.notes) for part in self.parts) - len(self.notes):
            lines.append(
                f"not played: {count_notes(n_outside)} below {note_name(LOWEST_NOTE)} or "
                f"above {note_name(HIGHEST_NOTE)}, which the firmware does not reach"
            )
        released = f"released {RELEASE_SECONDS} s after the last message"
        if self.unended:
            block, channel, note = self.unended[0]
            first = f"{note_name(note)} on channel {channel} at {block / FRAME_RATE:.2f} s"
            lines.append(
                f"no note-off: {count_notes(len(self.unended))}, first {first}; {released}"
            )
        if self.is_pedal_left:
            lines.append(f"a pedal is never lifted: its notes are {released}")
        return lines


def list_parts(
    path: Path, *, channels: Collection[int] = (), tracks: Collection[int] = ()
) -> list[Part]:
    """Lists the parts of a MIDI file.

    Args:
        path: The file.
        channels: Channels to list, from 1; all if empty.
        tracks: Tracks to list, numbered as in `Part`; all if empty.

    Raises:
        UserError: The file is missing or damaged, contains no note, or has no such part.
    """
    return select_parts(path, find_parts(path, *read_events(path)), channels, tracks)


def load_piece(
    path: Path, *, channels: Collection[int] = (), tracks: Collection[int] = ()
) -> Piece:
    """Reads what one instrument plays of a MIDI file.

    Args:
        path: The file.
        channels: Channels to play, from 1; all but `DRUM_CHANNEL` if empty.
        tracks: Tracks to play, numbered as in `Part`; all if empty.

    Raises:
        UserError: The file is missing, damaged, or too long, or has no such part.
    """
    events, names = read_events(path)
    parts = find_parts(path, events, names)
    played = choose_parts(path, parts, channels, tracks)
    if not any(_is_reachable(note) for part in played for note in part.notes):
        raise UserError(
            f"{path} holds no note from {note_name(LOWEST_NOTE)} to {note_name(HIGHEST_NOTE)}: "
            "transpose it"
        )
    selected = [e for e in select_events(events, parts, played) if _is_playable(e)]
    score = [(event.block, event.message) for event in selected]
    last = score[-1][0]
    if last > MAX_SECONDS * FRAME_RATE:
        raise UserError(f"{path} lasts over {MAX_SECONDS} s: cut it into parts")
    drums = [part for part in parts if part.is_drums and (not tracks or part.track in tracks)]
    held = {part.channel: HeldNotes() for part in played}
    for event in selected:
        held[event.channel].receive(event)
    for channel, notes in sorted(held.items()):
        end = last + RELEASE_SECONDS * FRAME_RATE
        score += [(end, message) for message in notes.ending(channel)]
    return Piece(
        score=score,
        parts=played,
        n_drums=0 if channels else sum(len(part.notes) for part in drums),
        unended=sorted(
            (block, channel, note)
            for channel, notes in held.items()
            for note, block in notes.down.items()
        ),
        is_pedal_left=any(notes.pedalled for notes in held.values()),
    )


def _is_playable(event: MidiEvent) -> bool:
    return event.kind not in (NOTE_OFF, NOTE_ON) or _is_reachable(event.message[1])


def _is_reachable(note: int) -> bool:
    return LOWEST_NOTE <= note <= HIGHEST_NOTE
