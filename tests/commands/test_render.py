"""Rendering of Standard MIDI Files by the player: what is read, written and refused."""

import wave

import mido
import numpy as np
import pytest
from support.midi_files import midi_bytes, write_tracks
from support.midi_files import note as note_of
from support.replacing import replaced

from pipeline import render
from pipeline.audio.features import extract_features
from pipeline.audio.pcm import from_pcm
from pipeline.core import paths
from pipeline.core.cli import run_main
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.model import reverb as model_reverb
from pipeline.reference import reverb as reference_reverb


def save(path, *messages, kind=0, ticks_per_beat=500):
    """Writes a MIDI file of one track, with 1000 ticks per second at the default tempo."""
    track = mido.MidiTrack(messages)
    mido.MidiFile(type=kind, ticks_per_beat=ticks_per_beat, tracks=[track]).save(path)
    return path


def note(kind, pitch, time, velocity=100):
    return mido.Message(kind, note=pitch, velocity=velocity, time=time)


@pytest.fixture(scope="module", autouse=True)
def build_dir(tmp_path_factory):
    """A build folder that these tests share, instead of the repository's."""
    with replaced(paths.BUILD_DIR, tmp_path_factory.mktemp("build")):
        yield


@pytest.fixture(scope="module")
def tune(tmp_path_factory):
    return save(
        tmp_path_factory.mktemp("midi") / "tune.mid",
        mido.Message("sysex", data=[1, 2, 3, 4, 5]),
        note("note_on", 72, 100),
        note("note_off", 72, 400),
        note("note_on", 76, 0),
        note("note_off", 76, 500),
    )


