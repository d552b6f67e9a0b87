"""The player: keys, pedal and controllers, and its output bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import small_player
from support.patches import SHIPPED
from support.small_player import (
    LEVEL_DB,
    NOISE,
    PATCH_NAMES,
    TABLES,
    bend,
    control,
    off,
    on,
    program_change,
)

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.patch_files import load_patch
from pipeline.model.noise import NoiseParameters
from pipeline.reference import device, frame
from pipeline.reference.fm import FixedVoice
from pipeline.reference.noise import FixedNoise, noise_gains, noise_pcm, to_fixed_noise
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program
from pipeline.target.player import (
    BEGUN,
    FADED,
    Performance,
    Score,
    build_player,
    perform,
    stretches,
)

pytestmark = pytest.mark.firmware

SUSTAIN, PORTAMENTO = 64, 65
ALL_SOUND_OFF, RESET, ALL_NOTES_OFF, MONO, POLY = 120, 121, 123, 126, 127


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("player")


@pytest.fixture(scope="module")
def generated(work: Path) -> Path:
    small_player.generate(work / "generated")
    return work / "generated"


@pytest.fixture(scope="module")
def model(generated: Path) -> Path:
    return generated / "decoder.tflite"


@pytest.fixture(scope="module")
def players(work: Path, generated: Path) -> dict[str, Program]:
    """Players with one and four voices under sanitizers, and with four in the emulator."""
    return {
        name: build_player(
            board, generated, n_voices=n_voices, build_dir=work / name, sanitize=board == "host"
        )
        for name, board, n_voices in (
            ("mono", "host", 1),
            ("poly", "host", 4),
            ("qemu_m4", "qemu_m4", 4),
        )
    }


@pytest.fixture(scope="module")
def mono(players):
    return lambda *events, until=100: play(players["mono"], list(events), until)


@pytest.fixture(scope="module")
def poly(players):
    return lambda *events, until=100: play(players["poly"], list(events), until)


def play(program: Program, score: Score, until: int) -> Performance:
    """Performs a score and ends all sound at the block `until`."""
    return perform(program, [*score, (until, control(ALL_SOUND_OFF, 0))])


def course(performance: Performance, voice: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pitch in semitones and loudness in dB of a voice per block, NaN if silent."""
    pitch, loudness = np.full((2, performance.report["n_blocks"]), np.nan)
    for record in performance.trace[performance.trace["voice"] == voice]:
        if record["event"] != FADED:
            pitch[record["block"]] = 69 + 12 * np.log2(record["f0_hz"] / 440)
            loudness[record["block"]] = record["loudness_db"]
    return pitch, loudness


def sounding_at(performance: Performance, block: int) -> list[int]:
    """Returns the note of each voice that sounds in a block; 0 for silent voices."""
    notes = [0] * performance.n_voices
    for record in performance.trace[performance.trace["block"] == block]:
        if record["event"] != FADED:
            notes[record["voice"]] = round(69 + 12 * np.log2(record["f0_hz"] / 440))
    return notes


def attacks(performance: Performance) -> list[int]:
    """Returns the blocks in which a voice starts from silence."""
    return performance.trace["block"][performance.trace["event"] == BEGUN].tolist()


# --- notes ----------------------------------------------------------------------------------------


def test_note_starts_in_the_block_after_its_message_and_dies_away(mono):
    played = mono((5, on(72)), (40, off(72)), until=300)
    pitch, loudness = course(played)
    assert attacks(played) == [5]
    assert np.all(np.isnan(pitch[:5])) and np.all(played.pcm[: 5 * HOP_SAMPLES] == 0)
    assert np.abs(played.pcm[5 * HOP_SAMPLES : 7 * HOP_SAMPLES]).max() > 0
    np.testing.assert_allclose(pitch[5:40], 72, atol=0.001)
    np.testing.assert_allclose(loudness[5:40], LEVEL_DB, atol=0.01)
    assert loudness[41] < LEVEL_DB and np.isnan(loudness[110])
    assert played.report["n_sounding"] == 0


def test_velocity_sets_the_loudness_and_velocity_zero_ends_the_note(mono):
    played = mono((0, on(60, 50)), (50, on(60, 0)), until=300)
    loudness = course(played)[1]
    np.testing.assert_allclose(loudness[:50], LEVEL_DB + 40 * np.log10(50 / 127), atol=0.01)
    assert np.isnan(loudness[-1]) and loudness[60] < loudness[49] - 5


