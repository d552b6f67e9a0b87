"""Breath: the same in C, in NumPy and in training, and noise of the level that was asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import breath
from pipeline.breath import UNTRAINED, Breath, breath_gains, breath_pcm, device_breath
from pipeline.codegen import breath_text
from pipeline.config import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE
from pipeline.ddx7 import grains_like
from pipeline.device import log2_float32
from pipeline.synth import Breath as BreathLayer
from pipeline.tcn import scale_features
from pipeline.toolchain import APP_DIR, BOARDS, build_program, run_program

LEARNT = Breath(np.linspace(-0.4, -1.6, 9), np.array([0.3, 1.2]))


def walk(n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Pitch and loudness that jump and rest, to both ends of their ranges."""
    random = np.random.default_rng(0)
    f0_hz = np.exp(random.uniform(np.log(20), np.log(4000), n_frames)).astype(np.float32)
    loudness_db = random.uniform(-80, 0, n_frames).astype(np.float32)
    loudness_db[::5] = random.choice([-80.0, 0.0], len(loudness_db[::5]))
    return f0_hz, loudness_db


def layer_of(learnt: Breath) -> BreathLayer:
    layer = BreathLayer()
    layer.build(None)
    layer.set_weights([learnt.colour, learnt.slopes])
    return layer


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> dict[str, np.ndarray]:
    """What every board adds to a PCM that is loud here and there, so that it saturates."""
    folder = tmp_path_factory.mktemp("breath")
    (folder / "learnt_breath.c").write_text(breath_text("learnt", LEARNT))
    (folder / "main.c").write_text(r"""
        #include "board.h"
        #include "fm/breath.h"
        extern const breath_preset_t learnt_breath;
        int main(int argc, char **argv) {
            board_init();
            const int in = board_open_read(argv[argc - 2]), out = board_open_write(argv[argc - 1]);
            struct { float log2_f0, loudness_db; int16_t pcm[FM_BLOCK_SAMPLES]; } block;
            breath_t breath;
            breath_reset(&breath, BREATH_SEED(0));
            while (board_read(in, &block, sizeof block) == sizeof block) {
                const breath_gain_t gain =
                    breath_gain(&learnt_breath, block.log2_f0, block.loudness_db);
                breath_add(&breath, &learnt_breath, block.loudness_db > 0 ? BREATH_SILENCE : gain,
                           block.pcm);
                board_write(out, block.pcm, sizeof block.pcm);
            }
            return board_close(out);
        }
    """)
    f0_hz, loudness_db = walk(500)
    loudness_db[100] = 1.0  # the program's sign for silence
    pcm = np.random.default_rng(1).choice([-32768, -20000, 0, 20000, 32767], (500, HOP_SAMPLES))
    blocks = np.zeros(500, [("log2_f0", "<f4"), ("loudness_db", "<f4"), ("pcm", "<i2", 64)])
    blocks["log2_f0"], blocks["loudness_db"] = log2_float32(f0_hz), loudness_db
    blocks["pcm"] = pcm
    result = {}
    for board in BOARDS:
        sources = [folder / "main.c", folder / "learnt_breath.c", APP_DIR / "fm/breath.c"]
        program = build_program(board, sources, out=folder / board)
        run = run_program(
            program, arguments=["in", "out"], inputs={"in": blocks.tobytes()}, outputs=["out"]
        )
        result[board] = np.frombuffer(run.files["out"], "<i2")
    made = device_breath(LEARNT)
    gains = breath_gains(made, blocks["log2_f0"], blocks["loudness_db"])
    gains[:, 100] = 0
    result["numpy"] = np.clip(pcm.ravel() + breath_pcm(made, gains), -32768, 32767)
    return result


def test_every_board_plays_what_numpy_plays(played):
    assert np.ptp(played["numpy"]) == 65535
    for board in BOARDS:
        np.testing.assert_array_equal(played[board], played["numpy"], err_msg=board)


