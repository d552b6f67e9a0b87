"""Notes to frames: C equals Python bit for bit, and both follow the learnt table."""

import dataclasses
import io
from pathlib import Path

import mido
import numpy as np
import pytest

from pipeline import expression
from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument, shipped_instruments
from pipeline.core.paths import APP_DIR, MODEL_DIR
from pipeline.emit.expression import table_text
from pipeline.model.expression import (
    GAIN_DB_Q8,
    KNOTS,
    PLAIN,
    Expression,
    load_expression,
)
from pipeline.model.expression_curves import learn_curves
from pipeline.model.expression_movement import learn_movement
from pipeline.model.note_measurement import measure_notes
from pipeline.reference.expression import FixedExpressionVoice, pitch_to_hz, to_fixed
from pipeline.target.boards import EMULATED_BOARDS
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

SOURCES = [
    Path(__file__).parent / "play_notes.c",
    *(APP_DIR / "player" / f"{name}.c" for name in ("expression", "pitch", "pitch_tables")),
    APP_DIR / "fm" / "fm_sine_table.c",
]
TABLES = {
    "flute": load_expression(MODEL_DIR / "flute" / "expression.toml"),
    "piano": load_expression(MODEL_DIR / "piano" / "expression.toml"),
    "plain": PLAIN,
}
STEP = np.dtype("<i4", 8)
NOTHING, START, SLUR, RELEASE = range(4)


def random_steps(n_steps: int, seed: int) -> np.ndarray:
    """Draws random events for a voice, with notes, gains and bends beyond the usual ranges."""
    rng = np.random.default_rng(seed)
    steps = np.zeros((n_steps, 8), np.int32)
    for step in steps:
        step[5:8] = rng.integers(-(24 << 16), 24 << 16), rng.integers(-(300 << 16), 5 << 16), -1
        if rng.random() < 0.5:
            step[5:8] = 0, 0, rng.integers(-1, 32768)
        if rng.random() < 0.06:
            step[0] = rng.choice((START, SLUR, RELEASE))
            step[1:3] = rng.integers(0, 128), rng.integers(1, 128)
            step[3] = rng.choice([-1, rng.integers(0, 127 << 16)])
            step[4] = rng.choice([0, 1, 7, 500])
    return steps


def play(table: Expression, steps: np.ndarray) -> np.ndarray:
    """Plays steps in Python; returns the bits of f0_hz and loudness_db, and is_sounding, [n, 3]."""
    voice = FixedExpressionVoice(to_fixed(table), 12345)
    frames = []
    for what, note, velocity, start, glide, bend, gain, depth in steps.tolist():
        if what == START:
            voice.start(note, velocity, start=None if start < 0 else start, glide_frames=glide)
        elif what == SLUR:
            voice.slur(note, velocity, glide)
        elif what == RELEASE:
            voice.release()
        f0_hz, loudness_db, sounds = voice.step(bend=bend, gain=gain, vibrato_depth=depth)
        frames.append([f0_hz.view(np.int32), loudness_db.view(np.int32), sounds])
    return np.array(frames, np.int32)


@pytest.mark.firmware
@pytest.mark.parametrize("board", ["host", *EMULATED_BOARDS])
def test_firmware_and_python_turn_notes_into_the_same_frames(board, tmp_path):
    definitions = "".join(table_text(name, to_fixed(table)) for name, table in TABLES.items())
    addresses = ", ".join(f"&{name}_expression" for name in TABLES)
    (tmp_path / "tables.c").write_text(
        '#include "player/expression.h"\n'
        f"{definitions}const expression_t *const tables[] = {{{addresses}}};\n"
    )
    program = build_program(
        board,
        [*SOURCES, tmp_path / "tables.c"],
        out=tmp_path / "build",
        sanitize=board == "host",
    )
    for preset, table in enumerate(TABLES.values()):
        steps = random_steps(1500, preset)
        run = run_program(
            program,
            arguments=[str(preset), "steps", "frames"],
            inputs={"steps": steps.astype("<i4").tobytes()},
            outputs=["frames"],
        )
        assert run.status == 0, run.console
        frames = np.frombuffer(run.files["frames"], "<i4").reshape(-1, 3)
        np.testing.assert_array_equal(frames, play(table, steps))
        assert np.isfinite(frames[:, :2].copy().view(np.float32)).all()