def test_mono_player_slurs_to_the_last_note_and_back_to_a_held_one(mono):
    played = mono(
        (0, on(60)),
        (50, on(64)),
        (100, on(67)),
        (150, off(67)),
        (200, off(60)),
        (250, off(64)),
        until=400,
    )
    pitch, loudness = course(played)
    assert attacks(played) == [0]
    for block, note in ((45, 60), (95, 64), (145, 67), (195, 64), (245, 64)):
        assert pitch[block] == pytest.approx(note, abs=0.001)
    assert 60 < pitch[51] < 64  # it glides for 20 ms
    np.testing.assert_allclose(loudness[:250], LEVEL_DB, atol=0.01)
    assert loudness[260] < LEVEL_DB - 5


def test_instrument_that_does_not_slur_attacks_every_note(mono):
    played = mono((0, program_change(2)), (1, on(60)), (60, on(64)), until=120)
    pitch, loudness = course(played)
    assert pitch[60] == pytest.approx(64, abs=0.001)  # without a glide
    assert loudness[66] > loudness[59] + 0.5  # a new attack


def test_mono_player_forgets_the_oldest_of_seventeen_keys(mono):
    keys = range(40, 57)
    presses = [(10 * i, on(note)) for i, note in enumerate(keys)]
    lifts = [(200 + 10 * i, off(note)) for i, note in enumerate(reversed(keys))]
    played = mono(*presses, *lifts, until=600)
    pitch, loudness = course(played)
    assert pitch[345] == pytest.approx(41, abs=0.01)  # key 40 was forgotten
    assert loudness[358] < LEVEL_DB  # it is released with key 41


def test_poly_player_gives_every_key_a_voice(poly):
    played = poly((0, on(60)), (10, on(64)), (20, on(67)), (40, off(64)), until=100)
    assert sounding_at(played, 30) == [60, 64, 67, 0]
    assert course(played, 1)[1][60] < LEVEL_DB - 5
    np.testing.assert_allclose(course(played, 2)[1][20:100], LEVEL_DB, atol=0.01)


def test_new_note_steals_the_voice_released_first_or_else_the_quietest(poly):
    chord = [(0, on(60, 100)), (0, on(62, 60)), (0, on(64, 80)), (0, on(65, 90))]
    played = poly(
        *chord, (20, off(65)), (21, off(60)), (22, on(70)), (23, on(71)), (24, on(72)), (26, on(73))
    )
    assert sounding_at(played, 21) == [60, 62, 64, 65]
    assert sounding_at(played, 22)[3] == 70  # released first
    assert sounding_at(played, 23)[0] == 71  # released next
    assert sounding_at(played, 24) == [71, 72, 64, 70]  # the quietest
    assert sounding_at(played, 26) == [71, 72, 73, 70]
    assert played.report["n_stolen"] == 2


def test_repeated_key_reuses_its_voice(poly):
    played = poly((0, on(60)), (0, on(64)), (20, off(60)), (22, on(60)), (40, on(60)), until=80)
    assert sounding_at(played, 60) == [60, 64, 0, 0]
    assert attacks(played) == [0, 0]


def test_stolen_voice_changes_its_note_within_a_block(poly):
    notes = [(i, on(60 + i)) for i in range(5)]
    played = poly(*notes, until=60)
    assert attacks(played) == [0, 1, 2, 3]
    assert sounding_at(played, 4) == [64, 61, 62, 63]


# --- controllers ----------------------------------------------------------------------------------


def test_bend_range_is_two_semitones_or_set_by_rpn_0(mono):
    rpn = [control(101, 0), control(100, 0), control(6, 7), control(38, 50)]
    played = mono(
        (0, on(60)),
        (1, bend(8191)),
        (50, bend(-8192)),
        *((100, message) for message in rpn),
        (150, control(101, 127)),
        (150, control(100, 127)),
        (150, control(6, 12)),
        (200, bend(0)),
        until=250,
    )
    pitch = course(played)[0]
    assert pitch[49] == pytest.approx(62, abs=0.01)
    assert pitch[99] == pytest.approx(58, abs=0.01)
    assert pitch[149] == pytest.approx(60 - 7.5, abs=0.01)
    assert pitch[199] == pytest.approx(60 - 7.5, abs=0.01)  # data without a parameter
    assert pitch[249] == pytest.approx(60, abs=0.01)


