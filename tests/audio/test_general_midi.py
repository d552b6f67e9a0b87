"""The General MIDI program of an instrument follows from its name, or else from its notes."""

import pytest

from pipeline.audio.general_midi import (
    PROGRAMS,
    USUAL_NOTES,
    NoteRange,
    nearest_program,
    programs_named,
)


def test_there_are_128_programs_in_the_order_of_the_standard():
    assert len(PROGRAMS) == len(set(PROGRAMS)) == 128
    numbered = {0: "Acoustic Grand Piano", 40: "Violin", 56: "Trumpet", 73: "Flute"}
    numbered |= {80: "Lead 1 (square)", 104: "Sitar", 127: "Gunshot"}
    assert {number: PROGRAMS[number] for number in numbered} == numbered


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("clarinet", 71),
        ("bass_clarinet", 71),
        ("altoSaxophone", 65),
        ("double_bass", 43),
        ("my_cello_2", 42),
        ("french_horn", 60),
        ("horn", 60),
        ("cor_anglais", 69),
        ("flute", 73),
        ("alto_flute", 73),
        ("pan_flute", 75),
        ("upright_bass", 32),
        ("electric_guitar_clean", 27),
        ("vocals", 53),
        ("My cello samples", 42),
        ("flute_recordings_2", 73),
    ],
)
def test_name_selects_the_program(name, program):
    assert programs_named(name) == [program]


@pytest.mark.parametrize("name", ["kazoo", "theremin", "x", "melodic", "samples"])
def test_other_names_select_none(name):
    assert programs_named(name) == []


def test_notes_choose_among_programs_of_the_same_name():
    saxophones = programs_named("saxophone")
    assert [PROGRAMS[number] for number in saxophones] == [
        *("Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax")
    ]
    assert PROGRAMS[nearest_program(NoteRange(49, 81), saxophones)] == "Alto Sax"
    assert PROGRAMS[nearest_program(NoteRange(36, 69), saxophones)] == "Baritone Sax"


def test_notes_and_decay_choose_among_all_programs():
    assert PROGRAMS[nearest_program(NoteRange(40, 85, decays=True))] == "Acoustic Guitar (nylon)"
    assert not USUAL_NOTES[nearest_program(NoteRange(40, 85))].decays
    assert PROGRAMS[nearest_program(NoteRange(30, 56))] == "Tuba"
