"""pipeline.patch: a voice of a DX7 becomes firmware, and the patch that made a sound is found."""

import json
import tomllib

import numpy as np
import pytest
import soundfile
from support.dx7_cartridge import Voice, cartridge, message, vced
from support.refusals import refusal
from support.small_run import make_run
from support.sounds import make_string, make_tone

from pipeline import codegen, patch
from pipeline.core import patch_files
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.patch_files import known_patches, load_patch, patch_table
from pipeline.core.stretch import inharmonicity
from pipeline.evaluation.bench_firmware import bench_frames
from pipeline.model import patch_fit
from pipeline.model.dx7_sysex import read_voices
from pipeline.model.patches import find_patch
from pipeline.quantization.weights import load_noise
from pipeline.reference import device
from pipeline.reference.fm import FixedVoice
from pipeline.target import firmware

BRASS = Voice(
    "BRASS 9!",
    algorithm=22,
    feedback=7,
    operators=[
        (1, 0, 9, 0),
        (0, 0, 7, 0),
        (1, 1, 5, 0),
        (2, 0, 14, 0),
        (3, 52, 7, 0),
        (1, 0, 7, 0),
    ],
)
BELL = Voice("TUB BELL", algorithm=32, operators=[(n, 41, 7, 0) for n in range(6)])


@pytest.fixture
def patch_dir(tmp_path, monkeypatch):
    """An empty folder in place of data/patches."""
    folder = tmp_path / "patches"
    folder.mkdir()
    monkeypatch.setattr(patch_files, "PATCH_DIR", folder)
    monkeypatch.setattr(patch, "PATCH_DIR", folder)
    return folder


@pytest.fixture
def syx(tmp_path):
    path = tmp_path / "my voices.syx"
    path.write_bytes(cartridge(BELL, BRASS))
    return str(path)


def refused(capsys, *words):
    return refusal(capsys, patch.main, *words)


@pytest.mark.firmware
def test_voice_of_a_cartridge_plays_on_every_core_bit_for_bit(patch_dir, syx, tmp_path):
    patch.main(["--syx", syx, "--voice", "2", "--name", "mine"])
    run = tmp_path / "runs" / "kazoo" / "reduced_cd"
    make_run(run, instrument="kazoo", patch=patch_table(load_patch("mine")))
    codegen.main(["--run", str(run), "--out", str(tmp_path / "c")])
    frames = bench_frames(60)
    tflite = run / "decoder_int8.tflite"
    expected = device.simulate(tflite, load_patch("mine"), load_noise(run), frames).pcm
    flute = device.simulate(tflite, load_flute(), load_noise(run), frames).pcm
    assert np.abs(expected).max() > 1000 and not np.array_equal(expected, flute)
    for board in ("host", "qemu_m0", "qemu_m4"):
        built = firmware.build(board, tmp_path / "c", build_dir=tmp_path / board)
        np.testing.assert_array_equal(firmware.render(built, frames).pcm, expected, err_msg=board)


def load_flute():
    return patch_files.resolve_patch(
        {"algorithm": 16, "ratios": "1 1 1 2 2 1.5"}, "flute"
    )  # data/patches is replaced


def test_voices_are_listed_and_written(patch_dir, syx, capsys):
    patch.main(["--syx", syx])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("TUB BELL   algorithm 32, ratios 0.705 1.41 2.82 4.23 5.64 7.05")
    assert lines[1].endswith(
        "ratios 1+2ct 0.5 1.01-2ct 2+7ct 4.56 1; without feedback 7 of operator 6"
    )
    assert len(lines) == 34 and "--voice N" in lines[-1]
    patch.main(["--syx", syx, "--voice", "2"])
    text = (patch_dir / "brass_9.toml").read_text()
    assert text.startswith(
        "# Voice 2 of my voices.syx: BRASS 9!, algorithm 22.\n# Not played: feed"
    )
    assert find_patch_named("brass_9").detune_cents == (2, 0, -2, 7, 0, 0)
    capsys.readouterr()
    patch.main([])
    assert capsys.readouterr().out.startswith("brass_9: 6>5 6>4 6>3 2>1; ratios 1+2ct 0.5")
    patch.main(["--show", "brass_9"])
    shown = capsys.readouterr().out
    assert "operator 6, ratio 1: modulates operator 3 and 4 and 5" in shown
    assert [line.split() for line in shown.splitlines()[1:3]] == [["2", "6"], ["1", "5", "4", "3"]]


def find_patch_named(name):
    assert known_patches() == [name]
    return load_patch(name)