def test_nrpn_data_is_ignored_and_bend_range_limited_to_two_octaves(mono):
    messages = [control(101, 0), control(100, 0), control(6, 127), control(99, 0), control(6, 1)]
    played = mono((0, on(60)), (0, bend(8191)), *((0, m) for m in messages), until=100)
    assert course(played)[0][99] == pytest.approx(84, abs=0.01)


def test_modulation_wheel_sets_the_depth_of_vibrato_from_none_to_half_a_semitone(mono):
    violin = program_change(1)
    played = mono((0, violin), (1, on(69)), (300, control(1, 127)), (600, control(1, 0)), until=800)
    pitch = course(played)[0]
    usual = TABLES["violin"].vibrato_cents / 100
    drift = 4 * TABLES["violin"].pitch_drift_cents / 100
    assert usual <= np.abs(pitch[150:300] - 69).max() < usual + drift
    assert 0.5 <= np.abs(pitch[400:600] - 69).max() < 0.5 + drift
    assert np.abs(pitch[610:800] - 69).max() < drift


@pytest.mark.parametrize("number", [2, 7, 11])
def test_breath_volume_and_expression_set_the_loudness(mono, number):
    played = mono((0, on(60)), (10, control(number, 40)), until=100)
    loudness = course(played)[1]
    reference = 100 if number == 7 else 127  # the default volume is 100
    assert loudness[99] == pytest.approx(LEVEL_DB + 40 * np.log10(40 / reference), abs=0.02)
    steps = np.diff(loudness[9:60])
    assert steps.max() <= 0 and steps.min() > 40 * np.log10(40 / reference) / 3  # no jump


def test_combined_controllers_never_exceed_the_range_of_the_instrument(mono):
    played = mono((0, program_change(1)), (0, control(7, 127)), (2, on(70)), until=400)
    assert np.nanmax(course(played)[1]) <= TABLES["violin"].loudest_db + 1e-4


def test_cc_65_enables_portamento_and_cc_5_sets_its_time(mono):
    played = mono(
        (0, control(5, 64)),
        (0, control(PORTAMENTO, 127)),
        (0, on(60)),
        (50, off(60)),
        (200, on(72)),
        (400, off(72)),
        (600, control(PORTAMENTO, 0)),
        (601, on(48)),
        until=700,
    )
    pitch = course(played)[0]
    assert pitch[10] == pytest.approx(60, abs=0.001)  # nothing to glide from
    n_frames = (64 * 64 * 127) >> 12
    expected = 60 + 12 * np.arange(1, n_frames + 1) / n_frames
    np.testing.assert_allclose(pitch[200 : 200 + n_frames], expected, atol=0.01)
    assert pitch[399] == pytest.approx(72, abs=0.001)
    assert pitch[601] == pytest.approx(48, abs=0.001)


def test_sustain_pedal_holds_notes_until_it_is_lifted(mono, poly):
    for performer in (mono, poly):
        played = performer(
            (0, control(SUSTAIN, 127)),
            (1, on(60)),
            (30, off(60)),
            (100, control(SUSTAIN, 0)),
            until=300,
        )
        loudness = course(played)[1]
        np.testing.assert_allclose(loudness[1:100], LEVEL_DB, atol=0.01)
        assert loudness[110] < LEVEL_DB - 5 and np.isnan(loudness[200])


def test_releasing_the_pedal_ends_only_notes_without_a_held_key(mono, poly):
    events = [
        (0, on(60)),
        (5, control(SUSTAIN, 127)),
        (10, on(67)),
        (20, off(67)),
        (50, control(SUSTAIN, 0)),
    ]
    played = mono(*events, until=90)
    assert course(played)[0][49] == pytest.approx(67, abs=0.01)
    assert course(played)[0][89] == pytest.approx(60, abs=0.01)
    played = poly(*events, until=90)
    np.testing.assert_allclose(course(played, 0)[1][:90], LEVEL_DB, atol=0.01)
    assert course(played, 1)[1][60] < LEVEL_DB - 5


