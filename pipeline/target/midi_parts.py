"""The parts of a MIDI file: which tracks and channels hold notes, and which of them are played."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.audio.general_midi import PROGRAMS
from pipeline.audio.midi_files import PROGRAM, MidiEvent
from pipeline.audio.note_names import note_name
from pipeline.core.errors import UserError

DRUM_CHANNEL = 10  # in General MIDI
MAX_TRACKS = 65_535  # a file cannot have more
_SEE = "--list alone shows what it holds"


@dataclass(frozen=True)
class Part:
    """The notes of one channel in one track.

    Attributes:
        index: Index of the track in the file, from 0.
        track: Number of the track as musicians count, from 1 and without tracks that hold no notes.
        name: Name of the track, or "".
        channel: 1 to 16.
        program: First General MIDI program of the channel, from 0; None if there is none.
        notes: MIDI notes in the order of time, at least one.
    """

    index: int
    track: int
    name: str
    channel: int
    program: int | None
    notes: list[int]

    @property
    def is_drums(self) -> bool:
        """Whether the channel is that of drums."""
        return self.channel == DRUM_CHANNEL

    def __str__(self) -> str:
        """Describes the part on one line."""
        name = f' "{self.name}"' if self.name else ""
        sound = "" if self.program is None else PROGRAMS[self.program]
        if self.is_drums:
            sound = "drums"
        lowest, highest = note_name(min(self.notes)), note_name(max(self.notes))
        facts = [f"channel {self.channel}", sound, count_notes(len(self.notes))]
        facts.append(lowest if lowest == highest else f"{lowest} to {highest}")
        return f"track {self.track}{name} ({', '.join(filter(None, facts))})"


def find_parts(path: Path, events: Sequence[MidiEvent], names: Sequence[str]) -> list[Part]:
    """Finds the parts of a file, in the order of tracks and channels.

    Args:
        path: The file, for errors.
        events: From `pipeline.audio.midi_files.read_events`.
        names: Names of the tracks.

    Raises:
        UserError: There are none.
    """
    notes: dict[tuple[int, int], list[int]] = {}
    programs: dict[int, int] = {}
    for event in events:
        if event.begins_note:
            notes.setdefault((event.track, event.channel), []).append(event.message[1])
        elif event.kind == PROGRAM:
            programs.setdefault(event.channel, event.message[1])
    if not notes:
        raise UserError(f"{path} holds no note: export the part to be played")
    tracks = sorted({index for index, _ in notes})
    return [
        Part(
            index=index,
            track=1 + tracks.index(index),
            name=names[index],
            channel=channel,
            program=programs.get(channel),
            notes=notes[index, channel],
        )
        for index, channel in sorted(notes)
    ]


def select_parts(
    path: Path, parts: Sequence[Part], channels: Collection[int], tracks: Collection[int]
) -> list[Part]:
    """Selects the parts on some channels in some tracks.

    Args:
        path: The file, for errors.
        parts: All of them.
        channels: The channels; all if empty.
        tracks: The tracks, numbered as in `Part`; all if empty.

    Raises:
        UserError: A channel or track has no notes, or nothing is left.
    """
    for option, chosen, known in (
        ("channel", channels, {part.channel for part in parts}),
        ("track", tracks, {part.track for part in parts}),
    ):
        if missing := sorted(set(chosen) - known):
            raise UserError(f"{path} has no notes on {option} {missing[0]}: {_SEE}")
    selected = [
        part
        for part in parts
        if (not channels or part.channel in channels) and (not tracks or part.track in tracks)
    ]
    if not selected:
        raise UserError(f"{path} has no notes on these channels in these tracks: {_SEE}")
    return selected


def choose_parts(
    path: Path, parts: Sequence[Part], channels: Collection[int], tracks: Collection[int]
) -> list[Part]:
    """Chooses the parts that are played; as `select_parts`, but drums only if asked for.

    Raises:
        UserError: As in `select_parts`, or only drums are left.
    """
    selected = select_parts(path, parts, channels, tracks)
    played = [part for part in selected if channels or not part.is_drums]
    if not played:
        where = f": track {' and '.join(map(str, sorted(set(tracks))))}" if tracks else ""
        raise UserError(f"{path}{where} has only drums: add --channel {DRUM_CHANNEL}")
    return played


def count_notes(number: int) -> str:
    """Returns "1 note" or "2 notes"."""
    return f"{number} {'note' if number == 1 else 'notes'}"
