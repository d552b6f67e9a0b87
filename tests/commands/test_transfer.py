"""Timbre transfer: its latency, what it plays, and what it refuses."""

import re
import wave

import numpy as np
import pytest
from support.following_instrument import generate_following
from support.sounds import envelope, make_tone

from pipeline import transfer as transfer_command
from pipeline.audio import features, pcm
from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.target import live_features, transfer

pytestmark = pytest.mark.firmware

PLAYED_LATER_MS = 8.0  # one block to receive the input, one to render the output


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate_following(tmp_path_factory.mktemp("transfer") / "generated")


@pytest.fixture(scope="module")
def programs(generated):
    return {
        board: transfer.build_transfer(
            board, generated, build_dir=generated.parent / board, sanitize=board == "host"
        )
        for board in ("host", "qemu_m4", "qemu_m7")
    }


@pytest.fixture(scope="module")
def play(programs):
    def play(audio: np.ndarray, board: str = "host") -> transfer.Transfer:
        return transfer.transfer(programs[board], to_pcm(audio), f0_min_hz=150, f0_max_hz=1500)

    return play


@pytest.mark.parametrize("offset", [0, 1, 31, 63])
def test_onset_anywhere_in_a_block_is_audible_within_25_ms(play, offset):
    begin = 50 * HOP_SAMPLES + offset
    tone = make_tone(0.3, 440, level=0.5)
    played = play(np.concatenate([np.zeros(begin), tone, np.zeros(64)])).pcm
    loud = envelope(played)
    assert loud[: begin - HOP_SAMPLES].max() < 2e-4
    steady = np.median(loud[begin + 3200 : begin + 4000])
    half = np.argmax(loud > steady / 2)
    latency_ms = 1000 * (half - begin) / SAMPLE_RATE + PLAYED_LATER_MS
    assert steady > 0.1 and 8 < latency_ms < 25


@pytest.mark.parametrize("offset", [0, 31, 63])
@pytest.mark.parametrize(
    ("f0_hz", "longest_ms"),
    [((300, 320), 25), ((440, 494), 25), ((660, 440), 25), ((440, 660), 30)],
)
def test_pitch_step_is_audible_within_25_ms_and_a_large_one_within_30(
    play, f0_hz, longest_ms, offset
):
    begin = 60 * HOP_SAMPLES + offset
    hz = np.where(np.arange(2 * begin) < begin, *f0_hz)
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    tone = sum(0.6**n * np.sin(n * phase) for n in range(1, 6))
    measured_hz = play(0.3 * tone).frames[:, 0]
    way = np.log(measured_hz / f0_hz[0]) / np.log(f0_hz[1] / f0_hz[0])
    changed = 30 + np.argmax(way[30:] > 0.5)  # its ramp ends at the end of the block
    latency_ms = 1000 * ((changed + 1) * HOP_SAMPLES - begin) / SAMPLE_RATE + PLAYED_LATER_MS
    assert np.abs(way[90:] - 1).max() < 0.1
    assert 8 < latency_ms < longest_ms


def test_output_has_the_pitch_of_the_input_and_ends_with_it(play):
    tone = make_tone(0.5, 550, level=0.4)
    played = from_pcm(play(np.concatenate([tone, np.zeros(3200)])).pcm)
    assert np.abs(played[len(tone) + 1600 :]).max() < 2e-4
    found = features.extract_features(played[1600:7000], f0_min_hz=150, f0_max_hz=1500)
    np.testing.assert_allclose(found.f0_hz, 550, rtol=0.005)