def test_pitch_is_accurate_to_a_thirtieth_of_a_cent():
    pitches = np.random.default_rng(0).integers(12 << 16, 115 << 16, 3000)
    hz = np.array([pitch_to_hz(int(pitch)) for pitch in pitches], float)
    cents = 1200 * np.log2(hz / 440) - 100 * (pitches / 65536 - 69)
    assert np.abs(cents).max() < 1 / 30
    assert pitch_to_hz(69 << 16) == pytest.approx(440, rel=2e-5)
    assert pitch_to_hz(-5) == pitch_to_hz(12 << 16)
    assert pitch_to_hz(2**31 - 1) == pitch_to_hz(115 << 16)


def steady(table: Expression, *, note: int, velocity: int = 127, n_frames: int = 512) -> np.ndarray:
    """Returns the loudness of a note without drift or vibrato, in dB, at every frame."""
    table = dataclasses.replace(table, loudness_drift_db=0.0, loudest_db=0.0)
    voice = FixedExpressionVoice(to_fixed(table), 1)
    voice.start(note, velocity)
    return np.array([voice.step(vibrato_depth=0)[1] for _ in range(n_frames)])


@pytest.mark.parametrize("instrument", shipped_instruments())
def test_note_follows_the_learnt_curves(instrument):
    table = load_expression(MODEL_DIR / instrument / "expression.toml")
    for curve in (0, 2, table.n_curves - 2):
        note = table.lowest_note + 8 * curve
        played = steady(table, note=note)
        np.testing.assert_allclose(played[KNOTS - 1], table.envelope_db[curve], atol=0.01)
        softer = steady(table, note=note, velocity=64) - played
        np.testing.assert_allclose(softer, 40 * np.log10(64 / 127), atol=0.01)


def test_pitch_between_two_curves_is_interpolated():
    table = TABLES["piano"]
    low, middle, high = (steady(table, note=table.lowest_note + i) for i in (8, 12, 16))
    np.testing.assert_allclose(middle, (low + high) / 2, atol=0.01)


def test_released_note_follows_the_learnt_release_to_silence():
    table = dataclasses.replace(TABLES["flute"], loudness_drift_db=0.0)
    voice = FixedExpressionVoice(to_fixed(table), 1)
    voice.start(table.lowest_note + 8, 100)
    before = [voice.step()[1] for _ in range(100)][-1]
    voice.release()
    steps = [voice.step() for _ in range(200)]
    fall = np.array([loudness for _, loudness, _ in steps])[KNOTS[:11] - 1] - before
    np.testing.assert_allclose(fall, table.release_db[1], atol=0.01)
    assert not steps[-1][2]


def begin_alone_and_after(
    velocities: tuple[int, int] = (100, 100),
    *,
    notes: tuple[int, int] = (72, 74),
    gap: int = 0,
    slurs: bool = True,
):
    """Begins a note from rest, and `gap` frames after the end of another.

    Returns:
        The last loudness of that other note or of its release, and the loudness of both
        beginnings, in dB.
    """
    table = dataclasses.replace(TABLES["flute"], loudness_drift_db=0.0)
    table = table if slurs else dataclasses.replace(table, slur_ms=0.0)
    alone, after = (FixedExpressionVoice(to_fixed(table), 1) for _ in range(2))
    after.start(notes[0], velocities[0])
    last = [after.step()[1] for _ in range(200)][-1]
    after.release()
    for _ in range(gap):
        last = after.step()[1]
    beginnings = []
    for voice in (alone, after):
        voice.start(notes[1], velocities[1])
        beginnings.append(np.array([voice.step()[1] for _ in range(64)]))
    return last, *beginnings