def play(tune, run_dir, out, *options, n_voices=2):
    arguments = ["--midi", tune, "--instrument", "flute", "--run", run_dir, "--out", out, *options]
    arguments += ["--voices", n_voices] if n_voices else []
    render.main([str(argument) for argument in arguments])
    with wave.open(str(out)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2")


@pytest.mark.firmware
def test_engines_play_the_same_tune(tune, small_run, tmp_path, capsys):
    pcm = {
        name: play(tune, small_run, tmp_path / f"{name}.wav", *options)
        for name, options in {
            "float": ["--float"],
            "host": [],
            "qemu_m4": ["--board", "qemu_m4"],
            "wasm": ["--board", "wasm"],
        }.items()
    }
    assert "instructions per block" in capsys.readouterr().out
    for board in ("qemu_m4", "wasm"):
        np.testing.assert_array_equal(pcm["host"], pcm[board], err_msg=board)
    assert len(pcm["float"]) == len(pcm["host"]) > SAMPLE_RATE
    host, floating = from_pcm(pcm["host"]), from_pcm(pcm["float"])
    assert not host[: 25 * HOP_SAMPLES].any() and host[25 * HOP_SAMPLES : 30 * HOP_SAMPLES].any()
    assert np.corrcoef(host, floating)[0, 1] > 0.9  # the model is untrained, with eight bits


@pytest.mark.firmware
def test_engines_play_the_learnt_reverb(tune, small_run, tmp_path):
    dry = play(tune, small_run, tmp_path / "dry.wav").astype(int)
    wet = play(tune, small_run, tmp_path / "wet.wav", "--reverb", 0.1).astype(int)
    floating = play(tune, small_run, tmp_path / "f.wav", "--reverb", 0.1, "--float")
    response = model_reverb.shorten(model_reverb.learnt_response(small_run), 0.1)
    expected = reference_reverb.play_reverb(
        np.pad(dry, (0, len(wet) - len(dry))).astype(np.int16), response
    )
    assert len(wet) - len(dry) >= len(response) and np.abs(wet[: len(dry)] - dry).max() > 1
    assert np.abs(wet - expected).max() <= 1
    assert len(floating) >= len(dry) + len(response)
    assert np.corrcoef(wet[: len(dry)], floating[: len(dry)])[0, 1] > 0.9


@pytest.mark.firmware
def test_tune_sounds_at_the_pitches_of_its_notes(tune, small_run, tmp_path):
    sound = from_pcm(play(tune, small_run, tmp_path / "out.wav", "--float"))
    sound = sound / np.abs(sound).max()
    f0_hz = extract_features(sound, f0_min_hz=230, f0_max_hz=2300).f0_hz
    pitch = 69 + 12 * np.log2(f0_hz / 440)
    interval = np.median(pitch[170:230]) - np.median(pitch[60:110])  # the model sets the octave
    assert interval % 12 == pytest.approx(4, abs=0.2)


@pytest.mark.firmware
def test_chord_of_more_notes_than_voices_loses_one(small_run, tmp_path, capsys):
    chord = [note("note_on", pitch, 0) for pitch in (60, 64, 67)]
    chord += [note("note_off", pitch, 300) for pitch in (60, 64, 67)]
    tune = save(tmp_path / "chord.mid", *chord)
    assert play(tune, small_run, tmp_path / "out.wav").any()
    assert (
        "notes cut off or not played: 1 of 3, because up to 3 sound together; --voices 3 plays all"
    ) in capsys.readouterr().out


@pytest.mark.firmware
def test_chord_for_an_instrument_that_slurs_loses_all_but_one(small_run, tmp_path, capsys):
    chord = [note("note_on", pitch, 0) for pitch in (60, 64, 67)]
    melody = [note("note_on", 72, 300), note("note_off", 67, 8), note("note_off", 72, 300)]
    rest = [note("note_off", pitch, 0) for pitch in (60, 64)]
    tune = save(tmp_path / "chord.mid", *chord, *melody, *rest)
    assert play(tune, small_run, tmp_path / "out.wav", n_voices=None).any()
    printed = capsys.readouterr().out
    assert ", 1 voice, peak" in printed
    assert "notes cut off or not played: 2 of 4, because up to 4 sound" in printed


@pytest.mark.firmware
def test_file_that_asks_for_one_note_at_a_time_loses_the_others(small_run, tmp_path, capsys):
    mono = mido.Message("control_change", control=126, value=1)
    chord = [note("note_on", pitch, 0) for pitch in (60, 64, 67)]
    chord += [note("note_off", pitch, 300) for pitch in (67, 64, 60)]
    play(save(tmp_path / "solo.mid", mono, *chord), small_run, tmp_path / "out.wav")
    said = "notes cut off or not played: 1 of 3, 1 because the file asks for one note at a time"
    assert said in capsys.readouterr().out


@pytest.mark.firmware
def test_nothing_is_said_about_notes_that_are_all_played(tune, small_run, tmp_path, capsys):
    play(tune, small_run, tmp_path / "out.wav")
    assert "not played" not in capsys.readouterr().out


@pytest.mark.firmware
def test_note_without_note_off_is_released_and_named(small_run, tmp_path, capsys):
    hanging = save(tmp_path / "endless.mid", note("note_on", 60, 0))
    ended = save(tmp_path / "ended.mid", note("note_on", 60, 0), note("note_off", 60, 2000))
    np.testing.assert_array_equal(
        play(hanging, small_run, tmp_path / "a.wav"), play(ended, small_run, tmp_path / "b.wav")
    )
    said = "endless.mid: no note-off: 1 note, first C4 on channel 1 at 0.00 s; released 2 s after"
    assert capsys.readouterr().out.count(said) == 1


@pytest.mark.firmware
def test_melody_of_a_band_is_played_alone_or_with_the_rest(small_run, tmp_path, capsys):
    melody = note_of(72, 400) + note_of(40, 300)
    drums = note_of(36, 200, channel=10)
    band = write_tracks(tmp_path / "band.mid", melody, note_of(79, 500, channel=2), drums)
    alone = write_tracks(tmp_path / "alone.mid", melody)
    expected = play(alone, small_run, tmp_path / "a.wav")
    capsys.readouterr()
    for option in ("--channel", "--track"):
        played = play(band, small_run, tmp_path / "b.wav", option, 1)
        np.testing.assert_array_equal(played, expected)
    assert "band.mid: 1 note outside A3 to D7, the range of the flute" in capsys.readouterr().out
    together = play(band, small_run, tmp_path / "c.wav", n_voices=None)
    assert not np.array_equal(together, expected)
    printed = capsys.readouterr().out
    assert "2 channels are played as one part" in printed and "1 note of drums" in printed
    said = "notes cut off or not played: 1 of 3 (1 of 2 of channel 1), because up to 2 sound"
    assert said in printed


def test_parts_are_listed_without_playing(tmp_path, capsys):
    band = write_tracks(tmp_path / "band.mid", note_of(72, 400), note_of(36, 200, channel=10))
    render.main(["--midi", str(band), "--list"])
    assert capsys.readouterr().out == (
        "track 1 (channel 1, 1 note, C5)\ntrack 2 (channel 10, drums, 1 note, C2)\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "one of the arguments --out --list is required"),
        ("--out x.wav --channel 17", "--channel: '17' is not a whole number from 1 to 16"),
        ("--out x.wav --channel 0", "--channel: '0' is not a whole number from 1 to 16"),
        ("--out x.wav --track 0", "--track: '0' is not a whole number from 1 to 65535: --list"),
        ("--out x.wav --track Melody", "'Melody' is not a whole .*: --list shows the numbers"),
        ("--out x.wav --channel 2 3", "tune.mid has no notes on channel 2: --list"),
        ("--list --channel 5", "tune.mid has no notes on channel 5: --list alone shows"),
        ("--list --track 9", "tune.mid has no notes on track 9: --list alone shows"),
        ("--out .", "is a folder: give the name of a file"),
        ("--out x.wav --track 2", "tune.mid has no notes on track 2: --list"),
    ],
)
def test_part_that_cannot_be_played_is_named(tune, options, message):
    with pytest.raises(UserError, match=message):
        render.main(["--midi", str(tune), "--instrument", "flute", *options.split()])


def test_damaged_file_ends_the_command_with_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "tune.mid").write_bytes(midi_bytes(b"\0\xff\x59\x02\xf7\0"))
    argv = ["render", "--midi", str(tmp_path / "tune.mid"), "--instrument", "flute"]
    monkeypatch.setattr("sys.argv", [*argv, "--out", str(tmp_path / "out.wav")])
    with pytest.raises(SystemExit) as ended:
        run_main(render.main)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.firmware
def test_number_of_voices_is_bounded(tune, small_run, tmp_path):
    for n_voices in ("0", "-1", "1.5", "129"):
        arguments = ["--midi", str(tune), "--instrument", "flute", "--run", str(small_run)]
        with pytest.raises(
            UserError, match=f"--voices: '{n_voices}' is not a whole number from 1 to 128"
        ):
            render.main([*arguments, "--out", str(tmp_path / "out.wav"), "--voices", n_voices])
