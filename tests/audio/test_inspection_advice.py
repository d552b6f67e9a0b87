"""Advice about recordings: concrete, and never two remedies for one cause."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from support.sounds import make_curve_tone

from pipeline.audio.analysis import analyse
from pipeline.audio.inspection import inspect_recordings
from pipeline.audio.inspection_advice import Advice, brief, give_advice
from pipeline.audio.pitch import note_to_hz
from pipeline.audio.recordings import open_recordings
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute").data  # searches 230 to 2300 Hz
SCALE = {"C5": 72, "D5": 74, "E5": 76, "F5": 77, "C6": 84}
Sounds = dict[str, npt.NDArray[np.floating]]


def advise(
    folder: Path, sounds: Sounds, *, used_seconds: float = 600.0, held_out_share: float = 1 / 8
) -> list[Advice]:
    (folder / "pack").mkdir()
    for name, sound in sounds.items():
        sf.write(folder / "pack" / f"{name}.wav", sound, SAMPLE_RATE)
    recordings = open_recordings([folder / "pack"], FLUTE).recordings
    inspection = inspect_recordings(
        list(analyse(recordings, FLUTE, folder / "cache")), len(recordings), FLUTE
    )
    held_out_seconds = held_out_share * used_seconds
    return give_advice(inspection, used_seconds=used_seconds, held_out_seconds=held_out_seconds)


def naming(advice: list[Advice], name: str) -> list[str]:
    """Returns the remedies of what is said about a recording."""
    return [item.remedy for item in advice if name in item.finding + item.remedy]


def tone(note: int, seconds: float = 0.6) -> npt.NDArray[np.float32]:
    return make_curve_tone(float(note_to_hz(note)), seconds)


def test_range_advice_gives_the_entries_and_what_no_range_takes_in(tmp_path: Path) -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    whistle = (0.3 * np.sin(2 * np.pi * 5000 * time)).astype(np.float32)
    advice = advise(tmp_path, {"low": tone(45), "good": tone(69), "whistle": whistle})
    (remedy,) = naming(advice, "low.wav")
    assert remedy.startswith("set f0_min_hz = 10") and "f0_max_hz" not in remedy
    assert remedy.endswith(
        "leave out whistle.wav, because 47 to 4000 Hz are all that can be tracked"
    )
    assert naming(advice, "whistle.wav") == [remedy]
    assert not naming(advice, "good.wav")


def test_noise_is_named_once_although_its_pitch_is_unclear_too(tmp_path: Path) -> None:
    hiss = 0.1 * np.random.default_rng(0).normal(size=SAMPLE_RATE)
    advice = advise(tmp_path, {"good": tone(69), "hiss": hiss})
    assert naming(advice, "hiss.wav") == [
        "leave it out, or move the microphone closer to the instrument"
    ]


def test_octave_errors_outside_the_notes_in_the_names_need_a_narrower_range(tmp_path: Path) -> None:
    sounds = {name: tone(note) for name, note in SCALE.items()}
    advice = advise(tmp_path, sounds | {"B5": tone(95)})
    assert naming(advice, "B5.wav") == [
        "if the names are right, set f0_min_hz = 440 and f0_max_hz = 1245 under [data] of the "
        "instrument's file; otherwise correct the names"
    ]


def test_octave_errors_among_the_notes_in_the_names_are_listened_to(tmp_path: Path) -> None:
    sounds = {name: tone(note) for name, note in SCALE.items()}
    advice = advise(tmp_path, sounds | {"B4": tone(83)})
    assert naming(advice, "B4.wav") == ["listen to it, and correct the name or leave it out"]


def test_little_use_of_long_recordings_is_no_reason_to_record_more(tmp_path: Path) -> None:
    hiss = 0.1 * np.random.default_rng(0).normal(size=181 * SAMPLE_RATE)
    advice = advise(tmp_path, {"hiss": hiss}, used_seconds=1.0)
    (remedy,) = naming(advice, "Training would use 1 of 181 s")
    assert remedy.startswith("mend what is named here")
    (tmp_path / "short").mkdir()
    advice = advise(tmp_path / "short", {"good": tone(69)}, used_seconds=0.5)
    assert naming(advice, "Training would use 0.5 of 0.6 s")[0].startswith("record more")


def test_more_recordings_are_asked_for_only_of_few(tmp_path: Path) -> None:
    for n, remedy in (
        (7, "make several recordings of a minute or less"),
        (8, "record more, and in"),
    ):
        (tmp_path / f"{n}").mkdir()
        sounds = {f"take {number}": tone(69 + number, 0.4) for number in range(n)}
        advice = advise(tmp_path / f"{n}", sounds, used_seconds=40.0, held_out_share=0.0)
        (said,) = (item.remedy for item in advice if item.finding.startswith("Only 0 s remain"))
        assert said.startswith(remedy)


def trimmed(note: int, seconds: float = 0.6) -> npt.NDArray[np.floating]:
    """A note that rises for 30 ms, without silence at its ends."""
    sound = tone(note, seconds)
    rise = np.minimum(np.arange(len(sound)) / (0.03 * SAMPLE_RATE), 1)
    return np.asarray(sound * rise)


def about_pauses(advice: list[Advice]) -> list[Advice]:
    return [item for item in advice if "pause" in item.finding]


def test_notes_that_are_trimmed_at_their_ends_need_no_silence(tmp_path: Path) -> None:
    sounds = {name: trimmed(note) for name, note in SCALE.items()}
    assert about_pauses(advise(tmp_path, sounds)) == []


def test_notes_whose_onsets_are_cut_off_need_silence_before_them(tmp_path: Path) -> None:
    sounds = {"whole": trimmed(72), "cut": trimmed(76)[SAMPLE_RATE // 10 :]}
    assert about_pauses(advise(tmp_path, sounds)) == [
        Advice(
            "No recording has a pause, and 1 of 2 begin within a note",
            "leave half a second of silence before the notes, because their onsets are cut off",
        )
    ]


def test_click_before_a_note_is_no_note(tmp_path: Path) -> None:
    clicked = np.pad(trimmed(76), (SAMPLE_RATE // 4, 0))
    clicked[:40] = 0.5
    sounds = {"whole": trimmed(72), "clicked": clicked}
    assert not naming(advise(tmp_path, sounds), "No recording has a pause, and")


def test_long_recording_without_a_pause_needs_silence(tmp_path: Path) -> None:
    for seconds, n_items in ((19.0, 0), (21.0, 1)):
        folder = tmp_path / f"{seconds}"
        folder.mkdir()
        advice = about_pauses(advise(folder, {"long": trimmed(72, seconds)}))
        findings = [item.finding for item in advice]
        assert findings == ["No recording has a pause, so the noise is unknown"] * n_items


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0"),
        (0.04, "0"),
        (0.26, "0.3"),
        (1.0, "1"),
        (99.94, "99.9"),
        (100.0, "100"),
        (3600.4, "3600"),
    ],
)
def test_short_times_have_a_decimal(seconds: float, text: str) -> None:
    assert brief(seconds) == text
