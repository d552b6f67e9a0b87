"""Live mode: its output for a sound input, its latency, and its errors."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from support import small_player
from support.following_instrument import generate_following
from support.play_app import answers, pcm, records
from support.small_player import NOISE, control, off, on, program_change
from support.sounds import envelope, make_tone

from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.model.expression import load_expression
from pipeline.reference import upsampler as reference_upsampler
from pipeline.target import transfer
from pipeline.target.build import Program, make
from pipeline.target.emulator import ProgramRun, run_program
from pipeline.target.vendor import fetch_cmsis

pytestmark = pytest.mark.firmware

BOARDS = ("host", "qemu_m4", "qemu_m7")
LATER = 2  # blocks from input to output
FIRST = 2  # first block of input that is used after LIVE
LIVE = [(1, b"li"), (2, b"ve "), (2, b"1\r")]
LEAD_MS = 0.25  # time from a full input block to its use on an STM32


def build_play(board: str, generated: Path, **settings: object) -> Program:
    place = "-".join([board, *(f"{value}" for value in settings.values())])
    settings = {
        "GENERATED_DIR": generated,
        "CMSIS_DSP_DIR": fetch_cmsis()[1],
        "PLAYER_VOICES": 2,
        "SANITIZE": "ON" if board == "host" else "OFF",
        **settings,
    }
    return make(board, generated.parent / f"play-{place}", settings, "play")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live") / "generated"
    small_player.generate(folder)
    return folder


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_following(tmp_path_factory.mktemp("following") / "generated")


@pytest.fixture(scope="module")
def programs(generated: Path) -> dict[str, Program]:
    return {board: build_play(board, generated) for board in BOARDS}


def play(program: Program, sound: np.ndarray | None, midi=(), console=LIVE, end=400) -> ProgramRun:
    """Runs the player with a sound input; the console prints its state at the end."""
    inputs = {
        "midi.score": records(midi),
        "console.score": records([*console, (end, b"notes\rstats\r")]),
    }
    if sound is not None:
        inputs["input.pcm"] = np.asarray(sound, "<i2").tobytes()
    run = run_program(program, inputs=inputs, outputs=["audio.pcm", "console.txt"])
    assert run.status == 0, run.console
    return run


def transferred(
    generated: Path, sound: np.ndarray, gain_db: float | Literal["live"] = 0.0
) -> np.ndarray:
    """Returns the output of apps/transfer for a sound."""
    program = transfer.build_transfer("host", generated, build_dir=generated.parent / "transfer")
    f0_min_hz, f0_max_hz = LIVE_F0_HZ
    return transfer.transfer(
        program, sound, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz, gain_db=gain_db
    ).pcm


def blocks(run: ProgramRun) -> np.ndarray:
    return pcm(run).reshape(-1, HOP_SAMPLES).astype(int)


def stats(run: ProgramRun) -> dict[str, str]:
    lines = answers(run)[-11:]  # answer to the last command
    return dict(line.removesuffix(" %").rsplit(" ", 1) for line in lines)


def melody() -> np.ndarray:
    """Tones with silence before, between and after them, and some noise."""
    noise = 0.01 * np.random.default_rng(3).standard_normal(3000)
    parts = [np.zeros(777), make_tone(0.3, 330, level=0.4), np.zeros(500), noise]
    parts += [make_tone(0.2, 587, level=0.7), make_tone(0.2, 220, level=0.1), np.zeros(4000)]
    return to_pcm(np.concatenate(parts))


# --- equal samples --------------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_live_mode_equals_transfer_two_blocks_later(board, programs, generated):
    sound = melody()
    expected = transferred(generated, sound[FIRST * HOP_SAMPLES :])
    run = play(programs[board], sound)
    played = pcm(run)
    begin = (FIRST + LATER) * HOP_SAMPLES
    assert not played[:begin].any() and np.abs(expected).max() > 3000
    np.testing.assert_array_equal(played[begin:][: len(expected)], expected)
    assert "live 1" in answers(run) and "no sound comes in" not in answers(run)
    assert stats(run)["underruns"] == "0"


@pytest.mark.parametrize(("typed", "gain_db"), [(b"auto", "live"), (b"-7", -7.0)])
def test_live_mode_with_a_gain_equals_transfer(typed, gain_db, programs, generated):
    sound = to_pcm(0.1 * from_pcm(melody()))
    # The gain is set before live mode, which starts as late as without it, and stays.
    run = play(programs["host"], sound, [], [(0, b"gain " + typed + b"\r"), *LIVE])
    expected = transferred(generated, sound[FIRST * HOP_SAMPLES :], gain_db)
    plain = transferred(generated, sound[FIRST * HOP_SAMPLES :])
    begin = (FIRST + LATER) * HOP_SAMPLES
    np.testing.assert_array_equal(pcm(run)[begin:][: len(expected)], expected)
    assert np.abs(expected - plain.astype(int)).max() > 100
    assert ("gain auto, now 0 dB" if gain_db == "live" else "gain -7 dB") in answers(run)


def test_automatic_gain_is_shown_and_can_be_ended(programs):
    sound = to_pcm(make_tone(2, 330, level=0.02))
    console = [*LIVE, (5, b"gain auto\r"), (300, b"gain\r"), (310, b"gain +6\r"), (320, b"gain\r")]
    lines = answers(play(programs["host"], sound, [], console))
    shown = [line for line in lines if line.startswith("gain")]
    assert shown[0] == "gain auto, now 0 dB" and shown[2:] == ["gain 6 dB", "gain 6 dB"]
    assert 15 < int(shown[1].removeprefix("gain auto, now ").removesuffix(" dB")) < 25


def test_live_mode_plays_with_reverb_and_at_48_khz(generated, tmp_path):
    folder = tmp_path / "generated"
    model = generated / "decoder.tflite"
    response = np.zeros(1600)
    response[1:] = 0.05 * np.random.default_rng(0).standard_normal(1599)
    wet = presets.Preset(
        "flute",
        model,
        load_patch("flute"),
        NOISE,
        response,
        load_expression(MODEL_DIR / "flute" / "expression.toml"),
    )
    presets.write_firmware_source([wet], folder)
    sound = melody()
    expected = transferred(folder, sound[FIRST * HOP_SAMPLES :])
    begin = (FIRST + LATER) * HOP_SAMPLES
    core = pcm(play(build_play("host", folder), sound))
    np.testing.assert_array_equal(core[begin:][: len(expected)], expected)
    played = pcm(play(build_play("host", folder, SAMPLE_RATE=48_000), sound))
    np.testing.assert_array_equal(played[192:], reference_upsampler.upsample(core[HOP_SAMPLES:]))


# --- latency --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("board", "rate"), [("host", 16_000), ("host", 48_000), ("qemu_m4", 16_000)]
)
def test_onset_reaches_the_output_within_25_ms(board, rate, following):
    program = build_play(board, following, SAMPLE_RATE=rate)
    begins = [50 * HOP_SAMPLES + offset for offset in (0, 1, 31, 63)]
    for begin in begins:
        tone = make_tone(0.4, 440, level=0.5)
        sound = to_pcm(np.concatenate([np.zeros(begin), tone]))
        loud = envelope(pcm(play(program, sound)))
        start = begin * rate // SAMPLE_RATE
        steady = np.median(loud[start + rate // 5 : start + rate // 4])
        half = np.argmax(loud[start:] > steady / 2)
        assert loud[: start + rate // 250].max() < 2e-4 < 0.1 < steady
        assert 8 < 1000 * half / rate + LEAD_MS < 25


def test_input_step_changes_the_output_exactly_two_blocks_later(programs):
    sound = np.zeros(200 * HOP_SAMPLES, np.int16)
    silent = blocks(play(programs["host"], sound))
    for block in (50, 51):
        sound[:] = 0
        sound[block * HOP_SAMPLES : (block + 1) * HOP_SAMPLES] = 20_000 * (-1) ** np.arange(64)
        differing = (blocks(play(programs["host"], sound)) != silent).any(axis=1)
        assert np.flatnonzero(differing)[0] == block + LATER


# --- switching ------------------------------------------------------------------------------------

HELD = [(3, on(60)), (5, on(67)), (120, off(60)), (121, off(67))]
CONSOLE_DELAY = 2  # blocks from a console line to its first effect


def steepest(block: np.ndarray) -> int:
    return int(np.abs(np.diff(block.ravel())).max())


@pytest.mark.parametrize("board", BOARDS)
def test_switching_live_mode_fades_notes_and_live_sound_and_no_note_sticks(board, programs):
    sound = to_pcm(make_tone(2, 330, level=0.4))
    run = play(programs[board], sound, HELD, [(40, b"live 1\r"), (100, b"live 0\r")])
    played = blocks(run)
    begin, end = 40 + CONSOLE_DELAY, 100 + CONSOLE_DELAY
    # The last block of the notes fades to silence, as after all sound off.
    ended = blocks(play(programs[board], sound, [*HELD[:2], (41, control(120, 0)), *HELD[2:]], []))
    np.testing.assert_array_equal(played[: begin + 1], ended[: begin + 1])
    assert ended[begin].any() and not ended[begin + 1].any()
    # Then live sound plays, and fades within a block without a step although keys are down.
    assert played[begin + 8 : end].any(axis=1).all()
    assert steepest(played[end - 1 : end + 1]) <= 1.1 * steepest(played[end - 8 : end])
    assert np.abs(played[end][-3:]).max() < 0.1 * np.abs(played[end - 1]).max()
    assert not played[end + 1 :].any()
    assert {"0 idle", "1 idle"} < set(answers(run))


def test_note_after_live_mode_is_played_as_before(programs):
    sound, tune = to_pcm(make_tone(1, 330)), [(200, on(64)), (230, off(64))]
    console = [(40, b"live 1\r"), (100, b"live 0\r")]
    first = blocks(play(programs["host"], sound, tune, []))
    later = blocks(play(programs["host"], sound, tune, console))
    assert first[201:230].any(axis=1).all()
    np.testing.assert_array_equal(later[150:], first[150:])


def test_live_mode_always_starts_from_silence(programs, generated):
    sound = to_pcm(make_tone(2, 330))
    console = [*LIVE, (60, b"live 0\r"), (100, b"live 1\r")]
    played = pcm(play(programs["host"], sound, [], console))
    expected = transferred(generated, sound[100 * HOP_SAMPLES :])
    begin = (100 + CONSOLE_DELAY) * HOP_SAMPLES
    assert not played[begin - 10 * HOP_SAMPLES : begin].any()
    np.testing.assert_array_equal(played[begin:][: len(expected)], expected)


def test_note_in_the_last_live_block_does_not_change_the_fade(programs):
    """A live voice keeps its full level even while a note waits for its end."""
    sound, console = to_pcm(make_tone(1, 330)), [*LIVE, (100, b"live 0\r")]
    end = 100 + CONSOLE_DELAY
    one, two = (
        blocks(play(programs["host"], sound, [(end - 1, on(note)) for note in notes], console))
        for notes in ([60], [60, 72])  # the second note waits for the live voice
    )
    np.testing.assert_array_equal(one[: end + 1], two[: end + 1])
    assert (one[end + 1 : end + 3] != two[end + 1 : end + 3]).any()


def test_live_mode_ignores_keys_but_not_program_and_loudness(programs):
    sound = to_pcm(make_tone(1.2, 440, level=0.5))
    program = programs["host"]
    plain = play(program, sound)
    keys = [(20, on(60)), (25, on(72)), (60, off(60)), (80, control(64, 127)), (90, on(50))]
    np.testing.assert_array_equal(pcm(play(program, sound, keys)), pcm(plain))
    softer = play(program, sound, [(50, control(7, 50))])
    before, after = slice(0, 51), slice(80, 280)
    np.testing.assert_array_equal(blocks(softer)[before], blocks(plain)[before])
    assert (blocks(softer)[after] != blocks(plain)[after]).any()
    other = play(program, sound, [(50, program_change(1))], end=250)
    assert "0 live flute 69" in answers(play(program, sound, end=250))
    assert "0 live violin 69" in answers(other)
    assert steepest(blocks(other)[50:52]) <= 1.1 * steepest(blocks(plain)[44:52])
    assert blocks(other)[60:280].any(axis=1).all()


@pytest.mark.parametrize("line", [b"demo\r", b"panic\r", b"live 0\r"])
def test_command_ends_live_mode(line, programs):
    run = play(programs["host"], to_pcm(make_tone(2, 440)), [], [*LIVE, (60, line)], end=62)
    assert "0 live flute 69" not in answers(run)
    assert blocks(run)[50:60].any(axis=1).all()


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (b"live\r", "live 0"),
        (b"live 2\r", "give 1 to play by what comes in, or 0 for notes"),
        (b"live x\r", "unknown: type help"),
        (b"live -1\r", "unknown: type help"),
        (b"gain\r", "gain 0 dB"),
        (b"gain -80\r", "gain -80 dB"),
        (b"gain 81\r", "give -80 to 80 dB, or auto"),
        (b"gain -81\r", "give -80 to 80 dB, or auto"),
        (b"gain 6 dB\r", "unknown: type help"),
        (b"gain -\r", "unknown: type help"),
    ],
)
def test_console_reports_the_arguments_of_live_and_gain(typed, answer, programs):
    run = play(programs["host"], melody(), [], [(5, typed)])
    assert answers(run)[1] == answer


def test_firmware_without_an_input_refuses_live_mode(generated):
    settings = {"GENERATED_DIR": generated, "PLAYER_VOICES": 2}
    program = make("qemu_m0", generated.parent / "m0", settings, "play")
    lines = answers(play(program, melody()))
    assert lines[1] == "there is no input"
    assert not any(line.startswith("input lost") for line in lines)


# --- unusual input --------------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_missing_input_is_silence_and_is_reported(board, programs):
    nothing = np.zeros(300 * HOP_SAMPLES, np.int16)
    run = play(programs[board], None, [], [*LIVE, (20, b"live\r")])
    np.testing.assert_array_equal(pcm(run), pcm(play(programs[board], nothing)))
    assert answers(run).count("no sound comes in") == 2
    assert int(stats(run)["input lost"]) > 390
    assert stats(run)["underruns"] == "0"


def test_input_is_used_up_to_its_last_whole_block(programs):
    sound = to_pcm(make_tone(0.5, 440))
    whole = sound[: 100 * HOP_SAMPLES]
    cut = sound[: 100 * HOP_SAMPLES + 63]
    runs = [play(programs["host"], part) for part in (whole, cut)]
    np.testing.assert_array_equal(*map(pcm, runs))


@pytest.mark.parametrize("dc", [-32768, 12_345, 32767])
def test_constant_input_settles_to_silence(dc, following):
    program = build_play("host", following)
    played = pcm(play(program, np.full(700 * HOP_SAMPLES, dc, np.int16)))
    assert np.abs(played[100 * HOP_SAMPLES :].astype(int)).max() <= 3


@pytest.mark.parametrize("board", BOARDS)
def test_player_recovers_from_full_scale_noise(board, programs, following):
    rng = np.random.default_rng(1)
    noise = rng.integers(-(2**15), 2**15, 200 * HOP_SAMPLES).astype(np.int16)
    square = np.where(np.arange(100 * HOP_SAMPLES) % 7 < 3, 32767, -32768).astype(np.int16)
    sound = np.concatenate([noise, square, np.zeros(200 * HOP_SAMPLES, np.int16)])
    played = blocks(play(programs[board], sound, end=600))
    assert played[20:300].any(axis=1).all()
    if board == "host":
        soft = blocks(play(build_play(board, following), sound, end=600))
        assert np.abs(soft[20:300]).max() > 10_000 and np.abs(soft[320:500]).max() <= 3


def test_counts_begin_again_when_they_are_cleared(programs):
    """Three late blocks come before, and two afterwards."""
    sound = to_pcm(make_tone(3, 440))
    late = [(30, b""), (60, b""), (61, b""), (90, b""), (91, b"")]
    typed = [*LIVE, (80, b"stats\rclear\rstats\r")]
    lines = answers(play(programs["host"], sound, late, typed))
    counts = [line for line in lines if line.startswith(("underruns", "input lost"))]
    assert counts == [f"{name} {n}" for n in (3, 0, 2) for name in ("underruns", "input lost")]


def test_input_blocks_that_arrive_while_the_loop_is_late_are_counted(programs):
    sound = to_pcm(make_tone(3, 440))
    run = play(programs["host"], sound, [(30, b""), (60, b""), (61, b"")])
    assert (stats(run)["underruns"], stats(run)["input lost"]) == ("3", "3")
    assert "0 live flute 69" in answers(play(programs["host"], sound, [(30, b"")], end=200))
