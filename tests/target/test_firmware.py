"""The firmware on every board equals the Python simulation of the device bit for bit."""

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

from pipeline import firmware as firmware_command
from pipeline.core.constants import FORMATS, HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, load_instrument
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import APP_DIR
from pipeline.emit import presets
from pipeline.evaluation.bench_firmware import STAGES, bench_frames
from pipeline.model.noise import UNTRAINED, NoiseParameters
from pipeline.quantization import tflite_writer
from pipeline.quantization.pitch_range import FLOAT_RANGE, PitchRange
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.reference import device, frame
from pipeline.target import firmware
from pipeline.target.boards import EMULATED_BOARDS, FILE_BOARDS
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program, trace_instructions
from pipeline.target.frame_files import load_frames

# The model is small because the results do not depend on its size.
CONFIG = TcnConfig(n_blocks=2, hidden_channels=16)
NOISE = NoiseParameters(
    UNTRAINED.colour + 0.3, UNTRAINED.slopes + np.linspace(-0.2, 0.2, 8)[:, None]
)
PRESETS = {"flute": "int8", "violin": "int8"}


def hostile_frames() -> np.ndarray:
    """Returns frames that no player should send, then random bits, then music again."""
    worst = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e9, -1e9, 1e-40, -1e-40, 20.0, 4000.0, -80.0]
    pairs = np.array([(f0_hz, loudness) for f0_hz in worst for loudness in worst])
    bits = np.random.default_rng(0).integers(0, 2**32, (100, 2), dtype=np.uint32)
    return np.concatenate([pairs.astype(np.float32), bits.view(np.float32), bench_frames(20)])


def fading_frames() -> np.ndarray:
    """Returns a note that fades through the gate, 20 frames of silence, and a note that follows."""
    fade = np.concatenate([np.full(10, -20.0), np.linspace(-75.9, -80.1, 70)])
    loudness_db = np.concatenate([fade, np.full(20, -80.0), np.full(10, -30.0)])
    return np.stack([np.full(len(loudness_db), 330.0), loudness_db], axis=1).astype(np.float32)


FRAMES = {"melody": bench_frames(200), "hostile": hostile_frames(), "fade": fading_frames()}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("firmware")


@pytest.fixture(scope="module")
def models(work: Path) -> dict[str, Path]:
    """Step models with random weights by format; one spans the notes of a flute, one all notes."""
    paths = {fmt: work / f"decoder_{fmt}.tflite" for fmt in FORMATS}
    ranges = PitchRange(57, 98), FLOAT_RANGE
    for seed, (path, pitch) in enumerate(zip(paths.values(), ranges, strict=True)):
        fmt = FORMATS[seed]
        path.write_bytes(tflite_writer.random_step_model(CONFIG, seed, fmt, pitch))
    return paths


@pytest.fixture(scope="module")
def generated(work: Path, models: dict[str, Path]) -> dict[str, Path]:
    """Generated C of a firmware with two instruments, by format."""
    folders = {}
    for fmt, model in models.items():
        folders[fmt] = work / f"generated_{fmt}"
        instruments = [
            presets.Preset(name, model, load_patch(name), NOISE) for name in ("flute", "violin")
        ]
        presets.write_firmware_source(instruments, folders[fmt])
    return folders


@pytest.fixture(scope="module")
def built(work: Path, generated: dict[str, Path]) -> dict[tuple[str, str], firmware.Firmware]:
    """Firmware by board and format."""
    return {
        (board, fmt): firmware.build(board, folder, build_dir=work / f"{board}_{fmt}")
        for board in FILE_BOARDS
        for fmt, folder in generated.items()
    }


