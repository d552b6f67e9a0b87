"""The C voice has the same bits as its simulation, on the host and on every emulated core."""

import ctypes
import string
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.patches import PLAYED, SHIPPED

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.paths import REPOSITORY
from pipeline.emit import fm as emit_fm
from pipeline.reference.fm import LEVEL_MAX_Q32, FixedVoice
from pipeline.target.boards import EMULATED_BOARDS
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

APP = REPOSITORY / "tflm_app"
FRAME = np.dtype([("f0_hz", "<f4"), ("levels_q32", "<i4", 6)])
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Werror"]


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    out = tmp_path_factory.mktemp("patches")
    names = [f"{name}_patch" for name in PLAYED]
    includes = "".join(f'#include "{name}.h"\n' for name in names)
    addresses = ", ".join(f"&{name}" for name in names)
    table = f"static const fm_patch_t *const patches[] = {{{addresses}}};\n"
    (out / "patches.h").write_text(includes + table)
    for patch in PLAYED.values():
        for name, text in emit_fm.patch_texts(patch).items():
            (out / name).write_text(text)
    return out


def core_sources(generated):
    return [*sorted((APP / "fm").glob("*.c")), *sorted(generated.glob("*_patch.c"))]


class HostVoice:
    """The C voice in a shared library."""

    def __init__(self, library, patch):
        self.library = library
        self.state = (ctypes.c_uint64 * 16)()
        constants = ctypes.c_char.in_dll(library, f"{patch}_patch")
        library.fm_voice_init(self.state, ctypes.byref(constants))

    def render(self, f0_hz, levels_q32):
        pcm = np.zeros(len(f0_hz) * HOP_SAMPLES, np.int16)
        for k, (f0, levels) in enumerate(zip(f0_hz, np.ascontiguousarray(levels_q32), strict=True)):
            self.library.fm_voice_render(
                self.state,
                ctypes.c_float(f0),
                levels.ctypes.data_as(ctypes.c_void_p),
                pcm[k * HOP_SAMPLES :].ctypes.data_as(ctypes.c_void_p),
            )
        return pcm


@pytest.fixture(scope="session", params=["pairs", "passes"])
def library(request, generated):
    """The voice with both schedules, as portable C."""
    out = generated / f"{request.param}.so"
    flags = ["-std=gnu99", "-O2", "-shared", "-fPIC", f"-I{APP}", f"-I{generated}", *WARNINGS]
    flags.append(f"-DFM_KERNEL_DSP={int(request.param == 'pairs')}")
    subprocess.run(["gcc", *flags, *core_sources(generated), "-o", out], check=True)
    return ctypes.CDLL(str(out))


def frames_of(seed, n_frames):
    """Returns a record array of frames that jump through the whole range, with extremes."""
    rng = np.random.default_rng(seed)
    frames = np.zeros(n_frames, FRAME)
    frames["f0_hz"] = np.exp(rng.uniform(np.log(20), np.log(4000), n_frames))
    frames["levels_q32"] = rng.integers(0, LEVEL_MAX_Q32 + 1, (n_frames, 6))
    extremes = rng.random((n_frames, 6)) < 0.2
    frames["levels_q32"][extremes] = rng.choice([0, LEVEL_MAX_Q32, -1, 2**31 - 1], extremes.sum())
    frames["f0_hz"][rng.random(n_frames) < 0.1] = 4000
    frames["f0_hz"][rng.random(n_frames) < 0.1] = 20
    return frames


def simulate(name, frames):
    return FixedVoice(PLAYED[name]).render(frames["f0_hz"], frames["levels_q32"])


any_f0 = st.floats(width=32) | st.floats(15, 4100, width=32) | st.sampled_from([20.0, 4000.0])
any_level = st.integers(-(2**31), 2**31 - 1) | st.sampled_from(
    [0, 1, LEVEL_MAX_Q32 - 1, LEVEL_MAX_Q32, LEVEL_MAX_Q32 + 1]
)
any_frame = st.tuples(any_f0, st.lists(any_level, min_size=6, max_size=6))


@pytest.mark.firmware
@pytest.mark.parametrize("name", PLAYED)
@settings(max_examples=60, deadline=None)
@given(frames=st.lists(any_frame, min_size=1, max_size=8))
def test_c_equals_simulation_for_any_frames(library, name, frames):
    f0_hz = np.array([f0 for f0, _ in frames], np.float32)
    levels = np.array([levels for _, levels in frames], np.int64).astype(np.int32)
    expected = FixedVoice(PLAYED[name]).render(f0_hz, levels)
    assert np.array_equal(HostVoice(library, name).render(f0_hz, levels), expected)


@pytest.mark.firmware
@pytest.mark.parametrize("name", PLAYED)
def test_c_equals_simulation_over_ten_seconds(library, name):
    frames = frames_of(1, 2500)
    assert np.array_equal(
        HostVoice(library, name).render(frames["f0_hz"], frames["levels_q32"]),
        simulate(name, frames),
    )


@pytest.mark.firmware
@pytest.mark.parametrize("name", ["piano", "stretched"])
def test_reset_starts_from_silence(library, name):
    frames = frames_of(2, 5)
    voice = HostVoice(library, name)
    first = voice.render(frames["f0_hz"], frames["levels_q32"])
    library.fm_voice_reset(voice.state)
    assert np.array_equal(voice.render(frames["f0_hz"], frames["levels_q32"]), first)


def play(program, name, frames):
    """Returns the PCM that a board plays, and the number of instructions that it executed."""
    run = run_program(
        program,
        arguments=[string.ascii_lowercase[list(PLAYED).index(name)], "frames", "pcm"],
        inputs={"frames": frames.tobytes()},
        outputs=["pcm"],
    )
    assert run.status == 0, run.console
    return np.frombuffer(run.files["pcm"], "<i2"), int(run.console)


@pytest.mark.firmware
@pytest.mark.parametrize("pairs", [0, 1])
def test_sanitizers_find_nothing(generated, tmp_path, pairs):
    program = build_program(
        "host",
        [REPOSITORY / "tests" / "reference" / "play_frames.c", *core_sources(generated)],
        out=tmp_path,
        include_dirs=[generated],
        defines=[f"FM_KERNEL_DSP={pairs}"],
        sanitize=True,
    )
    frames = frames_of(3, 300)
    frames["levels_q32"][200:] = 2**31 - 1
    frames["f0_hz"][::7] = np.resize([np.nan, np.inf, -np.inf, -1.0, 1e-40], len(frames[::7]))
    for name in PLAYED:
        assert np.array_equal(play(program, name, frames)[0], simulate(name, frames)), name


@pytest.mark.firmware
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_every_core_equals_simulation_within_its_instruction_budget(board, generated, tmp_path):
    program = build_program(
        board,
        [REPOSITORY / "tests" / "reference" / "play_frames.c", *core_sources(generated)],
        out=tmp_path,
        include_dirs=[generated],
    )
    frames = frames_of(4, 500)
    for name in PLAYED:
        pcm, instructions = play(program, name, frames)
        assert np.array_equal(pcm, simulate(name, frames)), name
        most = (107, 66) if name in SHIPPED else (122, 95)  # phases of their own take time
        assert instructions / len(pcm) <= most[board != "qemu_m0"], name
