"""Counts what of a MIDI score a player leaves out that plays one note at a time.

It plays the latest of the held keys, and returns to the one before when it is released.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.audio.midi_files import CONTROL, NOTE_OFF, NOTE_ON
from pipeline.target.held_notes import MONO, PEDAL, POLY
from pipeline.target.player import Score

PLAYED_SHARE = 0.5  # of its length that a note must sound; slurred notes overlap by far less


@dataclass(frozen=True)
class Polyphony:
    """How many notes of a score sound together.

    Attributes:
        n_notes: Number of notes.
        most: Largest number of notes that are held at once, by keys or by the pedal.
        n_hidden: Notes of which less than `PLAYED_SHARE` is played because only one is at a time.
    """

    n_notes: int
    most: int
    n_hidden: int


@dataclass
class _Key:
    channel: int
    note: int
    begin: int
    sounded: int = 0  # blocks during which it was the latest key
    is_up: bool = False  # only the pedal holds it


def count_polyphony(score: Score, n_voices: int) -> Polyphony:
    """Counts the notes of a score that sound together; the same key on two channels is two notes.

    Args:
        score: The score.
        n_voices: Number of the player's voices; with one, or after controller 126, it plays one
            note at a time.
    """
    keys: list[_Key] = []
    n_notes = most = n_hidden = last = 0
    pedals: set[int] = set()  # channels whose pedal is down
    is_mono = n_voices == 1

    def end(ended: list[_Key], block: int) -> None:
        nonlocal n_hidden
        for key in ended:
            keys.remove(key)
            n_hidden += is_mono and key.sounded < PLAYED_SHARE * max(block - key.begin, 1)

    for block, kind, channel, number, value in _events(score):
        if keys:
            keys[-1].sounded += block - last
        last = block
        if kind == NOTE_ON and value:
            end([key for key in keys if (key.channel, key.note) == (channel, number)], block)
            keys.append(_Key(channel, number, block))
            n_notes += 1
            most = max(most, len(keys))
        elif kind == CONTROL and number != PEDAL:
            end(list(keys), block)
            is_mono = number == MONO or n_voices == 1
        elif kind == CONTROL:
            (pedals.add if value >= 64 else pedals.discard)(channel)
            end([key for key in keys if key.is_up and key.channel not in pedals], block)
        else:
            released = [key for key in keys if (key.channel, key.note) == (channel, number)]
            for key in released:
                key.is_up = True
            end([] if channel in pedals else released, block)
    if keys:  # the player ends them some time after the last message
        keys[-1].sounded += 1
    end(list(keys), last + 1)
    return Polyphony(n_notes, most, n_hidden)


def _events(score: Score) -> Iterator[tuple[int, int, int, int, int]]:
    """Yields block, kind, channel, number and value of notes, of the pedal, and of modes."""
    for block, message in score:
        kind = message[0] & 0xF0
        if kind in (NOTE_OFF, NOTE_ON) or (kind == CONTROL and message[1] in (PEDAL, MONO, POLY)):
            yield block, kind, message[0] & 0x0F, message[1], message[2]
