"""The aot engine equals TensorFlow Lite Micro byte for byte, in every ring and in the logits."""

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.core.constants import FORMATS
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.paths import REPOSITORY
from pipeline.emit import decoder as emit_decoder
from pipeline.emit.silent_state import frame_scaling
from pipeline.emit.weight_packing import round_up
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.tflite_writer import random_step_model
from pipeline.reference.decoder import level_table, levels_q32
from pipeline.reference.frame import silent_frame
from pipeline.target.boards import EMULATED_BOARDS
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

APP = REPOSITORY / "tflm_app"
ENGINE = (APP / "decoder" / "decoder_aot.c", APP / "decoder" / "decoder_levels.c")
TRACE = REPOSITORY / "tests" / "reference" / "decoder_trace.c"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Werror"]
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
LANES = {"lanes": 1, "digits": 0}
REDUCED = TcnConfig(n_blocks=3, hidden_channels=64)
INSTRUCTION_BUDGETS = {  # per frame of the reduced model
    "int8": {"qemu_m4": 48_000, "qemu_m7": 49_700, "qemu_m33": 48_000, "qemu_m0": 150_000},
    "int16x8": {"qemu_m4": 70_000, "qemu_m7": 72_000, "qemu_m33": 70_000, "qemu_m0": 184_000},
}
PAIR_BUDGETS = {  # both voices, int8; 0.8 per MAC on Cortex-M4F
    "qemu_m4": 81_920,
    "qemu_m33": 84_000,
    "qemu_m7": 84_000,
}


def frames_of(fmt, n_streamed, n_random, seed=0):
    """Returns `n_streamed` frames that move slowly, like a melody, then `n_random` random ones."""
    rng = np.random.default_rng(seed)
    limits = np.iinfo(np.int8 if fmt == "int8" else np.int16)
    walk = np.cumsum(rng.normal(0, 0.02, (n_streamed, 2)), axis=0)
    streamed = limits.min + (0.5 + 0.5 * np.sin(walk)) * (limits.max - limits.min)
    anything = rng.integers(limits.min, limits.max + 1, (n_random, 2))
    return np.concatenate([streamed, anything]).astype(np.int16)


class Traced:
    """A model with its outputs from the tflite-micro package and its generated C."""

    def __init__(self, folder, config, seed, fmt):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.programs = {}  # built for emulated boards
        self.tflite = folder / "decoder.tflite"
        self.tflite.write_bytes(random_step_model(config, seed, fmt))
        self.model = read_step_model(self.tflite)
        texts = emit_decoder.model_texts("trace", self.model)
        texts["decoder_config.h"] = emit_decoder.config_text([self.model])
        for name, text in texts.items():
            (folder / name).write_text(text)
        self.sources = [TRACE, *ENGINE, folder / "trace_model.c"]

    def silence(self):
        """Returns silent frames, enough for every ring to settle."""
        n_frames = sum(layer.spec.n_past * layer.spec.dilation for layer in self.model.convolutions)
        frame = silent_frame(frame_scaling(self.model))
        return np.tile(frame, (n_frames + 1, 1))

    def expected(self, frames):
        """Returns the expected trace of `frames`, int32 of shape [n_frames, n_values]."""
        decoder = StreamingDecoder(self.tflite)
        decoder.run(self.silence())
        n_before = len(self.silence())
        logits = decoder.run(frames.astype(decoder.dtype))
        columns = []
        for layer in self.model.convolutions:
            if not layer.spec.has_taps:  # the interpreter keeps no ring
                columns.append(padding(len(frames), round_up(layer.input.channels, 2)))
                continue
            vectors = np.stack(decoder.trace[layer.name][n_before:]).astype(np.int32)
            columns.append(vectors)
            if vectors.shape[1] % 2:  # the engine stores pairs
                columns.append(padding(len(frames), 1))
        table = level_table(self.model.logits.scale, self.model.logits.zero_point, self.model.bits)
        return np.concatenate([*columns, logits, levels_q32(table, logits)], axis=1)

    def expected_pair(self, frames):
        """Returns the expected trace of two decoders that run in step."""
        turned = frames[:, ::-1]
        second = self.expected(np.concatenate([turned[:1], turned]))[1:]
        return np.concatenate([self.expected(frames), second], axis=1)

    def run_on_host(self, frames, layout, *, rounds=1, pair=False):
        """Compiles the trace program for one layout of the weights and runs it on the host."""
        program = self.folder / f"trace_{layout}"
        if not program.exists():
            board = APP / "boards" / "host" / "board.c"
            includes = [f"-I{path}" for path in (APP, APP / "boards", self.folder)]
            define = f"-DDECODER_KERNEL_DSP={LANES[layout]}"
            command = [
                shutil.which("cc"),
                "-std=gnu99",
                "-O1",
                *WARNINGS,
                *SANITIZERS,
                define,
                *includes,
            ]
            subprocess.run([*command, *self.sources, board, "-o", program], check=True)
        (self.folder / "frames").write_bytes(frames.astype("<i2").tobytes())
        arguments = [program, self.folder / "frames", self.folder / "trace", str(rounds)]
        arguments += ["pair"] if pair else []
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        return read_trace((self.folder / "trace").read_bytes(), rounds * len(frames))

    def run_on_core(self, frames, board, *, pair=False):
        """Runs the trace program on an emulated board; returns the trace and the figures."""
        if board not in self.programs:
            out = self.folder / board
            self.programs[board] = build_program(
                board, self.sources, out=out, include_dirs=[self.folder]
            )
        run = run_program(
            self.programs[board],
            arguments=["frames", "trace", *(["1", "pair"] if pair else [])],
            inputs={"frames": frames.astype("<i2").tobytes()},
            outputs=["trace"],
        )
        assert run.status == 0
        figures = dict(line.split() for line in run.console.splitlines() if line)
        trace = read_trace(run.files["trace"], len(frames))
        return trace, {name: int(number) for name, number in figures.items()}


