"""The reverb of the device: C compared with float64 convolution, and firmware that uses it."""

import ctypes
import re
import subprocess

import numpy as np
import pytest
from support import small_player
from support.small_player import off, on, program_change

from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import APP_DIR
from pipeline.emit import presets
from pipeline.emit import reverb as emit_reverb
from pipeline.evaluation.bench_firmware import bench_frames
from pipeline.model import reverb as model_reverb
from pipeline.model.noise import UNTRAINED
from pipeline.quantization import tflite_writer
from pipeline.reference import device
from pipeline.reference import reverb as reference_reverb
from pipeline.target import firmware
from pipeline.target.player import build_player, perform
from pipeline.target.vendor import fetch_cmsis

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Werror"]
SANITIZERS = ["-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
LENGTHS = {  # taps: shortest, a partition plus one, head only, shortest tail, one second
    f"n{n}": n
    for n in (
        1,
        65,
        1600,
        reference_reverb.LONGEST_HEAD,
        reference_reverb.LONGEST_HEAD + 1,
        4000,
        SAMPLE_RATE,
    )
}


def decaying_noise(n_taps: int, seed: int, gain: float = 0.02) -> np.ndarray:
    """A response as loud as the learnt ones: 1, then noise with a reverberation time of 1 s."""
    noise = np.random.default_rng(seed).uniform(-1, 1, n_taps)
    response = gain * noise * 10 ** (-3 * np.arange(n_taps) / SAMPLE_RATE)
    response[0] = 1
    return response.astype(np.float32)


RESPONSES = {name: decaying_noise(n, seed) for seed, (name, n) in enumerate(LENGTHS.items())}
RESPONSES["loud"] = decaying_noise(4000, 99, gain=1.0)
NAMES = tuple(RESPONSES)
RESPONSES["absurd"] = decaying_noise(4000, 98, gain=1e34)  # products exceed float32


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    """The C module with all responses, compiled with UBSan."""
    out = tmp_path_factory.mktemp("reverb")
    texts = emit_reverb.shared_texts(list(RESPONSES), list(RESPONSES.values()))
    texts |= {f"{name}_reverb.c": emit_reverb.reverb_text(name, r) for name, r in RESPONSES.items()}
    texts["size.c"] = '#include "reverb/reverb.h"\nconst size_t reverb_size = sizeof(reverb_t);\n'
    for name, text in texts.items():
        (out / name).write_text(text)
    _, dsp = fetch_cmsis()
    listed = (APP_DIR / "cmake/cmsis_dsp.cmake").read_text()
    sources = [dsp / path for path in set(re.findall(r"CMSIS_DSP_DIR}/(Source/\S+\.c)", listed))]
    flags = ["-std=gnu99", "-O2", "-fPIC", "-ffp-contract=off", f"-I{APP_DIR}", f"-I{out}"]
    flags += ["-D__GNUC_PYTHON__", f"-isystem{dsp}/Include", f"-isystem{dsp}/PrivateInclude"]
    ours = [APP_DIR / "reverb/reverb.c", *out.glob("*.c")]
    objects = [out / f"{i}.o" for i in range(len(sources) + len(ours))]
    for source, compiled in zip([*sources, *ours], objects, strict=True):
        strict = [*WARNINGS, *SANITIZERS] if source in ours else ["-w"]
        subprocess.run(["gcc", *flags, *strict, "-c", source, "-o", compiled], check=True)
    subprocess.run(
        ["gcc", "-shared", *SANITIZERS, *objects, "-lm", "-o", out / "reverb.so"], check=True
    )
    return ctypes.CDLL(str(out / "reverb.so"))


class HostReverb:
    """The C module in a shared library, bound to one of its responses."""

    def __init__(self, library: ctypes.CDLL, name: str):
        self.library = library
        self.state = ctypes.create_string_buffer(
            ctypes.c_size_t.in_dll(library, "reverb_size").value
        )
        library.reverb_init(
            self.state, ctypes.byref(ctypes.c_char.in_dll(library, f"{name}_reverb"))
        )

    def play(self, pcm: np.ndarray) -> np.ndarray:
        out = pcm.copy()
        for block in out.reshape(-1, HOP_SAMPLES):
            self.library.reverb_process(self.state, block.ctypes.data_as(ctypes.c_void_p))
        return out


def music(n_samples: int, seed: int, peak: float = 8000) -> np.ndarray:
    """Returns a gliding tone that swells and fades, with some noise, int16."""
    t = np.arange(n_samples) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * (300 * t + 200 * t**2)) * np.sin(2 * np.pi * 1.3 * t) ** 2
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, n_samples)
    return np.round(peak * (tone + noise)).astype(np.int16)


