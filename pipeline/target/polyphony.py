"""Counts what of a MIDI score a player leaves out that plays one note at a time.

It plays the latest of the held keys, and returns to the one before when it is released.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.audio.midi_files import CONTROL, MidiEvent
from pipeline.target.held_notes import MONO, POLY, HeldNotes
from pipeline.target.player import Score

PLAYED_SHARE = 0.5  # of its length that a note must sound; slurred notes overlap by far less


@dataclass(frozen=True)
class Polyphony:
    """How many notes of a score sound together.

    Attributes:
        notes: Number of notes by channel.
        most: Largest number of notes that are held at once, by keys or by pedals.
        hidden: By channel, notes of which less than `PLAYED_SHARE` is played because only one is at
            a time.
    """

    notes: Mapping[int, int]
    most: int
    hidden: Mapping[int, int]

    @property
    def n_notes(self) -> int:
        """Number of notes."""
        return sum(self.notes.values())

    @property
    def n_hidden(self) -> int:
        """Number of hidden notes."""
        return sum(self.hidden.values())


@dataclass
class _Key:
    channel: int
    note: int
    begin: int
    sounded: int = 0  # blocks during which it was the latest key


def count_polyphony(score: Score, n_voices: int) -> Polyphony:
    """Counts the notes of a score that sound together; the same key on two channels is two notes.

    Args:
        score: The score.
        n_voices: Number of the player's voices; with one, or after controller 126, it plays one
            note at a time.
    """
    held: defaultdict[int, HeldNotes] = defaultdict(HeldNotes)
    keys: list[_Key] = []
    notes: Counter[int] = Counter()
    hidden: Counter[int] = Counter()
    most = last = 0
    is_mono = n_voices == 1

    def end(ended: list[_Key], block: int) -> None:
        for key in ended:
            keys.remove(key)
            if is_mono and key.sounded < PLAYED_SHARE * max(block - key.begin, 1):
                hidden[key.channel] += 1

    for block, message in score:
        event = MidiEvent(block, 0, message)
        if keys:
            keys[-1].sounded += block - last
        last = block
        held[event.channel].receive(event)
        if event.begins_note:
            struck = (event.channel, message[1])
            end([key for key in keys if (key.channel, key.note) == struck], block)
            keys.append(_Key(*struck, block))
            notes[event.channel] += 1
            most = max(most, len(keys))
        elif event.kind == CONTROL and message[1] in (MONO, POLY):  # ends the notes of all channels
            for each in held.values():
                each.receive(event)
            end(list(keys), block)
            is_mono = message[1] == MONO or n_voices == 1
        else:
            end([key for key in keys if not held[key.channel].holds(key.note)], block)
    if keys:  # the player ends them some time after the last message
        keys[-1].sounded += 1
    end(list(keys), last + 1)
    return Polyphony(notes, most, hidden)