def test_bad_input_is_refused_in_one_line(patch_dir, syx, tmp_path, capsys):
    patch.main(["--syx", syx, "--voice", "1"])
    assert "tub_bell.toml exists" in refused(capsys, "--syx", syx, "--voice", "1")
    assert "has 32 voices: give --voice 1 to 32" in refused(capsys, "--syx", syx, "--voice", "33")
    assert "give one --syx FILE" in refused(capsys, "--voice", "1")
    assert "--name is for --voice: add it" in refused(capsys, "--syx", syx, "--name", "x")
    assert "leave out --name" in refused(
        capsys, "--syx", syx, "--voice", "2", "--name", "x", "--out", str(tmp_path / "y.toml")
    )
    for name in ("a b", "", "../x"):
        assert f"--name {name!r}: give a name of" in refused(
            capsys, "--syx", syx, "--voice", "2", "--name", name
        )
    assert "give a file name" in refused(capsys, "--syx", syx, "--voice", "2", "--out", "a b.toml")
    assert "is a folder: give the name of a file" in refused(
        capsys, "--syx", syx, "--voice", "2", "--out", str(tmp_path)
    )
    assert "unknown patch 'tuba'" in refused(capsys, "--show", "tuba")
    assert "give --audio DIR" in refused(capsys, "--fit")
    assert "--audio is for --fit or --stretch: add one" in refused(capsys, "--audio", str(tmp_path))
    damaged = tmp_path / "damaged.syx"
    damaged.write_bytes(message(vced(BELL), 0)[:-5] + b"\xf7")
    assert "damaged.syx: message 1 has" in refused(capsys, "--syx", str(damaged))


def write_sounds(folder, source):
    """Writes sounds of a patch at levels that move."""
    random = np.random.default_rng(1)
    folder.mkdir()
    for number, f0_hz in enumerate((262.0, 392.0, 523.0, 784.0)):
        ends = random.uniform(0.02, 0.25, (2, 6))
        levels = np.linspace(*ends, 125) * 2.0**32
        pcm = FixedVoice(source).render(np.full(125, f0_hz, np.float32), levels.astype(np.int32))
        soundfile.write(folder / f"{number}.wav", pcm, SAMPLE_RATE)


def test_fit_finds_the_patch_that_made_the_sounds(tmp_path, capsys, monkeypatch):
    """Sounds of the pair with a fan are fitted with all patches."""
    audio = tmp_path / "audio"
    write_sounds(audio, load_patch("pair_and_fan"))
    cartridge_file = tmp_path / "bells.syx"
    cartridge_file.write_bytes(message(vced(BELL), 0))
    monkeypatch.setattr(patch_fit, "N_FRAMES", 16)
    words = ["--fit", "--quick", "--audio", str(audio), "--syx", str(cartridge_file)]
    patch.main([*words, "--out", str(tmp_path / "out")])
    figures = json.loads((tmp_path / "out" / "patches.json").read_text())
    errors = {row["name"]: row["error_db"] for row in figures["patches"]}
    assert next(iter(errors)) == "pair_and_fan" and errors["pair_and_fan"] < 0.6
    assert errors["tub_bell"] > 10  # its carriers lie between the partials
    harmonic = {name for name in known_patches() if not load_patch(name).is_stretched}
    assert {*harmonic, "tub_bell"} == set(errors) and "stretched_piano" not in harmonic
    assert (tmp_path / "out" / "patches.svg").read_text().count("<svg") == 1
    lines = capsys.readouterr().out.splitlines()
    second = sorted(errors, key=errors.__getitem__)[1]
    lead_db = errors[second] - errors["pair_and_fan"]
    assert "pair_and_fan: " in lines[1]
    assert lines[-3] == (
        f"pair_and_fan fits best: it errs by {errors['pair_and_fan']:.2f} dB, {lead_db:.2f} dB "
        f"less than {second}"
    )
    assert lines[-1] == (
        f"next: python -m pipeline.new_instrument NAME --patch pair_and_fan --audio {audio}"
    )


