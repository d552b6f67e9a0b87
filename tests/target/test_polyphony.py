"""Which notes of a score a player of one voice leaves out."""

import pytest

from pipeline.target.player import Score
from pipeline.target.polyphony import Polyphony, count_polyphony


def on(block: int, *notes: int) -> Score:
    return [(block, bytes([0x90, note, 100])) for note in notes]


def off(block: int, *notes: int) -> Score:
    return [(block, bytes([0x80, note, 0])) for note in notes]


def pedal(block: int, value: int) -> Score:
    return [(block, bytes([0xB0, 64, value]))]


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
        ([(0, bytes([0xC0, 5])), (0, bytes([0xF0, 1, 0xF7])), (0, bytes([0xB0, 7, 9]))], (0, 0, 0)),
    ],
)
def test_notes_are_counted(score: Score, expected: tuple[int, int, int]) -> None:
    assert count_polyphony(score, 1) == Polyphony(*expected)


def test_notes_are_hidden_only_while_one_plays_at_a_time() -> None:
    chord = on(0, 60, 64, 67) + off(50, 60, 64, 67)
    mono, poly = bytes([0xB0, 126, 1]), bytes([0xB0, 127, 0])
    assert count_polyphony(chord, 4) == Polyphony(3, 3, 0)
    assert count_polyphony([(0, mono), *chord], 4) == Polyphony(3, 3, 2)
    assert count_polyphony([(0, mono), (0, poly), *chord], 4) == Polyphony(3, 3, 0)
    assert count_polyphony([(0, poly), *chord], 1) == Polyphony(3, 3, 2)
    assert count_polyphony([*on(0, 60), (10, mono), *on(20, 62)], 4) == Polyphony(2, 1, 0)
