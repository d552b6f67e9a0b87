"""Which notes of a score a player of one voice leaves out."""

import pytest

from pipeline.target.player import Score
from pipeline.target.polyphony import count_polyphony


def on(block: int, *notes: int) -> Score:
    return [(block, bytes([0x90, note, 100])) for note in notes]


def off(block: int, *notes: int) -> Score:
    return [(block, bytes([0x80, note, 0])) for note in notes]


def control(block: int, number: int, value: int) -> Score:
    return [(block, bytes([0xB0, number, value]))]


def pedal(block: int, value: int) -> Score:
    return control(block, 64, value)


def counts(score: Score, n_voices: int) -> tuple[int, int, int]:
    """Returns the number of notes, how many sound together, and how many are hidden."""
    found = count_polyphony(score, n_voices)
    return found.n_notes, found.most, found.n_hidden


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (on(0, 60) + off(50, 60) + on(50, 62) + off(100, 62), (2, 1, 0)),
        (on(0, 60) + on(45, 62) + off(50, 60) + off(100, 62), (2, 2, 0)),  # a slur
        (on(0, 60, 64, 67) + off(50, 60, 64, 67), (3, 3, 2)),
        # The lower note returns after a trill above it, and sounds for most of its length.
        (on(0, 60) + on(10, 62) + off(15, 62) + off(50, 60), (2, 2, 0)),
        (on(0, 60) + on(10, 62) + off(45, 62) + off(50, 60), (2, 2, 1)),
        # The same key on another channel is another note, which its own note-off ends.
        (
            [*on(0, 60), (0, bytes([0x91, 60, 9])), *off(50, 60), (90, bytes([0x81, 60, 0]))],
            (2, 2, 1),
        ),
        (on(0, 60) + on(50, 60) + off(100, 60), (2, 1, 0)),  # struck again
        (
            pedal(0, 127) + on(0, 60) + off(10, 60) + on(20, 62) + pedal(99, 0) + off(99, 62),
            (2, 2, 1),
        ),
        (on(0, 60, 64), (2, 2, 1)),  # never released
        # The sostenuto pedal holds what is down when it is pressed, and nothing else.
        (
            on(0, 60)
            + control(5, 66, 127)
            + off(10, 60)
            + on(20, 62)
            + off(40, 62)
            + on(50, 64)
            + off(90, 64)
            + control(99, 66, 0),
            (3, 2, 1),
        ),
        # Controllers that end notes: without an end, the later note would hide the earlier one.
        *(
            (on(0, 60) + control(50, number, 0) + on(60, 62) + off(200, 62), (2, 1, 0))
            for number in (120, 123, 124, 125, 126, 127)
        ),
        # The sustain pedal holds against "all notes off", not against the reset of controllers.
        (pedal(0, 127) + on(0, 60) + control(50, 123, 0) + on(60, 62) + off(99, 62), (2, 2, 0)),
        (
            pedal(0, 127) + on(0, 60) + off(9, 60) + control(10, 121, 0) + on(60, 62) + off(99, 62),
            (2, 1, 0),
        ),
        ([(0, bytes([0xC0, 5])), (0, bytes([0xF0, 1, 0xF7])), (0, bytes([0xB0, 7, 9]))], (0, 0, 0)),
    ],
)
def test_notes_are_counted(score: Score, expected: tuple[int, int, int]) -> None:
    assert counts(score, 1) == expected


def test_notes_are_hidden_only_while_one_plays_at_a_time() -> None:
    chord = on(0, 60, 64, 67) + off(50, 60, 64, 67)
    mono, poly = bytes([0xB0, 126, 1]), bytes([0xB0, 127, 0])
    assert counts(chord, 4) == (3, 3, 0)
    assert counts([(0, mono), *chord], 4) == (3, 3, 2)
    assert counts([(0, mono), (0, poly), *chord], 4) == (3, 3, 0)
    assert counts([(0, poly), *chord], 1) == (3, 3, 2)
    assert counts([*on(0, 60), (10, mono), *on(20, 62)], 4) == (2, 1, 0)


def test_lost_notes_are_counted_by_channel() -> None:
    """A bass under a melody of the same rhythm: the melody's keys come first."""
    score: Score = []
    for beat in range(0, 800, 100):
        score += [*on(beat, 72), (beat, bytes([0x91, 40, 90]))]
        score += [*off(beat + 90, 72), (beat + 90, bytes([0x81, 40, 0]))]
    found = count_polyphony(score, 1)
    assert (found.notes, found.hidden) == ({1: 8, 2: 8}, {1: 8})