@pytest.mark.firmware
@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("what", FRAMES)
def test_firmware_on_every_board_equals_the_simulated_device(built, models, fmt, what):
    frames = FRAMES[what]
    expected = device.simulate(models[fmt], load_patch("flute"), NOISE, frames)
    assert expected.pcm.max() > 1000  # not silent
    for board in FILE_BOARDS:
        played = firmware.render(built[board, fmt], frames)
        np.testing.assert_array_equal(played.logits, expected.logits, err_msg=board)
        np.testing.assert_array_equal(played.levels_q32, expected.levels_q32, err_msg=board)
        np.testing.assert_array_equal(played.pcm, expected.pcm, err_msg=board)


@pytest.mark.parametrize("fmt", FORMATS)
def test_loudness_at_the_floor_is_digital_zero(models, fmt):
    """The network is random, so it plays whatever the loudness is; noise of +40 dB is added."""
    loud = NoiseParameters(NOISE.colour + 1.0, 0 * NOISE.slopes)
    played = device.simulate(models[fmt], load_patch("flute"), loud, FRAMES["fade"])
    peaks = np.abs(played.pcm.reshape(-1, HOP_SAMPLES)).max(axis=1)
    assert peaks[:12].min() > 1000 and (peaks[80:100] == 0).all() and peaks[105:].min() > 1000
    fade = peaks[10:80].reshape(7, 10).max(axis=1)
    assert (np.diff(fade) < 0).all() and fade[0] < peaks[:10].max()


@pytest.mark.firmware
def test_each_preset_plays_its_own_patch(built, models):
    frames = FRAMES["melody"]
    renderings = []
    for preset, patch in enumerate(("flute", "violin")):
        played = firmware.render(built["qemu_m4", "int8"], frames, preset=preset).pcm
        expected = device.simulate(models["int8"], load_patch(patch), NOISE, frames).pcm
        np.testing.assert_array_equal(played, expected)
        renderings.append(played)
    assert not np.array_equal(*renderings)
    with pytest.raises(UserError, match="no such preset"):
        firmware.render(built["qemu_m4", "int8"], frames, preset=2)


@pytest.mark.firmware
def test_firmware_plays_hostile_frames_under_sanitizers(generated, work):
    for fmt, folder in generated.items():
        checked = firmware.build("host", folder, build_dir=work / f"checked_{fmt}", sanitize=True)
        played = firmware.render(checked, FRAMES["hostile"])
        assert len(played.pcm) == HOP_SAMPLES * len(FRAMES["hostile"])


def test_quantized_pitch_and_loudness_equal_the_training_features(models):
    frames = np.stack([np.geomspace(20, 4000, 5000), np.linspace(-80, 0, 5000)], axis=1)
    midi = 69 + 12 * np.log2(frames[:, 0] / 440)
    for model in models.values():
        decoder = StreamingDecoder(model)
        scale, zero_point = decoder.input_quantization
        lowest, highest = decoder.pitch.lowest_note, decoder.pitch.highest_note
        pitch = np.clip((midi - lowest) / (highest - lowest), 0, 1)
        scaled = np.stack([pitch, frames[:, 1] / 80 + 1], axis=1)
        scaling = frame.FrameScaling.of(
            scale, zero_point, 8 * decoder.dtype.itemsize, decoder.pitch
        )
        quantized = frame.quantize_frames(frames.astype(np.float32), scaling)
        exact = np.clip(scaled / scale + zero_point, zero_point, np.iinfo(decoder.dtype).max)
        assert np.abs(quantized - exact).max() < 0.52


def test_nan_is_replaced_by_the_held_pitch_and_silence():
    nan = np.nan
    frames = np.array([[nan, -20], [300, nan], [nan, -30], [np.inf, 5], [-1, -np.inf]], np.float32)
    expected = [[440, -20], [300, -80], [300, -30], [4000, 0], [20, -80]]
    np.testing.assert_array_equal(frame.clamp_frames(frames), expected)