def test_training_hears_what_the_device_plays():
    f0_hz, loudness_db = walk(400)
    layer = layer_of(LEARNT)
    features = scale_features(f0_hz, loudness_db)[None]
    trained = np.asarray(layer(layer.gains(features), grains_like(features)))[0] * 2**15
    made = device_breath(LEARNT)
    pcm = breath_pcm(made, breath_gains(made, log2_float32(f0_hz), loudness_db))
    error = np.sqrt(np.mean((pcm - trained) ** 2))
    assert error < 0.005 * np.sqrt(np.mean(trained**2))
    table = breath.noise_table(LEARNT.colour)
    np.testing.assert_allclose(np.asarray(layer.table()), table, atol=1e-6)
    assert abs(table[: breath.TABLE_SAMPLES].mean()) < 1e-9  # no offset that swells with the tone


def test_gain_is_a_power_of_two_within_six_hundredths_of_a_decibel():
    f0_hz, loudness_db = walk(5000)
    made = device_breath(UNTRAINED)
    step, exponent = breath_gains(made, log2_float32(f0_hz), loudness_db)
    asked = made.gain_q12 / 2**12 + made.per_octave_q12 / 2**12 * np.log2(f0_hz) - 16
    asked += made.per_db_q16 / 2**16 * loudness_db
    within = (asked > -16) & (asked < -0.001) & (loudness_db >= breath.QUIET_DB)
    error_db = 20 * np.log10(step / 512 * 2.0 ** (exponent - 15)) - 20 * np.log10(2.0) * asked
    assert within.mean() > 0.5 and np.abs(error_db[within]).max() < 0.06


def test_silence_is_silent():
    made = device_breath(Breath(LEARNT.colour, np.zeros(2)))  # as loud at any loudness
    loudness_db = np.array([-69.0, -71.0, -80.0], np.float32)
    gains = breath_gains(made, np.full(3, 9.0, np.float32), loudness_db)
    np.testing.assert_array_equal(gains[:, 0] - gains[:, 1], [0, 2])
    assert gains[0, 2] == 0


def test_noise_has_the_colour_and_the_level_that_were_learnt():
    n_frames = 20 * FRAME_RATE
    made = device_breath(LEARNT)
    f0_hz = np.full(n_frames, 440 * 2 ** ((127 * breath.MIDDLE[0] - 69) / 12), np.float32)
    loudness_db = np.full(n_frames, 80 * (breath.MIDDLE[1] - 1), np.float32)
    pcm = breath_pcm(made, breath_gains(made, log2_float32(f0_hz), loudness_db)) / 2**15
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 1024)[::512] * np.hanning(1024)
    power = np.mean(np.abs(np.fft.rfft(windows)) ** 2, axis=0) / (0.375 * 1024)
    frequencies_hz = np.fft.rfftfreq(1024, 1 / SAMPLE_RATE)
    for hertz, level in zip(breath.COLOUR_HZ[1:-1], LEARNT.colour[1:-1], strict=True):
        near = np.abs(frequencies_hz - hertz) < 150
        found_db = 10 * np.log10(power[near].mean())
        # Grains that fade into each other have two thirds of the power of one.
        assert found_db == pytest.approx(breath.UNIT_DB * level + 10 * np.log10(2 / 3), abs=1.5)


def test_grains_begin_anywhere_and_do_not_repeat():
    offsets = breath.grain_offsets(20_000)
    assert offsets.min() >= 0 and offsets.max() < breath.TABLE_SAMPLES
    assert (offsets % 2 == 0).all() and len(np.unique(offsets)) == breath.TABLE_SAMPLES // 2
    centred = offsets - offsets.mean()
    for lag in (1, 2, 3, 7, 512):
        assert abs(np.corrcoef(centred[:-lag], centred[lag:])[0, 1]) < 0.03


def test_layer_learns_the_level_of_noise():
    layer = layer_of(UNTRAINED)
    f0_hz, loudness_db = np.full(50, 440.0), np.full(50, -20.0)
    features = scale_features(f0_hz, loudness_db)[None]

    with tf.GradientTape() as tape:
        audio = layer(layer.gains(features), grains_like(features))
        power = keras.ops.mean(audio**2)
    gradients = tape.gradient(power, layer.trainable_variables)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in map(np.asarray, gradients))


def test_voices_have_noise_of_their_own():
    offsets = np.array([breath.grain_offsets(4000, voice=voice) for voice in range(16)])
    others = ~np.eye(16, dtype=bool)
    assert np.abs(np.corrcoef(offsets)[others]).max() < 0.08
    same = (offsets[:, None, :20] == offsets[None, :, :20]).mean(axis=2)
    assert same[others].max() < 0.2  # from the first frames on