def test_frames_equal_the_analysis_and_all_cores_play_the_same_bits(play):
    audio = np.concatenate([make_tone(0.2, 330), 0.01 * make_tone(0.1, 700), np.zeros(640)])
    here = play(audio)
    alone = live_features.analyse(
        live_features.build_analyser("host"), to_pcm(audio), f0_min_hz=150, f0_max_hz=1500
    ).features
    np.testing.assert_array_equal(here.frames, alone.frames)
    for board in ("qemu_m4", "qemu_m7"):
        there = play(audio, board)
        np.testing.assert_array_equal(there.pcm, here.pcm)
        np.testing.assert_array_equal(there.frames, here.frames)
        analysing = there.report["analysis_instructions"] / there.report["n_blocks"]
        assert 30_000 < analysing < 80_000


def test_command_plays_a_recording_with_the_learnt_reverb(small_run, tmp_path, build_dir, capsys):
    pcm.write_wav(tmp_path / "voice.wav", to_pcm(make_tone(0.5, 300)))
    arguments = ["--audio", tmp_path / "voice.wav", "--instrument", "flute"]
    arguments += ["--run", small_run]
    sounds = []
    for name, more in {"dry": [], "wet": ["--reverb", "0.1", "--board", "qemu_m4"]}.items():
        out = tmp_path / f"{name}.wav"
        transfer_command.main([str(word) for word in (*arguments, "--out", out, *more)])
        with wave.open(str(out)) as wav:
            sounds.append(np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(int))
    assert len(sounds[0]) == len(sounds[1]) == SAMPLE_RATE // 2
    assert np.abs(sounds[0]).max() > 100 and np.abs(sounds[1] - sounds[0]).max() > 10
    assert "instructions per block of 4 ms: analysis " in capsys.readouterr().out
    with pytest.raises(UserError, match="--f0 500 200: give the lower bound first"):
        transfer_command.main([str(word) for word in (*arguments, "--out", out, "--f0", 500, 200)])


def test_gain_brings_a_soft_recording_to_the_level_of_a_loud_one(tmp_path, build_dir, capsys):
    tone = make_tone(0.5, 440, level=0.9)
    sounds, lines = {}, {}
    for name, level, gain in (
        ("loud", 1.0, ["--gain", "0"]),
        ("soft", 0.01, ["--gain", "0"]),
        ("raised", 0.01, ["--gain", "40"]),
        ("auto", 0.01, []),
        ("lowered", 1.0, ["--gain", "auto"]),
        ("live", 0.01, ["--gain", "live"]),
    ):
        pcm.write_wav(tmp_path / f"{name}.wav", to_pcm(level * tone))
        out = tmp_path / f"{name}_out.wav"
        words = ["--audio", tmp_path / f"{name}.wav", "--instrument", "flute", "--pretrained"]
        transfer_command.main([str(word) for word in (*words, "--out", out, *gain)])
        with wave.open(str(out)) as wav:
            sounds[name] = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(int)
        lines[name] = capsys.readouterr().out
        assert ("give --gain auto" in lines[name]) == (name in ("loud", "soft", "raised"))
    peak = {name: np.abs(sound[4000:]).max() for name, sound in sounds.items()}
    assert peak["soft"] < 0.1 * peak["loud"]
    assert 0.9 < peak["raised"] / peak["loud"] < 1.1 and 0.9 < peak["auto"] / peak["lowered"] < 1.1
    assert peak["soft"] < peak["live"] < 1.1 * peak["auto"]  # after half a second
    gained = {name: float(re.search(r"^gain (\S+) dB", lines[name], re.M)[1]) for name in lines}
    assert gained["auto"] - gained["lowered"] == pytest.approx(40, abs=0.3)
    assert re.search(r"^gain \+0\.\d dB to \+\d", lines["live"], re.M)


@pytest.mark.parametrize("gain", ["81", "loud", "nan"])
def test_gain_that_is_no_level_is_refused(tmp_path, gain):
    words = ["--audio", "x.wav", "--instrument", "flute", "--out", str(tmp_path / "y.wav")]
    with pytest.raises(UserError, match=f"--gain: '{gain}' is not a number from -80 to 80"):
        transfer_command.main([*words, "--gain", gain])