@pytest.mark.firmware
@pytest.mark.parametrize("name", NAMES)
def test_c_equals_convolution_up_to_rounding(library, name):
    response = RESPONSES[name].astype(np.float64)
    pcm = music(30_016, seed=1, peak=500 if name == "loud" else 8000)
    exact = np.convolve(pcm, response)[: len(pcm)]
    assert np.abs(exact).max() < 32767
    played = HostReverb(library, name).play(pcm)
    assert np.abs(played - exact).max() < 0.51
    assert (
        np.abs(played.astype(int) - reference_reverb.play_reverb(pcm, RESPONSES[name])).max() <= 1
    )


@pytest.mark.firmware
@pytest.mark.parametrize("n_before", [0, 63, 64, 511, 512, 1000])
def test_impulse_gives_the_response_without_latency(library, n_before):
    response = RESPONSES["n4000"]
    pcm = np.zeros(5056, np.int16)
    pcm[n_before] = 10_000
    expected = np.zeros(len(pcm))
    expected[n_before : n_before + 4000] = 10_000 * response[: len(pcm) - n_before]
    assert np.abs(HostReverb(library, "n4000").play(pcm) - expected).max() < 0.51


@pytest.mark.firmware
@pytest.mark.parametrize("name", NAMES)
def test_silence_stays_silent_before_and_after_a_sound(library, name):
    host = HostReverb(library, name)
    assert not host.play(np.zeros(2048, np.int16)).any()
    host.play(music(4096, seed=2, peak=30_000))
    after = host.play(np.zeros(20_480, np.int16))
    # Overlap-save leaves float32 rounding errors, which round to silence.
    assert not after[LENGTHS.get(name, 4000) + 64 :].any()
    assert name == "n1" or after.any()


@pytest.mark.firmware
def test_reset_clears_the_state(library):
    host, pcm = HostReverb(library, "n16000"), music(20_032, seed=3)
    first = host.play(pcm)
    assert not np.array_equal(host.play(pcm), first)
    library.reverb_reset(host.state)
    np.testing.assert_array_equal(host.play(pcm), first)


@pytest.mark.firmware
def test_response_of_one_tap_passes_samples_unchanged(library):
    pcm = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(HostReverb(library, "n1").play(pcm), pcm)


@pytest.mark.firmware
def test_loud_sound_with_a_loud_response_saturates(library):
    pcm = np.where(np.random.default_rng(4).random(16_384) < 0.5, -32768, 32767).astype(np.int16)
    exact = np.convolve(pcm, RESPONSES["loud"].astype(np.float64))[: len(pcm)]
    assert np.abs(exact).max() > 3e5
    played = HostReverb(library, "loud").play(pcm)
    assert np.abs(played - np.clip(exact, -32768, 32767)).max() < 1
    assert {-32768, 32767} <= set(played)


@pytest.mark.firmware
def test_reverb_recovers_from_internal_infinities_and_nans(library):
    host = HostReverb(library, "absurd")
    loud = host.play(music(8192, seed=5))  # the sanitizer would report a conversion out of range
    assert np.isin(loud, [-32768, 32767]).mean() > 0.5
    host.play(np.zeros(8192, np.int16))
    assert not host.play(np.zeros(8192, np.int16)).any()


def test_shortened_response_equals_the_whole_and_fades_out():
    whole = decaying_noise(SAMPLE_RATE, 6)
    np.testing.assert_array_equal(model_reverb.shorten(whole, 1.0), whole)
    cut = model_reverb.shorten(whole, 0.25)
    n_fade = round(model_reverb.FADE_SECONDS * SAMPLE_RATE)
    assert len(cut) == 4000
    np.testing.assert_array_equal(cut[:-n_fade], whole[: 4000 - n_fade])
    kept = cut[-n_fade:] / whole[4000 - n_fade : 4000]
    assert np.all(np.diff(kept) <= 1e-6) and kept[0] > 0.99 and abs(kept[-1]) < 1e-6


@pytest.mark.parametrize("seconds", [0.0, -0.1, 1.1, np.nan, np.inf, 1e-9])
def test_unavailable_length_is_refused(seconds):
    with pytest.raises(UserError, match="up to 1 s"):
        model_reverb.shorten(decaying_noise(SAMPLE_RATE, 7), seconds)


def test_non_finite_response_is_refused():
    with pytest.raises(UserError, match="not finite"):
        model_reverb.shorten(np.full(SAMPLE_RATE, np.nan, np.float32), 0.5)


# --- firmware -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tflite(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "decoder_int8.tflite"
    path.write_bytes(
        tflite_writer.random_step_model(TcnConfig(n_blocks=2, hidden_channels=16), 0, "int8")
    )
    return path


def generate(out, tflite, seconds):
    whole = decaying_noise(SAMPLE_RATE, 8)
    response = model_reverb.shorten(whole, seconds)
    presets.write_firmware_source(
        [presets.Preset("flute", tflite, load_patch("flute"), UNTRAINED, response)], out
    )
    return response