def test_all_sound_off_ramps_to_silence_within_one_block(poly):
    played = poly(
        (0, on(60)), (0, on(64)), (50, control(ALL_SOUND_OFF, 0)), (80, off(60)), until=90
    )
    assert set(played.trace["event"][played.trace["block"] == 50]) == {FADED}
    assert played.trace["block"].max() == 50
    assert np.all(played.pcm[51 * HOP_SAMPLES :] == 0)


@pytest.mark.parametrize("number", [ALL_NOTES_OFF, 124, 125])
def test_all_notes_off_releases_keys_but_not_the_pedal(mono, poly, number):
    for performer in (mono, poly):
        played = performer((0, on(60)), (0, on(64)), (50, control(number, 0)), until=300)
        assert course(played)[1][55] < LEVEL_DB - 5 and played.trace["block"].max() < 200
        held = performer(
            (0, on(60)), (10, control(SUSTAIN, 127)), (50, control(number, 0)), until=300
        )
        assert course(held)[1][299] == pytest.approx(LEVEL_DB, abs=0.01)


def test_reset_of_controllers_keeps_volume_and_notes(mono):
    played = mono(
        (0, on(60)),
        (1, bend(4000)),
        (1, control(11, 20)),
        (1, control(2, 20)),
        (1, control(1, 127)),
        (1, control(7, 50)),
        (100, control(RESET, 0)),
        until=200,
    )
    pitch, loudness = course(played)
    assert pitch[199] == pytest.approx(60, abs=0.01)
    assert loudness[199] == pytest.approx(LEVEL_DB + 40 * np.log10(50 / 100), abs=0.02)


def test_mono_and_poly_modes_are_switched_by_their_controllers(poly):
    played = poly(
        (0, control(MONO, 1)),
        (1, on(60)),
        (20, on(64)),
        (40, control(POLY, 0)),
        (50, on(60)),
        (50, on(64)),
    )
    assert sounding_at(played, 30) == [64, 0, 0, 0]
    assert sounding_at(played, 45) == [0, 0, 0, 0]
    assert sorted(sounding_at(played, 60)) == [0, 0, 60, 64]


def test_program_change_affects_later_notes_only(poly):
    played = poly(
        (0, on(60)), (20, program_change(1)), (30, on(64)), (40, program_change(9)), (50, on(67))
    )
    assert [(s.block, s.preset) for s in stretches(played)] == [(0, 0), (30, 1), (50, 1)]


def test_mono_voice_of_another_instrument_fades_out_before_the_new_note(mono):
    played = mono((0, on(60)), (20, program_change(2)), (30, on(64)), until=60)
    first, second = stretches(played)
    assert (first.block, len(first.frames), first.is_faded, first.preset) == (0, 31, True, 0)
    assert (second.block, second.preset) == (31, 2)


def test_note_that_ends_while_it_waits_for_a_voice_is_not_stuck(mono):
    events = [(0, on(60)), (20, program_change(2)), (30, on(64)), (30, off(64)), (30, off(60))]
    played = mono(*events, until=400)
    assert played.trace["block"].max() <= 31


def test_every_channel_is_received(mono):
    played = mono((0, bytes([0x9F, 60, 127])), (20, bytes([0x83, 60, 0])), until=200)
    assert attacks(played) == [0] and np.isnan(course(played)[0][150])


# --- random scores --------------------------------------------------------------------------------


def simulate(performance: Performance, model: Path) -> np.ndarray:
    """Simulates the device with the frames that the player gave to its voices."""
    mix = np.zeros(len(performance.pcm), np.int64)
    for stretch in stretches(performance):
        patch = load_patch(PATCH_NAMES[stretch.preset])
        levels = device.simulate(model, patch, NOISE, stretch.frames).levels_q32
        f0_hz, loudness_db = frame.clamp_frames(stretch.frames).T
        noise = to_fixed_noise(NOISE)
        gains = noise_gains(noise, frame.log2_float32(f0_hz), loudness_db, levels)
        if stretch.is_faded:
            levels[-1] = gains[..., -1] = 0
        sound = FixedVoice(patch).render(f0_hz, levels)
        sound = sound + noise_pcm(noise, gains, voice=stretch.voice)
        sound = np.clip(sound, -FULL_SCALE, FULL_SCALE - 1)
        begin = stretch.block * HOP_SAMPLES
        mix[begin : begin + len(sound)] += sound
    return np.clip(mix >> (performance.n_voices > 1), -FULL_SCALE, FULL_SCALE - 1)


