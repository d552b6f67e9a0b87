"""What the pitch tracker misses, from sounds to the advice."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from support.sounds import make_curve_tone

from pipeline.audio.analysis import analyse
from pipeline.audio.issue_log import IssueLog
from pipeline.audio.pitch import note_to_hz
from pipeline.audio.pitch_report import PitchReport, report_pitches
from pipeline.audio.recordings import open_recordings
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute").data  # searches 230 to 2300 Hz


def report(folder: Path, sounds: dict[str, npt.NDArray[np.floating]]) -> PitchReport:
    (folder / "pack").mkdir()
    for name, sound in sounds.items():
        sf.write(folder / "pack" / f"{name}.wav", sound, SAMPLE_RATE)
    found = open_recordings([folder / "pack"], FLUTE)
    analyses = analyse(found.recordings, FLUTE, folder / "cache")
    return report_pitches(((a.recording, a.checks) for a in analyses), FLUTE)


def glide(low_hz: float, high_hz: float) -> npt.NDArray[np.float32]:
    return make_curve_tone(np.linspace(low_hz, high_hz, SAMPLE_RATE), partials=1)


def test_the_range_that_takes_in_all_notes_is_given(tmp_path: Path) -> None:
    pitches = report(
        tmp_path,
        {"low": make_curve_tone(110.0), "within": make_curve_tone(440.0)}
        | {"high": make_curve_tone(2793.8), "higher": make_curve_tone(3136.0)},
    )
    assert [note.name for note in pitches.below] == ["pack/low.wav"]
    assert [note.name for note in pitches.above] == ["pack/high.wav", "pack/higher.wav"]
    low, high = pitches.wider_range_hz
    assert low == pytest.approx(110 / 2 ** (1 / 12), abs=2)
    assert high == pytest.approx(3136 * 2 ** (1 / 12), rel=0.03)  # a lag is 5 % there
    below, above, advice = pitches.range_lines()
    assert below.startswith("1 of 4 recordings (1.0 s) lie below 230 Hz")
    assert above.startswith("2 of 4 recordings (2.0 s) lie above 2300 Hz")
    assert advice == (
        f"f0_min_hz = {low:g} and f0_max_hz = {high:g} under [data] would take them in"
    )


def test_chirps_above_the_range_are_explained_by_the_range(tmp_path: Path) -> None:
    pitches = report(tmp_path, {"a": glide(2500, 5500), "b": glide(5500, 4500)})
    above, advice, beyond = pitches.range_lines()
    assert above.startswith("2 of 2 recordings (2.0 s) lie above 2300 Hz")
    assert advice == "f0_max_hz = 4000 under [data] would take all but 1 of them in"
    assert beyond.startswith("1 of them lie outside 47 to 4000 Hz") and "pack/b.wav" in beyond


def test_a_chord_does_not_widen_the_range(tmp_path: Path) -> None:
    notes = [make_curve_tone(hz, level=0.25) for hz in (392.0, 493.9, 587.3)]
    assert report(tmp_path, {"chord": np.sum(notes, axis=0)}).range_lines() == []


def test_notes_in_names_show_octave_errors_and_the_range(tmp_path: Path) -> None:
    scale = {"C5": 72, "D5": 74, "E5": 76, "F5": 77, "G5": 79}
    sounds = {name: make_curve_tone(float(note_to_hz(note))) for name, note in scale.items()}
    sounds["A5"] = make_curve_tone(440.0)
    sounds["E3"] = make_curve_tone(329.6)  # its name says 165 Hz
    pitches = report(tmp_path, sounds)
    compared = pitches.names["pack"]
    assert compared.n_agreeing == 5
    assert [(e.name, e.octaves) for e in compared.octave_errors] == [
        ("pack/A5.wav", -1),
        ("pack/E3.wav", 1),
    ]
    (line,) = pitches.name_lines()
    assert line == (
        "pack: 5 of 7 files sound as named; 2 an octave or more away: A5.wav (found A4, 440 Hz, "
        "not A5, 880 Hz), E3.wav (found E4, 330 Hz, not E3, 165 Hz)"
    )
    assert [note.name for note in pitches.below] == ["pack/E3.wav"]
    assert pitches.wider_range_hz == (155.0, 2300.0)
    log = IssueLog()
    pitches.add_issues(log)
    assert log.by_name()["pack/A5.wav"] == [
        "a pitch an octave or more from the note in the name (440 Hz instead of 880 Hz)"
    ]
    assert "named E3, 165 Hz" in log.by_name()["pack/E3.wav"][1]


def test_nothing_is_said_about_a_pack_within_the_range(tmp_path: Path) -> None:
    pitches = report(tmp_path, {"one": make_curve_tone(300.0), "two": make_curve_tone(2000.0)})
    assert pitches.range_lines() == [] and pitches.name_lines() == []
    assert pitches.wider_range_hz == (FLUTE.f0_min_hz, FLUTE.f0_max_hz)