@pytest.mark.firmware
@pytest.mark.parametrize(("boards", "seconds"), [(("host", "qemu_m7"), 1.0), (("qemu_m4",), 0.25)])
def test_firmware_plays_the_simulated_reverb_on_every_board(tmp_path, tflite, boards, seconds):
    response = generate(tmp_path / "c", tflite, seconds)
    frames = bench_frames(400)
    frames[100:110] = np.nan
    frames[110:120] = np.inf
    expected = device.simulate(tflite, load_patch("flute"), UNTRAINED, frames, response)
    dry = device.simulate(tflite, load_patch("flute"), UNTRAINED, frames)
    assert np.abs(expected.pcm.astype(int) - dry.pcm).max() > 100  # the reverb is audible
    renderings = []
    for board in boards:
        built = firmware.build(
            board, tmp_path / "c", build_dir=tmp_path / board, sanitize=board == "host"
        )
        played = firmware.render(built, frames)
        assert np.abs(played.pcm.astype(int) - expected.pcm).max() <= 1
        np.testing.assert_array_equal(played.logits, expected.logits)
        renderings.append(played.pcm)
        if board != "host":
            assert 0.9 * played.instructions["reverb"] < played.worst_reverb
            assert {"reverb", "response", "cmsis_dsp"} <= set(built.parts)
            assert built.parts["response"].flash_bytes < 1.02 * 8 * (len(response) + 512)
    for pcm in renderings[1:]:
        np.testing.assert_array_equal(pcm, renderings[0])


@pytest.mark.firmware
def test_player_plays_the_reverb_of_its_program_to_its_end(tmp_path, tflite):
    responses = {
        "flute": model_reverb.shorten(decaying_noise(SAMPLE_RATE, 10, gain=0.1), 0.25),
        "violin": model_reverb.shorten(decaying_noise(SAMPLE_RATE, 11, gain=0.1), 0.1),
    }
    score = [(2, on(60)), (50, off(60)), (180, program_change(1)), (300, on(67)), (330, off(67))]
    played = {}
    for kind, wet in (("dry", False), ("wet", True)):
        instruments = [
            presets.Preset(
                name,
                tflite,
                load_patch(name),
                UNTRAINED,
                response if wet else None,
                small_player.BARE,
            )
            for name, response in responses.items()
        ]
        presets.write_firmware_source(instruments, tmp_path / kind)
        program = build_player(
            "host", tmp_path / kind, n_voices=2, build_dir=tmp_path / f"{kind}-host", sanitize=True
        )
        played[kind] = perform(program, score).pcm
    dry, wet = played["dry"], played["wet"]
    n_echo = len(responses["violin"])
    assert n_echo <= len(wet) - len(dry) < n_echo + 2 * HOP_SAMPLES
    change = 180 * HOP_SAMPLES  # long after the first note and its reverb
    first = reference_reverb.play_reverb(dry[:change], responses["flute"])
    second = reference_reverb.play_reverb(
        np.pad(dry[change:], (0, len(wet) - len(dry))), responses["violin"]
    )
    for span, expected in ((slice(0, change), first), (slice(change, None), second)):
        assert np.abs(wet[span].astype(int) - expected).max() <= 1
        assert np.abs(expected).max() > 1000
    emulated = build_player("qemu_m4", tmp_path / "wet", n_voices=2, build_dir=tmp_path / "m4")
    np.testing.assert_array_equal(perform(emulated, score).pcm, wet)


@pytest.mark.firmware
def test_changing_the_response_during_a_sound_fades_the_old_one_out(library):
    host, pcm = HostReverb(library, "n4000"), music(6400, seed=12)
    before = host.play(pcm[:3200])
    whole = reference_reverb.play_reverb(pcm, RESPONSES["n4000"])
    np.testing.assert_allclose(before, whole[:3200], atol=1)
    other = ctypes.byref(ctypes.c_char.in_dll(library, "n1600_reverb"))
    block = pcm[3200:3264].copy()
    library.reverb_process_in(host.state, other, block.ctypes.data_as(ctypes.c_void_p))
    dry = pcm[3200:3264].astype(float)
    share = 1 - np.arange(64) / 64
    np.testing.assert_allclose(block, dry + share * (whole[3200:3264] - dry), atol=1.5)
    after = host.play(pcm[3264:])
    np.testing.assert_allclose(
        after, reference_reverb.play_reverb(pcm[3264:], RESPONSES["n1600"]), atol=1
    )


def test_board_without_fpu_refuses_reverb(tmp_path, tflite):
    generate(tmp_path, tflite, 0.1)
    with pytest.raises(UserError, match="no FPU"):
        firmware.build("qemu_m0", tmp_path)


def test_generating_again_without_reverb_removes_its_files(tmp_path, tflite):
    generate(tmp_path, tflite, 0.1)
    dry = presets.Preset("flute", tflite, load_patch("flute"), UNTRAINED)
    presets.write_firmware_source([dry], tmp_path)
    assert not list(tmp_path.glob("*reverb*"))
    with pytest.raises(UserError, match="others do not"):
        wet = presets.Preset(
            "other", tflite, load_patch("flute"), UNTRAINED, decaying_noise(100, 9)
        )
        presets.write_firmware_source([dry, wet], tmp_path)