def padding(n_frames, n_columns):
    """Returns columns that `assert_equal` passes over."""
    return np.full((n_frames, n_columns), np.iinfo(np.int32).min)


def read_trace(data, n_frames):
    return np.frombuffer(data, "<i4").reshape(n_frames, -1)


def assert_equal(trace, expected):
    """Asserts equality of every column that holds a channel rather than padding."""
    channels = expected[0] != np.iinfo(np.int32).min
    np.testing.assert_array_equal(trace[:, channels], expected[:, channels])


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reduced")
    return {fmt: Traced(folder / fmt, REDUCED, 1, fmt) for fmt in FORMATS}


@settings(
    deadline=None, max_examples=6, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    n_blocks=st.integers(2, 5),
    channels=st.integers(2, 21),
    kernel=st.integers(1, 4),
    fmt=st.sampled_from(FORMATS),
    seed=st.integers(0, 2**16),
)
@example(n_blocks=2, channels=2, kernel=2, fmt="int8", seed=0)
@example(n_blocks=5, channels=17, kernel=3, fmt="int16x8", seed=1)
@example(n_blocks=2, channels=16, kernel=1, fmt="int8", seed=2)
@example(n_blocks=3, channels=12, kernel=1, fmt="int16x8", seed=3)
def test_engine_equals_tflite_micro_for_any_shape(
    tmp_path_factory, n_blocks, channels, kernel, fmt, seed
):
    config = TcnConfig(n_blocks, channels, kernel)
    traced = Traced(tmp_path_factory.mktemp("any"), config, seed, fmt)
    frames = frames_of(fmt, 40, 80, seed)
    expected, expected_pair = traced.expected(frames), traced.expected_pair(frames)
    for layout in LANES:
        assert_equal(traced.run_on_host(frames, layout), expected)
        assert_equal(traced.run_on_host(frames, layout, pair=True), expected_pair)


@pytest.mark.parametrize("fmt", FORMATS)
def test_engine_equals_tflite_micro_over_2000_frames(reduced, fmt):
    frames = frames_of(fmt, 1000, 1000)
    expected = reduced[fmt].expected(frames)
    assert len(np.unique(expected[:, -12:-6], axis=0)) > 1000, "the logits hardly move"
    for layout in LANES:
        assert_equal(reduced[fmt].run_on_host(frames, layout), expected)