@pytest.mark.parametrize("gap", [0, 1, 2, 5, 12])
def test_next_note_begins_as_loud_as_the_release_of_the_last(gap):
    last, attack, grown = begin_alone_and_after(gap=gap)
    first = grown[0]
    assert attack[0] < last - 8 and abs(first - last) < 1.5
    # It goes on with the attack from the moment at which that is as loud, and reaches its end.
    at = int(np.argmin(np.abs(attack - first)))
    if gap > 2:
        np.testing.assert_array_equal(grown[: 64 - at], attack[at:])
    assert grown.min() > first - 1 and grown[-1] == pytest.approx(attack[-1], abs=1)


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_repeated_note_begins_3_db_below_the_last(gap):
    last = begin_alone_and_after()[0]
    grown = begin_alone_and_after(notes=(72, 72), gap=gap)[2]
    assert last - 4 < grown[0] < last - 2.5 and grown[-1] > last - 0.5


def test_note_after_silence_has_its_whole_attack():
    _, attack, grown = begin_alone_and_after(gap=120)
    np.testing.assert_array_equal(grown, attack)


def test_note_of_an_instrument_that_cannot_slur_has_its_whole_attack():
    last, attack, grown = begin_alone_and_after(slurs=False)
    assert attack[0] < last - 8 and grown[0] > last - 3  # the louder of release and attack
    assert (grown >= attack).all() and grown[-1] == attack[-1] and grown.min() < last - 4


@pytest.mark.parametrize("slurs", [True, False])
def test_soft_note_does_not_begin_with_the_loudness_of_the_last_one(slurs):
    last, attack, grown = begin_alone_and_after((127, 40), slurs=slurs)
    excess = grown - np.maximum(attack, last + 40 * np.log10(40 / 127))
    assert excess[0] < 0.1 and excess.max() < 1.5


def test_vibrato_starts_after_its_delay_with_its_rate_and_depth():
    table = dataclasses.replace(
        PLAIN, pitch_drift_cents=0.0, vibrato_cents=30.0, vibrato_hz=5.0, vibrato_delay_ms=200.0
    )
    voice = FixedExpressionVoice(to_fixed(table), 1)
    voice.start(69, 100)
    cents = 1200 * np.log2(np.array([voice.step()[0] for _ in range(1000)]) / 440.0)
    assert np.abs(cents[:50]).max() < 0.1
    assert np.abs(cents[200:]).max() == pytest.approx(30, abs=0.2)
    assert np.sum(np.diff(np.sign(cents[260:760])) > 0) == 10  # periods in two seconds


def test_drift_is_slow_and_has_the_learnt_deviation():
    table = dataclasses.replace(PLAIN, pitch_drift_cents=4.0, loudness_drift_db=0.5)
    table = dataclasses.replace(table, envelope_db=[[-20.0] * 18] * 11)
    voice = FixedExpressionVoice(to_fixed(table), 7)
    voice.start(69, 127)
    frames = np.array([voice.step()[:2] for _ in range(20_000)], float)
    cents = 1200 * np.log2(frames[:, 0] / 440)
    assert cents.std() == pytest.approx(4.0, rel=0.15)
    assert frames[:, 1].std() == pytest.approx(0.5, rel=0.15)
    assert np.abs(np.diff(cents)).max() < 4.0


# --- learning -------------------------------------------------------------------------------------


def synthetic_corpus(gap: float) -> tuple[mido.MidiFile, np.ndarray, np.ndarray]:
    """Returns notes of a known curve, with velocity and expression, and their features."""
    track, now, onset = mido.MidiTrack(), 0.0, 0.2
    n_frames = 20_000
    f0_hz, loudness_db = np.full(n_frames, 440.0), np.full(n_frames, -80.0)
    for i in range(60):
        pitch, velocity, seconds = 60 + i % 25, 68 + i, 0.3 + 0.1 * (i % 5)
        level = 127 - i % 30
        for at, message in (
            (onset - 0.05, mido.Message("control_change", control=11, value=level)),
            (onset, mido.Message("note_on", note=pitch, velocity=velocity)),
            (onset + seconds, mido.Message("note_off", note=pitch)),
        ):
            track.append(message.copy(time=round(1000 * at) - round(1000 * now)))
            now = at
        t = np.arange(n_frames) / FRAME_RATE + 1 / FRAME_RATE - onset
        sounding = (t >= -0.001) & (t < seconds + 0.2)
        body = -10 - 20 * np.exp(-np.maximum(t, 0) / 0.02) - 200 * np.maximum(t - seconds, 0)
        gain = 40 * np.log10(velocity / 127) + 40 * np.log10(level / 127)
        loudness_db[sounding] = np.maximum(body + gain, -80)[sounding]
        f0_hz[sounding] = 440 * 2 ** ((pitch - 69) / 12)
        onset += seconds + gap
    midi = mido.MidiFile(type=0, ticks_per_beat=500, tracks=[track])
    stored = io.BytesIO()
    midi.save(file=stored)
    return mido.MidiFile(file=io.BytesIO(stored.getvalue())), f0_hz, loudness_db