@pytest.mark.firmware
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_counted_instructions_equal_those_of_a_trace_and_are_reproducible(built, board):
    frames = FRAMES["melody"][:20]
    firmware_of_board = built[board, "int8"]
    counted = firmware.render(firmware_of_board, frames).instructions
    assert firmware.render(firmware_of_board, frames).instructions == counted
    trace = trace_instructions(
        firmware_of_board.program,
        STAGES.values(),
        arguments=["frames", "pcm"],
        inputs={"frames": frames.tobytes()},
    )
    for stage, function in STAGES.items():
        executed = trace[function]
        # A reading has a resolution of 40 or 50 instructions, and the calls count for no stage.
        assert abs(counted[stage] - (len(executed) - executed.count(0)) / len(frames)) < 40


@pytest.mark.firmware
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_voice_of_a_tiny_model_keeps_within_its_budget(built, board):
    assert load_instrument("flute").tiny == CONFIG
    counted = firmware.render(built[board, "int8"], FRAMES["melody"]).instructions
    budget = 26_000 if FILE_BOARDS[board].core == "Cortex-M0+" else 9_500
    assert 8_000 < sum(counted.values()) <= budget


@pytest.mark.firmware
def test_sizes_by_part_add_up_to_the_firmware(built):
    for board in EMULATED_BOARDS:
        firmware_of_board = built[board, "int8"]
        flash = sum(part.flash_bytes for part in firmware_of_board.parts.values())
        ram = sum(part.ram_bytes for part in firmware_of_board.parts.values())
        assert 0 <= firmware_of_board.flash_bytes - flash + 64 < 256  # alignment, shared strings
        stack = 4096 + 256  # with its guard; belongs to no part, and neither does alignment to it
        assert firmware_of_board.ram_bytes - ram - stack in range(256)
        assert {"decoder", "model", "fm", "instrument", "board"} <= set(firmware_of_board.parts)


@pytest.mark.firmware
def test_command_writes_the_output_of_the_firmware(generated, models, tmp_path, build_dir, capsys):
    np.save(tmp_path / "frames.npy", FRAMES["melody"].astype(np.float64))
    arguments = ["--generated", generated["int8"], "--frames", tmp_path / "frames.npy"]
    arguments += ["--board", "host", "--out", tmp_path / "out.wav"]
    firmware_command.main([str(argument) for argument in arguments])
    with wave.open(str(tmp_path / "out.wav")) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (16_000, 1, 2)
        pcm = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
    expected = device.simulate(models["int8"], load_patch("flute"), NOISE, FRAMES["melody"]).pcm
    np.testing.assert_array_equal(pcm, expected)
    assert "next: python -m pipeline.bench" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npy", None, "is missing"),
        ("text.npy", b"not an array", "damaged"),
        ("short.f32", b"1234567", "7 bytes"),
        ("empty.f32", b"", "0 bytes"),
    ],
)
def test_file_without_valid_frames_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}.*{message}"):
        load_frames(tmp_path / name)


def test_folder_is_no_file_of_frames(tmp_path):
    with pytest.raises(UserError, match=r"is a folder: give a \.npy of shape"):
        load_frames(tmp_path)


def test_array_of_the_wrong_shape_is_refused(tmp_path):
    np.save(tmp_path / "mono.npy", np.zeros(10))
    with pytest.raises(UserError, match=r"shape \[n_frames, 2\]"):
        load_frames(tmp_path / "mono.npy")


def test_folder_without_generated_code_is_refused_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"pipeline\.codegen first"):
        firmware.build("host", tmp_path)


@pytest.mark.firmware
def test_tflm_engine_without_the_tflite_micro_tree_is_refused(generated):
    with pytest.raises(UserError, match="TFLM_DIR"):
        firmware.build("qemu_m4", generated["int8"], engine="tflm")