def test_full_network_equals_tflite_micro(tmp_path):
    for fmt in FORMATS:
        traced = Traced(tmp_path / fmt, TcnConfig(n_blocks=5, hidden_channels=128), 2, fmt)
        frames = frames_of(fmt, 40, 40)
        expected = traced.expected(frames)
        for layout in LANES:
            assert_equal(traced.run_on_host(frames, layout), expected)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_engine_on_a_core_equals_tflite_micro_within_its_budget(reduced, board, fmt):
    traced = reduced[fmt]
    phrase = frames_of(fmt, 100, 100, seed=3)
    frames = np.concatenate([phrase, traced.silence(), phrase[:40]])
    trace, figures = traced.run_on_core(frames, board)
    assert_equal(trace, traced.expected(frames))
    # The generated state after silence is the one that the network itself reaches.
    np.testing.assert_array_equal(trace[:40], trace[-40:])
    assert figures["state_bytes"] <= 4096
    assert 0 < figures["instructions"] <= INSTRUCTION_BUDGETS[fmt][board]
    assert 0 < figures["reset_instructions"] <= 3000, figures


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_pair_on_a_core_equals_tflite_micro_within_its_budget(reduced, board, fmt):
    frames = frames_of(fmt, 50, 50, seed=4)
    trace, figures = reduced[fmt].run_on_core(frames, board, pair=True)
    assert_equal(trace, reduced[fmt].expected_pair(frames))
    one_by_one = 2 * INSTRUCTION_BUDGETS[fmt][board]
    budget = PAIR_BUDGETS.get(board, one_by_one) if fmt == "int8" else one_by_one
    assert 0 < figures["instructions"] <= budget


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("config", [TcnConfig(2, 7, 4), TcnConfig(2, 12, 1), TcnConfig(2, 16, 2)])
def test_small_network_on_a_core_equals_tflite_micro(tmp_path, config, fmt):
    traced = Traced(tmp_path, config, 5, fmt)
    frames = frames_of(fmt, 50, 50)
    for board in ("qemu_m4", "qemu_m0"):
        trace, _ = traced.run_on_core(frames, board)
        assert_equal(trace, traced.expected(frames))


def test_reset_clears_the_state(reduced):
    frames = frames_of("int8", 0, 40)
    trace = reduced["int8"].run_on_host(frames, "lanes", rounds=2)
    np.testing.assert_array_equal(trace[:40], trace[40:])
    assert not np.array_equal(trace[0], trace[39])


def test_frames_beyond_eight_bits_are_clamped(reduced):
    frames = np.array([[32767, -32768], [128, -129], [300, 5]], np.int16)
    for layout in LANES:
        trace = reduced["int8"].run_on_host(frames, layout)
        assert_equal(trace, reduced["int8"].expected(np.clip(frames, -128, 127)))


@pytest.mark.parametrize("bits", [8, 16])
def test_levels_approximate_the_sigmoid(bits):
    dtype = np.int8 if bits == 8 else np.int16
    logits = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype)
    scale, zero_point = 18 / 2**bits, 0
    levels = levels_q32(level_table(scale, zero_point, bits), logits) / 2**32
    exact = 0.32 / (1 + np.exp(-scale * (logits.astype(float) - zero_point)))
    # Linear interpolation errs by at most step^2 / 8 times the largest curvature, 0.0963.
    chord = 0.0 if bits == 8 else 0.32 * 0.0963 * (18 / 256) ** 2 / 8
    one_step = 0.32 / 2**15  # one PCM step: levels below it are zero
    audible = exact >= one_step * (1.0 if bits == 8 else np.exp(18 / 256))
    assert np.abs(levels - exact)[audible].max() <= chord + 1e-7
    assert (levels[exact < one_step * np.exp(-18 / 256)] == 0).all()
    assert np.all(np.diff(levels) >= 0)
    assert levels.min() >= 0 and levels.max() <= 0.32
