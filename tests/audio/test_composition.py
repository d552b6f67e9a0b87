"""The default corpus: what is composed, and how it is rendered."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from pipeline.audio import recordings, soundfont
from pipeline.audio.composition import compose_corpus, compose_melody
from pipeline.audio.features import extract_features
from pipeline.audio.loading import load_audio
from pipeline.audio.pitch import hz_to_note
from pipeline.audio.soundfont import render_midi
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.sound_sets import SOUND_SETS

FLUTE, PIANO = load_instrument("flute"), load_instrument("piano")


def notes_of(midi: mido.MidiFile) -> list[int]:
    return [m.note for m in midi.tracks[0] if m.type == "note_on"]


def write_notes(path: Path, *notes: int) -> None:
    track = mido.MidiTrack()
    for note in notes:
        track.append(mido.Message("note_on", note=note, velocity=90))
        track.append(mido.Message("note_off", note=note, time=960))
    mido.MidiFile(tracks=[track]).save(path)


@pytest.mark.parametrize("instrument", ["flute", "trumpet", "violin", "piano"])
def test_default_corpus_covers_the_instrument(instrument: str) -> None:
    corpus = load_instrument(instrument).corpus
    phrases = compose_corpus(load_instrument(instrument))
    messages = [message for midi in phrases for message in midi.tracks[0]]
    assert sum(midi.length for midi in phrases[::6]) * 6 > 600
    notes = [m for m in messages if m.type == "note_on"]
    assert {m.note for m in notes} == set(range(corpus.lowest_note, corpus.highest_note + 1))
    assert np.ptp([m.velocity for m in notes]) > 80
    swells = {m.value for m in messages if m.type == "control_change" and m.control == 11}
    bends = {m.pitch for m in messages if m.type == "pitchwheel"}
    if corpus.decays:
        assert not swells and not bends
    else:
        assert len(swells) > 50 and len(bends) > 50


def test_default_corpus_depends_only_on_the_seed() -> None:
    corpus, again = compose_corpus(FLUTE, n_phrases=4), compose_corpus(FLUTE, n_phrases=4)
    assert [midi.tracks[0] for midi in corpus] == [midi.tracks[0] for midi in again]
    other = compose_corpus(replace(FLUTE, data=replace(FLUTE.data, seed=1)), n_phrases=4)
    assert [notes_of(midi) for midi in other] != [notes_of(midi) for midi in corpus]


def test_melody_is_a_playable_tune_of_about_eight_seconds() -> None:
    for seed in range(20):
        midi = compose_melody(FLUTE, seed)
        notes = notes_of(midi)
        assert 7 < midi.length < 10
        assert np.ptp(notes) >= 5 and max(np.abs(np.diff(notes))) <= 12
        assert all(FLUTE.corpus.lowest_note <= note <= FLUTE.corpus.highest_note for note in notes)
    assert notes_of(compose_melody(FLUTE, 0)) != notes_of(compose_melody(FLUTE, 1))


@pytest.mark.fluidsynth
def test_rendered_notes_sound_at_their_pitch(tmp_path: Path) -> None:
    write_notes(tmp_path / "notes.mid", 60, 72, 84, 96)
    render_midi(tmp_path / "notes.mid", FLUTE.corpus.gm_program, tmp_path / "notes.wav")
    audio = load_audio(tmp_path / "notes.wav")
    f0_hz = extract_features(audio, f0_min_hz=230, f0_max_hz=2300).f0_hz
    for i, note in enumerate((60, 72, 84, 96)):
        middle = f0_hz[250 * i + 60 : 250 * i + 220]
        # The soundfont is not tuned exactly.
        assert abs(69 + 12 * np.log2(np.median(middle) / 440) - note) < 0.3


@pytest.mark.fluidsynth
@pytest.mark.parametrize("sound_set", ["TimGM6mb", "freepats"])
def test_sound_set_plays_a_piano_at_its_pitch_and_repeats_itself(
    tmp_path: Path, sound_set: str
) -> None:
    write_notes(tmp_path / "notes.mid", 60, 69)
    sounds = []
    for name in ("first.wav", "again.wav"):
        render_midi(tmp_path / "notes.mid", 0, tmp_path / name, sound_set=sound_set)
        sounds.append((tmp_path / name).read_bytes())
    assert sounds[0] == sounds[1]
    audio = load_audio(tmp_path / "first.wav")
    f0_hz = extract_features(audio, f0_min_hz=60, f0_max_hz=2300).f0_hz
    found_hz = np.array([np.median(f0_hz[60:200]), np.median(f0_hz[310:450])])
    assert np.abs(hz_to_note(found_hz) - [60, 69]).max() < 0.2


@pytest.mark.fluidsynth
def test_corpus_is_rendered_once_with_every_sound_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phrases = compose_corpus(PIANO, n_phrases=2)
    monkeypatch.setattr(recordings, "compose_corpus", lambda config: phrases)
    sets = ["TimGM6mb", "freepats"]
    rendered = recordings.render_corpus(PIANO, tmp_path, sets)
    assert [recording.source for recording in rendered] == ["TimGM6mb"] * 2 + ["freepats"] * 2
    assert not any(recording.real for recording in rendered)
    assert len({recording.name for recording in rendered}) == 4
    scores = [mido.MidiFile(r.path.with_suffix(".mid")).tracks[0] for r in rendered]
    assert scores == [phrases[0].tracks[0], phrases[1].tracks[0]] * 2
    times = [recording.path.stat().st_mtime_ns for recording in rendered]
    again = recordings.render_corpus(PIANO, tmp_path, sets)
    assert [recording.path.stat().st_mtime_ns for recording in again] == times


@pytest.mark.parametrize("name", SOUND_SETS)
def test_missing_sound_set_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    chosen = SOUND_SETS[name]
    monkeypatch.setattr(soundfont.shutil, "which", lambda tool: f"/usr/bin/{tool}")
    monkeypatch.setitem(SOUND_SETS, name, replace(chosen, path=tmp_path / chosen.path.name))
    message = rf"{chosen.path.name} is missing: .*apt-get install \w+ {chosen.package},"
    with pytest.raises(UserError, match=message):
        recordings.render_corpus(PIANO, tmp_path, [name])
    assert not list(tmp_path.iterdir())


@pytest.mark.fluidsynth
def test_program_that_freepats_does_not_have_is_refused(tmp_path: Path) -> None:
    write_notes(tmp_path / "notes.mid", 60)
    with pytest.raises(UserError, match="freepats does not have General MIDI program 3: use Fluid"):
        render_midi(tmp_path / "notes.mid", 3, tmp_path / "out.wav", sound_set="freepats")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.fluidsynth
def test_missing_synthesizer_and_wrong_scores_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.mid").write_text("no score")
    with pytest.raises(UserError, match=r"bad\.mid is not a MIDI file"):
        render_midi(tmp_path / "bad.mid", 73, tmp_path / "out.wav")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install fluidsynth"):
        render_midi(tmp_path / "bad.mid", 73, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()