message = st.one_of(
    st.tuples(st.just(0x90), st.integers(40, 90), st.integers(0, 127)),
    st.tuples(st.just(0x80), st.integers(40, 90), st.just(0)),
    st.tuples(
        st.just(0xB0),
        st.sampled_from([1, 2, 5, 6, 7, 11, 38, 64, 65, 99, 100, 101, 120, 121, 123, 126, 127, 33]),
        st.integers(0, 127),
    ),
    st.tuples(st.just(0xC0), st.integers(0, 4)),
    st.tuples(st.just(0xE0), st.integers(0, 127), st.integers(0, 127)),
).map(bytes)
random_score = st.lists(st.tuples(st.integers(0, 8), message), min_size=1, max_size=60)


def absolute(score: list[tuple[int, bytes]]) -> Score:
    blocks = np.cumsum([delta for delta, _ in score])
    return [(int(block), part) for block, (_, part) in zip(blocks, score, strict=True)]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_score)
def test_host_emulator_and_python_render_any_score_to_the_same_samples(players, model, score):
    events = absolute(score)
    end = events[-1][0] + 100
    host = play(players["poly"], events, end)
    emulated = play(players["qemu_m4"], events, end)
    np.testing.assert_array_equal(host.trace, emulated.trace)
    np.testing.assert_array_equal(host.pcm, emulated.pcm)
    np.testing.assert_array_equal(host.pcm, simulate(host, model))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_score)
def test_no_note_sounds_after_all_keys_and_the_pedal_are_released(players, score):
    events = absolute(score)
    end = events[-1][0]
    lifted = [(end, off(note)) for note in range(128)] + [(end, control(SUSTAIN, 0))]
    for name in ("mono", "poly"):
        played = perform(players[name], [*events, *lifted, (end + 1250, control(7, 100))])
        assert played.report["n_sounding"] == 0
        assert not len(played.trace) or played.trace["block"].max() < end + 1000


def test_stack_of_the_player_is_bounded(players):
    """Measures the painted stack of the emulated Cortex-M4F, including file access."""
    score = [(i, on(40 + i % 50)) for i in range(100)]
    assert 0 < play(players["qemu_m4"], score, 120).report["stack_bytes"] < 1536


# --- endurance ------------------------------------------------------------------------------------


def perform_an_hour(work: Path, generated: Path) -> dict[str, float]:
    """Runs ``hour.c``, which takes a few seconds."""
    sources = [Path(__file__).parent / "hour.c", *small_player.SOURCES]
    sources += sorted(generated.glob("*.c"))
    program = build_program("host", sources, out=work / "hour", include_dirs=[generated])
    ratios = [str(float(load_patch(name).base_ratio)) for name in PATCH_NAMES]
    run = run_program(program, arguments=["3600", "1", *ratios])
    assert run.status == 0, run.console
    return json.loads(run.console)


def test_phases_do_not_drift_and_no_note_is_stuck_in_an_hour(work, generated):
    report = perform_an_hour(work, generated)
    finest = max(max(load_patch(name).multiples) for name in PATCH_NAMES)
    for who in ("drone", "busy"):
        error_db = 20 * np.log10(2 * np.pi * finest * report[f"{who}_error_turns"] + 1e-30)
        assert error_db < -80
    assert report["n_stuck"] == 0 and report["n_not_finite"] == 0
    assert report["n_sounding_most"] == 4 and report["drone_sounds"] == 1
    assert report["n_notes"] > 10_000 and report["n_stolen"] > 1000


# --- clicks ---------------------------------------------------------------------------------------