@pytest.mark.parametrize(
    ("instrument", "step"),
    [
        (
            "flute",
            'write patch = "pair_and_fan" into data/instruments/flute.toml, and python -m '
            "pipeline.run --instrument flute --audio ",
        ),
        ("trumpet", "python -m pipeline.run --instrument trumpet --audio "),
        ("piano", "keep the patch of data/instruments/piano.toml: it is stretched, and "),
    ],
)
def test_fit_says_what_an_instrument_needs(instrument, step, tmp_path, capsys, monkeypatch):
    write_sounds(tmp_path / "audio", load_patch("pair_and_fan"))
    monkeypatch.setattr(patch_fit, "N_FRAMES", 4)
    words = ["--fit", "--quick", "--audio", str(tmp_path / "audio"), "--instrument", instrument]
    patch.main([*words, "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"next: {step}")


def test_fit_says_how_the_voice_that_fits_best_becomes_a_patch(tmp_path, capsys, monkeypatch):
    """The voice has the name of another patch, so that it gets a number."""
    operators = [(ratio, 0, 7, 0) for ratio in (1, 3, 1, 4, 5, 7)]
    path = tmp_path / "my voices.syx"
    path.write_bytes(cartridge(BELL, Voice("FLUTE", algorithm=1, operators=operators)))
    write_sounds(tmp_path / "audio", read_voices(path)[1].patch())
    monkeypatch.setattr(patch_fit, "N_FRAMES", 4)
    words = ["--fit", "--quick", "--audio", str(tmp_path / "audio"), "--syx", str(path)]
    patch.main([*words, "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"next: python -m pipeline.patch --syx '{path}' --voice 2 --name flute_2, then python -m "
        f"pipeline.new_instrument NAME --patch flute_2 --audio {tmp_path / 'audio'}"
    )


def test_fit_needs_recordings_with_a_clear_pitch(tmp_path, capsys):
    hiss = 0.1 * np.random.default_rng(0).normal(size=SAMPLE_RATE)
    soundfile.write(tmp_path / "hiss.wav", hiss, SAMPLE_RATE)
    words = ["--fit", "--quick", "--audio", str(tmp_path / "hiss.wav"), "--out", str(tmp_path)]
    line = refused(capsys, *words)
    assert "none of 1 recordings has a clear pitch from 60 to 2000 Hz: choose another" in line


def test_find_patch_reads_what_the_command_wrote(patch_dir, syx, tmp_path):
    patch.main(["--syx", syx, "--voice", "2", "--out", str(patch_dir / "horn.toml")])
    config = make_run(tmp_path / "run", instrument="kazoo", patch="horn").config
    assert find_patch(config) == load_patch("horn")


def test_inharmonicity_of_recorded_strings_is_measured(tmp_path, capsys):
    """The strings of the second folder, which is held out, are ten times as stiff."""
    values = {36: 1e-4, 48: 2e-4, 60: 4e-4, 66: 5.66e-4}  # doubles every octave
    for source, factor in (("soft", 1), ("stiff", 10)):
        (tmp_path / source).mkdir()
        for note, value in values.items():
            tone = make_string(440 * 2 ** ((note - 69) / 12), factor * value)
            soundfile.write(tmp_path / source / f"{note}.wav", tone, SAMPLE_RATE)
    words = ["--stretch", "--audio", str(tmp_path / "soft"), str(tmp_path / "stiff")]
    patch.main([*words, "--hold-out", "stiff", "--out", str(tmp_path / "out")])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("soft: partial 10: 100% of 4 notes within 15 cents, median 0.")
    assert shown[1].startswith("stiff (held out): partial 10: 0% of 4 notes within 15 cents")
    figures = json.loads((tmp_path / "out" / "stretch.json").read_text())
    entry = tomllib.loads(shown[2])["inharmonicity"]
    assert entry == figures["inharmonicity"]
    for note, value in values.items():
        assert inharmonicity(entry, 440 * 2 ** ((note - 69) / 12)) == pytest.approx(value, rel=0.03)


def test_recordings_without_stretched_notes_are_refused(tmp_path, capsys):
    soundfile.write(tmp_path / "short.wav", make_tone(0.15, 220.0), SAMPLE_RATE)
    words = ["--stretch", "--audio", str(tmp_path), "--out", str(tmp_path / "out")]
    assert "no note in the recordings lasts" in refused(capsys, *words)
    assert "--stretch needs recordings" in refused(capsys, "--stretch")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--show flute --syx x.syx", "--syx does not go with --show: leave one out"),
        ("--show flute --voice 2", "--voice does not go with --show"),
        ("--fit --audio in --stretch", "--stretch does not go with --fit"),
        ("--fit --audio in --hold-out x", "--hold-out does not go with --fit"),
        ("--fit --audio in --name x", "--name does not go with --fit"),
        ("--stretch --audio in --quick", "--quick does not go with --stretch"),
        ("--stretch --audio in --syx x.syx", "--syx does not go with --stretch"),
        ("--voice 2 --syx x.syx --audio in", "--audio does not go with --voice"),
        ("--voice 2 --syx x.syx --syx y.syx", "--voice needs the file that contains the voice"),
        ("--hold-out x", "--hold-out is for --stretch: add it"),
        ("--instrument flute", "--instrument is for --fit or --stretch: add one of them"),
        ("--out x.toml", "--out is for --fit or --stretch or --voice: add one of them"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(capsys, words, reason):
    assert reason in refused(capsys, *words.split())
