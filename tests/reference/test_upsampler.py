"""48 kHz: the filter of the upsampler, its bits on every core, its effect on tones, its reverse."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.small_player import off, on

from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import APP_DIR
from pipeline.evaluation import aliasing
from pipeline.model import upsampler as model_upsampler
from pipeline.reference import upsampler as reference_upsampler
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.build import build_program, make
from pipeline.target.emulator import run_program
from pipeline.target.player import SCORE_RECORD
from pipeline.target.vendor import fetch_cmsis

RATE = model_upsampler.FACTOR * SAMPLE_RATE
DELAY = 48  # samples at 48 kHz


def response_db(hz: np.ndarray) -> np.ndarray:
    taps = model_upsampler.design_taps() / model_upsampler.UNITY_Q15 / model_upsampler.FACTOR
    turns = np.outer(hz, np.arange(len(taps))) / RATE
    return 20 * np.log10(np.abs(np.exp(-2j * np.pi * turns) @ taps) + 1e-9)


def test_filter_is_flat_to_7_khz_and_blocks_from_9_khz():
    assert np.abs(response_db(np.linspace(0, 7000, 200))).max() < 0.02
    assert response_db(np.linspace(9000, 24_000, 400)).max() < -60
    assert response_db(np.array([8000.0]))[0] == pytest.approx(-6.02, abs=0.05)


def test_taps_of_every_phase_sum_to_one():
    assert (model_upsampler.design_taps().reshape(-1, 3).sum(axis=0) == 2**15).all()


def test_every_third_sample_is_an_input_sample_and_extremes_saturate():
    pcm = np.random.default_rng(0).integers(-(2**15), 2**15, 1000).astype(np.int16)
    pcm[500:600] = np.where(np.arange(100) % 7 < 3, 32767, -32768)
    played = reference_upsampler.upsample(pcm)
    np.testing.assert_array_equal(played[DELAY::3], pcm[: -DELAY // 3])
    assert {-32768, 32767} <= set(played[1500:1800])
    assert not reference_upsampler.upsample(np.zeros(200, np.int16)).any()


@pytest.mark.parametrize("hz", [100.0, 1000.0, 5000.0, 6900.0])
def test_tone_has_no_image(hz):
    tone = 0.7 * np.sin(2 * np.pi * hz * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    played = reference_upsampler.upsample(to_pcm(tone)) / 2**15
    true = 0.7 * np.sin(2 * np.pi * hz * (np.arange(len(played)) - DELAY) / RATE)
    error = (played - true)[1000:]
    assert 20 * np.log10(np.sqrt(np.mean(error**2)) / 0.5) < -60


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rate") / "generated"
    small_player.generate(folder)
    return folder


def play(board: str, generated: Path, rate: int) -> np.ndarray:
    """Returns the output of the player for a tune, int16."""
    program = make(
        board,
        generated.parent / f"{board}-{rate}",
        {
            "GENERATED_DIR": generated,
            "CMSIS_DSP_DIR": fetch_cmsis()[1],
            "PLAYER_VOICES": 2,
            "SAMPLE_RATE": rate,
            "SANITIZE": "ON" if board == "host" else "OFF",
        },
        "play",
    )
    tune = [(3, 3, tuple(on(60))), (9, 3, tuple(on(88))), (40, 3, tuple(off(60)))]
    run = run_program(
        program,
        inputs={"midi.score": np.array(tune, SCORE_RECORD).tobytes()},
        outputs=["audio.pcm"],
    )
    assert run.status == 0, run.console
    return np.frombuffer(run.files["audio.pcm"], "<i2")


@pytest.mark.firmware
def test_player_at_48_khz_equals_upsampled_16_khz_on_every_core(generated):
    core = play("host", generated, SAMPLE_RATE)
    # The first output block plays before any is rendered.
    expected = reference_upsampler.upsample(core[64:])
    for board in ("host", "qemu_m4", "qemu_m0"):
        played = play(board, generated, RATE)
        assert len(played) == 3 * len(core) and np.abs(played).max() > 1000
        np.testing.assert_array_equal(played[192:], expected)


@pytest.mark.firmware
def test_unknown_rate_is_refused(generated):
    with pytest.raises(UserError, match="SAMPLE_RATE is 44100: choose 16000 or 48000"):
        play("host", generated, 44_100)


def test_downsampled_tone_is_delayed_and_one_above_the_band_is_gone():
    t = np.arange(RATE) / RATE
    for hz, level in ((1000, 1.0), (6900, 1.0), (9100, 0.0), (15_000, 0.0)):
        tone = 0.7 * np.sin(2 * np.pi * hz * t)
        played = reference_upsampler.downsample(to_pcm(tone)) / 2**15
        delay = (DELAY - 2) / RATE
        true = level * 0.7 * np.sin(2 * np.pi * hz * (np.arange(len(played)) / SAMPLE_RATE - delay))
        error = (played - true)[1000:]
        assert 20 * np.log10(np.sqrt(np.mean(error**2)) / 0.5) < -60


T = np.arange(40 * 192) / RATE
AT_FULL_SCALE = {
    "highest": np.full(len(T), 32767, np.int16),
    "lowest": np.full(len(T), -32768, np.int16),
    "3 dB over": to_pcm(np.sqrt(2) * np.sin(2 * np.pi * 220 * T)),
}


@pytest.mark.parametrize("name", AT_FULL_SCALE)
def test_downsampler_saturates_at_full_scale(name):
    pcm = AT_FULL_SCALE[name]
    played = reference_upsampler.downsample(pcm).astype(int)
    expected = pcm[2 : 2 - DELAY : 3]  # delayed by 46 samples
    error = (played[DELAY // 3 :] - expected)[DELAY:]
    limit = 300 if name == "3 dB over" else 0  # the filter rounds the corners
    assert np.abs(error).max() <= limit


@pytest.mark.firmware
@pytest.mark.parametrize("board", ["host", "qemu_m4"])
def test_downsampler_is_the_same_on_every_core(board, tmp_path):
    sources = [APP_DIR / "upsampler" / f"{name}.c" for name in ("upsampler", "upsampler_taps")]
    program = build_program(
        board,
        [Path(__file__).with_name("downsample.c"), *sources],
        out=tmp_path,
        defines=["UPSAMPLER_PORTABLE"],  # CMSIS-DSP filters alike, as the tune above shows
    )
    pcm = np.random.default_rng(0).integers(-(2**15), 2**15, 30 * 192).astype("<i2")
    pcm[2000:3000] = np.where(np.arange(1000) % 70 < 35, 32767, -32768)
    pcm = np.concatenate([pcm, *AT_FULL_SCALE.values()])
    run = run_program(program, arguments=["in", "out"], inputs={"in": pcm.data}, outputs=["out"])
    played = np.frombuffer(run.files["out"], "<i2")
    np.testing.assert_array_equal(played, reference_upsampler.downsample(pcm))
    assert {-32768, 32767} <= set(played)


@pytest.mark.firmware
@pytest.mark.parametrize(("direction", "instructions"), [("UP", 8600), ("DOWN", 9700)])
def test_filtering_with_cmsis_dsp_costs_what_the_header_says(direction, instructions, tmp_path):
    core, dsp = fetch_cmsis()
    flags = ALL_BOARDS["qemu_m4"].processor.flags
    folders = [APP_DIR, core, dsp / "Include", dsp / "PrivateInclude"]
    files = [APP_DIR / "upsampler" / f"{name}.c" for name in ("upsampler", "upsampler_taps")]
    files.append(dsp / "Source" / "FilteringFunctions" / "arm_fir_q15.c")
    command = ["arm-none-eabi-gcc", "-O2", "-mthumb", *flags, "-w", "-DARM_MATH_LOOPUNROLL", "-c"]
    includes = [word for folder in folders for word in ("-isystem", str(folder))]
    subprocess.run([*command, *includes, *map(str, files)], check=True, cwd=tmp_path)
    objects = [tmp_path / path.with_suffix(".o").name for path in files]
    source = Path(__file__).with_name("upsampler_cost.c")
    program = build_program(
        "qemu_m4", [source, *objects], out=tmp_path / "build", defines=[f"CONVERT_{direction}"]
    )
    assert 100 * run_program(program).status == pytest.approx(instructions, abs=100)


def test_rendering_at_16_khz_has_aliases_that_rendering_at_48_khz_lacks():
    levels = np.full(6, 0.1)
    ideal, core, core_48 = (
        aliasing.ideal_spectrum(load_patch("flute"), 1200.0, levels, factor)
        for factor in (aliasing.IDEAL_FACTOR, 1, model_upsampler.FACTOR)
    )
    audible = slice(0, len(ideal) * aliasing.PASS_HZ // 24_000)
    aliases, aliases_48 = (np.abs(x - ideal)[audible].sum() for x in (core, core_48))
    assert aliases > 100 * aliases_48
    assert np.abs(ideal[audible]).sum() > aliases