def largest_steps(patch, f0_hz: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Returns the largest difference of adjacent samples if levels and f0 ramp through every block.

    Args:
        patch: FM patch.
        f0_hz: Shape [n_frames].
        levels: Turns, shape [n_frames, 6].

    Returns:
        Shape [n_frames * 64], relative to full scale.
    """
    ramp = np.arange(1, HOP_SAMPLES + 1)[:, None] / HOP_SAMPLES
    before = np.concatenate([np.zeros((1, 6)), levels[:-1]])
    level = (before[:, None] + (levels - before)[:, None] * ramp).reshape(-1, 6)
    level_step = np.repeat(np.abs(levels - before) / HOP_SAMPLES, HOP_SAMPLES, axis=0)
    highest = np.repeat(np.maximum(f0_hz, np.concatenate([f0_hz[:1], f0_hz[:-1]])), HOP_SAMPLES)
    steps: dict[int, np.ndarray] = {}
    for operator in patch.order:
        turns = float(patch.ratios[operator]) * highest / SAMPLE_RATE
        turns = turns + sum(steps[m] for m in patch.modulators[operator])
        angle = np.minimum(2 * np.pi * turns, 2.0)
        steps[operator] = level_step[:, operator] + level[:, operator] * angle
    return sum(steps[carrier] for carrier in patch.carriers) / MAX_LEVEL


def largest_noise_steps(noise: FixedNoise, gains: np.ndarray) -> np.ndarray:
    """Returns the same for noise whose grains fade in and out linearly over every block.

    Args:
        noise: Tables and gains of the model's noise.
        gains: From `noise_gains`, shape [2, n_layers, n_frames].

    Returns:
        Shape [n_frames * 64], relative to full scale.
    """
    level = gains[0] / 512 * 2.0 ** (gains[1] - 15)
    before = np.concatenate([np.zeros((len(level), 1)), level[:, :-1]], axis=1)
    tables = noise.tables.T / 2**14
    peak, step = np.abs(tables).max(axis=1), np.abs(np.diff(tables)).max(axis=1)
    ramp = np.arange(1, HOP_SAMPLES + 1) / HOP_SAMPLES
    within = before[..., None] * (1 - ramp) + level[..., None] * ramp
    ramps = (before + level) / HOP_SAMPLES
    # The weights of a block are rounded relative to the loudest one.
    rounded = np.maximum(before, level).max(axis=0) / 256
    ramps += np.maximum(rounded, np.concatenate([[0], rounded[:-1]]))
    return (within * step[:, None, None] + (ramps * peak[:, None])[..., None]).sum(axis=0).ravel()


@pytest.mark.parametrize("name", SHIPPED)
def test_jumps_of_pitch_and_loudness_are_no_steeper_than_a_block_ramp(name, model):
    rng = np.random.default_rng(0)
    n_frames = 3000
    jumps = rng.random(n_frames) < 0.3  # steady low tones in between, in which a click would show
    held = np.maximum.accumulate(np.where(jumps, np.arange(n_frames), 0))
    f0_hz = np.exp(rng.uniform(np.log(20), np.log(200), n_frames))[held]
    loudness_db = rng.uniform(-80, 0, n_frames)[held]
    frames = np.stack([f0_hz, loudness_db], axis=1).astype(np.float32)
    f0_hz, loudness_db = frames.T
    patch = load_patch(name)
    dark = np.linspace(0.5, -1.5, len(NOISE.colour))[:, None]  # dark noise
    noise = to_fixed_noise(NoiseParameters(NOISE.colour + dark, NOISE.slopes))
    played = device.simulate(model, patch, NOISE, frames)
    levels = played.levels_q32 // 8  # little modulation keeps the bound tight
    gains = noise_gains(noise, frame.log2_float32(f0_hz), loudness_db, levels)
    tone, noise_audio = FixedVoice(patch).render(f0_hz, levels), noise_pcm(noise, gains)
    whole = np.clip(tone + noise_audio, -FULL_SCALE, FULL_SCALE - 1)
    tone_steps = largest_steps(patch, f0_hz.astype(float), levels / 2**32)
    noise_steps = largest_noise_steps(noise, gains)
    for pcm, allowed in (
        (tone, tone_steps),
        (noise_audio, noise_steps),
        (whole, tone_steps + noise_steps),
    ):
        audio, allowed = pcm / FULL_SCALE, allowed + 4 / FULL_SCALE
        steps = np.abs(np.diff(audio, prepend=0))
        assert np.all(steps <= allowed)
        assert (steps / allowed).max() > 0.5
        loudest = np.abs(audio).max()
        assert np.median(allowed) < loudest / 3 and loudest > 0.05
