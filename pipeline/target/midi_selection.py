"""Selects the messages of a MIDI file that some of its parts play."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from pipeline.audio.midi_files import CONTROL, NOTE_OFF, NOTE_ON, PROGRAM, MidiEvent
from pipeline.target.held_notes import ENDING_ALL, MONO, POLY
from pipeline.target.midi_parts import Part


def select_events(
    events: Sequence[MidiEvent], parts: Sequence[Part], played: Sequence[Part]
) -> Iterator[MidiEvent]:
    """Yields what the parts that are played play.

    Controllers act on a channel, whichever track they are in, but one that ends all notes and does
    nothing else ends those of its own part; where its track has no notes on the channel, those of
    all parts. `_Keys` says to which part a note-off belongs.

    Args:
        events: From `pipeline.audio.midi_files.read_events`.
        parts: All parts of the file.
        played: Those that are played.
    """
    known = {(part.index, part.channel) for part in parts}
    chosen = {(part.index, part.channel) for part in played}
    channels = {part.channel for part in played}
    keys = _Keys(events)
    for place, event in enumerate(events):
        own = (event.track, event.channel)
        is_played = event.channel in channels and event.kind != PROGRAM
        if event.kind in (NOTE_OFF, NOTE_ON):
            owner = keys.move(place, event, is_part=own in known)
            is_played &= owner is None or (owner, event.channel) in chosen
        elif _ends_all(event):
            is_own = own in known and event.message[1] in ENDING_ALL
            keys.lift(event, tracks=[event.track] if is_own else None)
            is_played &= not is_own or own in chosen
        if is_played:
            yield event


class _Keys:
    """In which tracks the keys of all channels are down, and which of them a note-off lifts.

    A note-off belongs to its own track as long as there was a note-on for it there. One too many,
    and one in a track without notes on the channel, ends a note of another track, first of all one
    that nothing else in its own track will end.
    """

    def __init__(self, events: Sequence[MidiEvent]) -> None:
        self._down: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        self._owed: Counter[tuple[int, int, int]] = Counter()  # note-offs by track, channel, key
        self._last: dict[tuple[int, int, int | None], int] = {}  # place of the last end in a track
        for place, event in enumerate(events):
            if _is_note_off(event) or _ends_all(event):
                key = event.message[1] if _is_note_off(event) else None
                self._last[event.track, event.channel, key] = place

    def move(self, place: int, event: MidiEvent, *, is_part: bool) -> int | None:
        """Handles a note-on or a note-off.

        Args:
            place: Index of the event.
            event: The event.
            is_part: Whether its track has notes on its channel.

        Returns:
            The track to which it belongs; None if it is that of no note.
        """
        channel, key = event.channel, event.message[1]
        own, down = (event.track, channel, key), self._down[channel, key]
        owner: int | None = event.track
        if event.begins_note:
            self._owed[own] += 1
        elif self._owed[own]:
            self._owed[own] -= 1
        else:
            endless = [t for t in down if self._last_end(t, channel, key) < place]
            rest = [event.track] if is_part else down
            owner = next(iter([*endless, *rest]), None)
        kept = [track for track in down if track != owner]
        self._down[channel, key] = [*kept, event.track] if event.begins_note else kept
        return owner

    def lift(self, event: MidiEvent, *, tracks: Sequence[int] | None) -> None:
        """Lifts all keys of a channel in some tracks, or in all."""
        for (channel, key), down in self._down.items():
            if channel == event.channel:
                kept = [] if tracks is None else [track for track in down if track not in tracks]
                self._down[channel, key] = kept

    def _last_end(self, track: int, channel: int, key: int) -> int:
        return max(self._last.get((track, channel, which), -1) for which in (key, None))


def _is_note_off(event: MidiEvent) -> bool:
    return event.kind in (NOTE_OFF, NOTE_ON) and not event.begins_note


def _ends_all(event: MidiEvent) -> bool:
    return event.kind == CONTROL and event.message[1] in (*ENDING_ALL, MONO, POLY)