@pytest.mark.firmware
def test_float_arithmetic_of_frames_is_the_same_on_every_board(tmp_path):
    source = tmp_path / "frames.c"
    source.write_text(r"""
        #include "board.h"
        #include "board_files.h"
        #include "instrument/frame.h"
        int main(int argc, char **argv) {
            board_init();
            frame_scaling_t scaling;
            const int in = board_open_read(argv[argc - 2]), out = board_open_write(argv[argc - 1]);
            board_read(in, &scaling, sizeof scaling);
            frame_t frame, held = {.f0_hz = FRAME_DEFAULT_F0_HZ, .loudness_db = 0.0f};
            while (board_read(in, &frame, sizeof frame) == sizeof frame) {
                int16_t quantized[2];
                held = frame_clamp(frame, held.f0_hz);
                frame_quantize(&scaling, frame_log2(held.f0_hz), held.loudness_db, quantized);
                board_write(out, &held, sizeof held);
                board_write(out, quantized, sizeof quantized);
            }
            return board_close(out);
        }
    """)
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**32, (1000, 2), dtype=np.uint32).view(np.float32)
    music = np.stack([np.exp(rng.uniform(2, 9, 5000)), rng.uniform(-100, 20, 5000)], axis=1)
    frames = np.concatenate([hostile_frames(), bits, music.astype(np.float32)])
    clamped = frame.clamp_frames(frames)
    sources = [source, APP_DIR / "instrument/frame.c"]
    result = np.dtype([("clamped", "<f4", 2), ("quantized", "<i2", 2)])
    for board in FILE_BOARDS:
        program = build_program(board, sources, out=tmp_path / board)
        for scale, zero_point, n_bits, pitch in (
            (1 / 255, -128, 8, FLOAT_RANGE),
            (1 / 255, -128, 8, PitchRange(57, 98)),
            (1 / 32767, 0, 16, PitchRange(34, 98)),
            (0.003, 17, 8, FLOAT_RANGE),
        ):
            scaling = frame.FrameScaling.of(scale, zero_point, n_bits, pitch)
            inputs = {"in": np.array(list(vars(scaling).values()), "<f4").tobytes()}
            inputs["in"] += frames.tobytes()
            run = run_program(program, arguments=["in", "out"], inputs=inputs, outputs=["out"])
            out = np.frombuffer(run.files["out"], result)
            np.testing.assert_array_equal(out["clamped"], clamped)
            np.testing.assert_array_equal(out["quantized"], frame.quantize_frames(clamped, scaling))


@pytest.mark.firmware
def test_render_application_prints_one_line_of_json(built):
    program = built["qemu_m4", "int8"].program
    run = run_program(program, arguments=["frames", "pcm"], inputs={"frames": bytes(80)})
    assert run.console.count("\n") == 1
    report = json.loads(run.console)
    assert (report["instrument"], report["n_frames"]) == ("flute", 10)


@pytest.mark.firmware
def test_render_application_names_an_unreadable_file(built):
    for board in FILE_BOARDS:
        run = run_program(built[board, "int8"].program, arguments=["nothing", "pcm"])
        assert (run.status, run.console) == (2, "error: cannot read nothing\n")


@pytest.mark.firmware
def test_render_application_reports_a_full_disk(built):
    for board in FILE_BOARDS:
        program, inputs = built[board, "int8"].program, {"frames": bytes(800)}
        for arguments in (["frames", "/dev/full"], ["frames", "pcm", "/dev/full"]):
            run = run_program(program, arguments=arguments, inputs=inputs)
            assert (run.status, run.console) == (2, "error: cannot write all of /dev/full\n")


@pytest.mark.firmware
def test_copied_build_folder_is_configured_anew(tmp_path):
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    build_program("host", [source], out=tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    program = build_program("host", [source], out=tmp_path / "second")
    cache = tmp_path / "second" / "CMakeCache.txt"
    cache.write_text(
        cache.read_text().replace(str(APP_DIR), "/elsewhere/tflm_app")
    )  # moved sources
    program = build_program("host", [source], out=tmp_path / "second")
    assert program.elf.parent == tmp_path / "second"
    assert run_program(program).status == 0
