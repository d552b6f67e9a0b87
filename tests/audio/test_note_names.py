"""Notes in file names: how they are written, and when they count."""

import pytest

from pipeline.audio.note_names import compare_names, parse_note
from pipeline.audio.pitch import note_to_hz


@pytest.mark.parametrize(
    ("stem", "note"),
    [
        ("flute_A4_15_forte_normal", 69),
        ("saxophone_Fs3_025_piano", 54),
        ("Cello C#5 soft", 73),
        ("Db4", 61),
        ("trumpet-bb3-v2", 58),
        ("horn.Eflat3.mf", 51),
        ("Gsharp2", 44),
        ("tuba_C-1", 0),
        ("organ C0", 12),
        ("A♭4 long", 68),
        ("B#3", 60),
        ("(F#2)", 42),
        ("Piano.ff.A4.A4", 69),
    ],
)
def test_note_names_are_read(stem: str, note: int) -> None:
    assert parse_note(stem) == note


@pytest.mark.parametrize(
    "stems",
    [
        "paperA4 A4paper SA4 B3B4 mp3",
        "take_15_025 v1.2 4",
        "H4 Es4 A44 D-4",
        "A A# phrase",
        "A4 A5",
    ],
)
def test_what_is_no_single_note_is_not_read(stems: str) -> None:
    assert parse_note(stems) is None
    if stems != "A4 A5":
        assert not any(parse_note(stem) for stem in stems.split())


def named(*notes: int, pattern: str = "pack/x_{:03d}_v2.wav") -> dict[str, float | None]:
    return {pattern.format(note): float(note_to_hz(note)) for note in notes}


def test_octave_errors_are_told_from_wrong_notes() -> None:
    found: dict[str, float | None] = {
        "pack/x_A4.wav": 440.0,
        "pack/x_C5.wav": 525.0,
        "pack/x_D5.wav": 293.7,
        "pack/x_E5.wav": 659.3,
        "pack/x_F5.wav": 2800.0,
        "pack/x_phrase_G5.wav": 900.0,
        "pack/x_G4.wav": 392.0,
        "pack/x_B4.wav": None,
        "pack/x_noise.wav": 333.0,
    }
    compared = compare_names(found)
    assert compared is not None
    assert (compared.interval, compared.n_agreeing) == (0, 4)
    assert [(error.name, error.octaves) for error in compared.octave_errors] == [
        ("pack/x_D5.wav", -1),
        ("pack/x_F5.wav", 2),
    ]
    assert compared.octave_errors[0].named_hz == pytest.approx(587.3, abs=0.1)
    assert [other.name for other in compared.others] == ["pack/x_phrase_G5.wav"]
    assert str(compared) == (
        "4 of 7 files sound as named; 2 an octave or more away: "
        "x_D5.wav (found D4, 294 Hz, not D5, 587 Hz), x_F5.wav (found F7, 2800 Hz, not F5, 698 Hz)"
        "; 1 at another pitch, as phrases are: x_phrase_G5.wav (found A5, 900 Hz, not G5, 784 Hz)"
    )
    assert compared.notes["pack/x_B4.wav"] == 71
    assert "pack/x_noise.wav" not in compared.notes


@pytest.mark.parametrize(("interval", "cents"), [(0, -45), (0, 45), (2, 0), (-12, 10), (9, -30)])
def test_transposition_and_tuning_of_a_pack_are_no_errors(interval: int, cents: float) -> None:
    found: dict[str, float | None] = {
        f"{step}{octave}": float(note_to_hz(12 * octave + 12 + semitone - interval + cents / 100))
        for octave in (3, 4)
        for step, semitone in (("C", 0), ("Ds", 3), ("Fs", 6), ("A", 9))
    }
    compared = compare_names(found)
    assert compared is not None
    assert (compared.interval, compared.n_agreeing) == (interval, 8)
    assert not compared.octave_errors and not compared.others


@pytest.mark.parametrize("cents", [-42, -58, 42, 70])
def test_pitches_are_compared_in_the_tuning_of_the_pack(cents: float) -> None:
    tuning = 2 ** (cents / 1200)
    found = {
        f"x_{note}": float(note_to_hz(69 + n)) * tuning for n, note in enumerate(("A4", "As4"))
    }
    found |= {
        f"x_{note}": float(note_to_hz(71 + n)) * tuning for n, note in enumerate(("B4", "C5"))
    }
    found["x_A3"] = float(note_to_hz(63)) * tuning
    compared = compare_names(found)
    assert compared is not None
    assert str(compared) == (
        "4 of 5 files sound as named; 1 at another pitch, as phrases are: "
        f"x_A3 (found D#4, {311.127 * tuning:.0f} Hz, not A3, 220 Hz)"
    )


def test_transposition_by_a_semitone_is_named() -> None:
    found = {note: float(note_to_hz(68 + n)) for n, note in enumerate(("A4", "As4", "B4", "C5"))}
    assert str(compare_names(found)) == "4 of 4 files sound as named, 1 semitone lower"


def test_midi_numbers_are_found_among_other_numbers() -> None:
    found = {
        f"033-{note:03d}-{velocity:03d}": float(note_to_hz(note))
        for note, velocity in ((50, 25), (55, 50), (61, 75), (69, 100), (72, 127), (84, 25))
    }
    found["033-060-050"] = float(note_to_hz(72))
    compared = compare_names(found)
    assert compared is not None and compared.n_agreeing == 6
    assert [error.octaves for error in compared.octave_errors] == [1]


def test_only_the_first_three_files_are_named() -> None:
    found = named(*range(50, 60))
    found |= {f"pack/x_{note:03d}_v2.wav": float(note_to_hz(note - 12)) for note in range(60, 64)}
    text = str(compare_names(found))
    assert text.startswith("10 of 14 files sound as named; 4 an octave or more away: x_060_v2.wav")
    assert text.count("found") == 3 and text.endswith(" and 1 more")


def test_numbers_that_are_no_notes_are_not_compared() -> None:
    takes = {f"take_{n:02d}_025": 440 * 2 ** ((n * n % 17) / 12) for n in range(21, 60)}
    assert compare_names(takes) is None
    assert compare_names({f"take_{n}_15": float(note_to_hz(n + 7)) for n in range(30, 60)}) is None
    assert compare_names(named(60, 62, 64)) is None  # too few to know
    assert compare_names(named(60, 62, 64, 65, 67)) is not None


def test_names_that_do_not_fit_what_was_found_are_no_notes() -> None:
    found = {f"room_A{n}_mic": hz for n, hz in enumerate((300.0, 411.0, 523.0, 577.0, 700.0), 1)}
    assert compare_names(found) is None
    assert compare_names({}) is None
    assert compare_names({"A4": None, "B4": None, "C5": None, "D5": None}) is None