def test_curves_are_recovered_from_a_corpus_with_any_velocities_and_swells():
    notes = list(measure_notes(*synthetic_corpus(gap=0.3)))
    assert len(notes) == 60
    config = load_instrument("flute")
    learnt = learn_curves(notes, config)
    expected = -10 - 20 * np.exp(-KNOTS / FRAME_RATE / 0.02)
    for curve in learnt["envelope_db"][:3]:
        np.testing.assert_allclose(curve, expected, atol=0.3)
    fall = -200 * KNOTS[:10] / FRAME_RATE
    for curve in learnt["release_db"][:3]:
        np.testing.assert_allclose(curve[:10], fall, atol=1.5)
    assert learnt["release_slope"][1] == pytest.approx(-200, abs=5)


def test_vibrato_and_drift_of_steady_tones_are_recovered():
    t = np.arange(1000) / FRAME_RATE
    rng = np.random.default_rng(0)
    cents, swells_db = [], []
    for _ in range(12):
        phase = rng.uniform(0, 2 * np.pi, 2)
        cents.append(
            20 * np.sin(2 * np.pi * 5.5 * t + phase[0]) + 6 * np.sin(2 * np.pi * t + phase[1])
        )
        swells_db.append(-20 + 0.7 * np.sin(2 * np.pi * 1.5 * t + phase[1]))
    f0_hz = 440 * 2 ** (np.array(cents) / 1200)
    learnt = learn_movement(f0_hz, np.array(swells_db), np.ones_like(f0_hz))
    assert learnt["vibrato_hz"] == pytest.approx(5.5, abs=0.1)
    assert learnt["vibrato_cents"] == pytest.approx(20, rel=0.1)
    assert learnt["pitch_drift_cents"] == pytest.approx(6 / np.sqrt(2), rel=0.15)
    assert learnt["loudness_drift_db"] == pytest.approx(0.7 / np.sqrt(2), rel=0.15)
    nothing = np.zeros((0, 1000))
    assert learn_movement(nothing, nothing, nothing)["vibrato_cents"] == 0


def test_learnt_table_reads_back_from_its_file(tmp_path):
    for table in TABLES.values():
        table.save(tmp_path / "expression.toml", "two lines\nof comment")
        assert load_expression(tmp_path / "expression.toml") == table


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("envelope_db", [[0.0] * 18], "envelope_db has shape"),
        ("envelope_slope", [0.0], "1 entries"),
        ("envelope_db", [[0.0] * 18, [0.0] * 17], "envelope_db is not numbers"),
        ("release_db", [[1.0] * 11] * 11, "release_db is not within"),
        ("release_slope", [0.0] * 11, "release_slope is not within"),
        ("slur_ms", float("nan"), "slur_ms"),
        ("vibrato_cents", "deep", "vibrato_cents = 'deep': give a number"),
    ],
)
def test_damaged_table_is_refused_and_the_entry_named(tmp_path, entry, value, message):
    path = tmp_path / "expression.toml"
    dataclasses.replace(PLAIN, **{entry: value}).save(path, "damaged")
    text = path.read_text().replace("= deep", '= "deep"')
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_expression(path)


def test_missing_data_set_is_reported_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"dataset.npz is missing: run python -m pipeline.data"):
        expression.main(["--instrument", "flute", "--runs", str(tmp_path)])


def test_gain_equals_that_of_general_midi():
    values = np.arange(1, 128)
    np.testing.assert_allclose(
        np.array(GAIN_DB_Q8[1:]) / 256, 40 * np.log10(values / 127), atol=0.002
    )
    assert GAIN_DB_Q8[127] == 0
