"""The noise is equal in C, in NumPy and in training, and has the requested level."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, LEVEL_FLOOR, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.paths import APP_DIR
from pipeline.emit.noise import noise_text
from pipeline.model import noise as model_noise
from pipeline.model.inputs import scale_features
from pipeline.model.noise import UNTRAINED, NoiseParameters, grains_like
from pipeline.model.noise_layer import FilteredNoise
from pipeline.reference import noise as reference_noise
from pipeline.reference.frame import log2_float32
from pipeline.reference.noise import noise_gains, noise_pcm, to_fixed_noise
from pipeline.target.boards import FILE_BOARDS
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

LEARNT = NoiseParameters(
    np.stack([np.linspace(-0.9, -2.1, 20), np.linspace(-1.8, -1.4, 20)], axis=1),
    np.array([[0.3, -0.2], [1.2, 0.7], *[[0.3, -0.2], [-0.2, 0.1], [0.1, 0.0]] * 2]),
)


def walk(n_frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pitch, loudness and levels that jump through their ranges and include both ends."""
    random = np.random.default_rng(0)
    f0_hz = np.exp(random.uniform(np.log(20), np.log(4000), n_frames)).astype(np.float32)
    loudness_db = random.uniform(-80, 0, n_frames).astype(np.float32)
    loudness_db[::5] = random.choice([-80.0, 0.0], len(loudness_db[::5]))
    levels_q32 = (MAX_LEVEL * 2**32 * 10 ** random.uniform(-5, 0, (n_frames, 6))).astype(np.int32)
    levels_q32[::7] = random.choice([0, round(MAX_LEVEL * 2**32)], levels_q32[::7].shape)
    return f0_hz, loudness_db, levels_q32


def layer_of(learnt: NoiseParameters) -> FilteredNoise:
    layer = FilteredNoise()
    layer.build(None)
    layer.set_weights([learnt.colour, learnt.slopes])
    return layer


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> dict[str, np.ndarray]:
    """PCM of every board after it added noise; some input is loud, so that the sum saturates."""
    folder = tmp_path_factory.mktemp("noise")
    (folder / "learnt_noise.c").write_text(noise_text("learnt", LEARNT))
    (folder / "main.c").write_text(r"""
        #include "board.h"
        #include "board_files.h"
        #include "noise/noise.h"
        extern const noise_preset_t learnt_noise;
        int main(int argc, char **argv) {
            board_init();
            const int in = board_open_read(argv[argc - 2]), out = board_open_write(argv[argc - 1]);
            struct {
                float log2_f0, loudness_db;
                int32_t levels_q32[6];
                int16_t pcm[FM_BLOCK_SAMPLES];
            } block;
            noise_t noise;
            noise_reset(&noise, NOISE_SEED(0));
            while (board_read(in, &block, sizeof block) == sizeof block) {
                const noise_gain_t gain = noise_gain(&learnt_noise, block.log2_f0,
                                                       block.loudness_db, block.levels_q32);
                noise_add(&noise, &learnt_noise, block.loudness_db > 0 ? NOISE_SILENCE : gain,
                           block.pcm);
                board_write(out, block.pcm, sizeof block.pcm);
            }
            return board_close(out);
        }
    """)
    f0_hz, loudness_db, levels_q32 = walk(500)
    loudness_db[100] = 1.0  # requests silence from the program above
    pcm = np.random.default_rng(1).choice([-32768, -20000, 0, 20000, 32767], (500, HOP_SAMPLES))
    columns = {"log2_f0": "<f4", "loudness_db": "<f4", "levels_q32": "<6i4", "pcm": "<64i2"}
    blocks = np.zeros(500, list(columns.items()))
    blocks["log2_f0"], blocks["loudness_db"] = log2_float32(f0_hz), loudness_db
    blocks["levels_q32"], blocks["pcm"] = levels_q32, pcm
    result = {}
    for board in FILE_BOARDS:
        sources = [folder / "main.c", folder / "learnt_noise.c", APP_DIR / "noise/noise.c"]
        program = build_program(board, sources, out=folder / board)
        run = run_program(
            program, arguments=["in", "out"], inputs={"in": blocks.tobytes()}, outputs=["out"]
        )
        result[board] = np.frombuffer(run.files["out"], "<i2")
    made = to_fixed_noise(LEARNT)
    gains = noise_gains(made, blocks["log2_f0"], blocks["loudness_db"], levels_q32)
    gains[..., 100] = 0
    result["numpy"] = np.clip(pcm.ravel() + noise_pcm(made, gains), -32768, 32767)
    return result


@pytest.mark.firmware
def test_every_board_equals_numpy(played):
    assert np.ptp(played["numpy"]) == 65535
    for board in FILE_BOARDS:
        np.testing.assert_array_equal(played[board], played["numpy"], err_msg=board)


def test_training_computes_the_noise_that_the_device_plays():
    f0_hz, loudness_db, levels_q32 = walk(400)
    layer = layer_of(LEARNT)
    features = scale_features(f0_hz, loudness_db)[None]
    levels = (levels_q32[None] / 2**32).astype(np.float32)
    trained = np.asarray(layer(layer.gains(features, levels), grains_like(features)))[0] * 2**15
    made = to_fixed_noise(LEARNT)
    pcm = noise_pcm(made, noise_gains(made, log2_float32(f0_hz), loudness_db, levels_q32))
    error = np.sqrt(np.mean((pcm - trained) ** 2))
    assert error < 0.01 * np.sqrt(np.mean(trained**2))
    tables = model_noise.noise_tables(LEARNT.colour)
    np.testing.assert_allclose(np.asarray(layer.tables()), tables, atol=1e-6)
    offset = tables[: model_noise.TABLE_SAMPLES].mean(axis=0)
    assert np.abs(offset).max() < 1e-9  # no DC that follows the gain


def test_gain_is_a_power_of_two_within_six_hundredths_of_a_decibel():
    f0_hz, loudness_db, levels_q32 = walk(5000)
    made = to_fixed_noise(UNTRAINED)
    step, exponent = noise_gains(made, log2_float32(f0_hz), loudness_db, levels_q32)[..., 0, :]
    asked = made.gain_q12[0] / 2**12 + made.per_octave_q12[0] / 2**12 * np.log2(f0_hz) - 16
    asked += made.per_db_q16[0] / 2**16 * loudness_db
    within = (asked > -15.9) & (asked < -1.001) & (loudness_db >= model_noise.QUIET_DB)
    found = np.log2(step[within] / 512) + exponent[within] - 15
    error_db = model_noise.OCTAVE_DB * (found - asked[within])
    assert within.mean() > 0.5 and np.abs(error_db).max() < 0.06


def test_levels_in_octaves_are_within_six_hundredths_of_a_decibel():
    levels_q32 = np.concatenate([[0, 1, 1000], np.geomspace(1e4, MAX_LEVEL * 2**32, 5000)])
    levels_q32 = np.round(levels_q32).astype(np.int32)
    asked = np.log2(levels_q32 / (MAX_LEVEL * 2**32) + LEVEL_FLOOR)
    # 0.01 octaves are 0.06 dB.
    assert np.abs(reference_noise.level_octaves_q12(levels_q32) / 2**12 - asked).max() < 0.01


def test_silence_is_silent():
    # The gain of this noise does not depend on loudness.
    steady = NoiseParameters(LEARNT.colour, np.zeros_like(LEARNT.slopes))
    loudness_db = np.array([-69.0, -71.0, -80.0], np.float32)
    still = np.zeros((3, 6), np.int32)
    gains = noise_gains(to_fixed_noise(steady), np.full(3, 9.0, np.float32), loudness_db, still)
    np.testing.assert_array_equal(gains[..., 0] - gains[..., 1], [[0, 0], [2, 2]])
    assert (gains[0, :, 2] == 0).all()


@pytest.mark.parametrize("loud", range(model_noise.N_LAYERS))
def test_noise_has_the_learnt_colour_and_level(loud):
    n_frames = 20 * FRAME_RATE
    colour = LEARNT.colour.copy()
    colour[:, 1 - loud] = -4.0  # the other layer is inaudible
    made = to_fixed_noise(NoiseParameters(colour, LEARNT.slopes))
    f0_hz = np.full(n_frames, 440 * 2 ** ((127 * model_noise.MIDDLE[0] - 69) / 12), np.float32)
    loudness_db = np.full(n_frames, 80 * (model_noise.MIDDLE[1] - 1), np.float32)
    level = 10 ** (model_noise.UNIT_DB / 20 * model_noise.MIDDLE[2]) - LEVEL_FLOOR
    levels_q32 = np.full((n_frames, 6), level * MAX_LEVEL * 2**32).astype(np.int32)
    gains = noise_gains(made, log2_float32(f0_hz), loudness_db, levels_q32)
    pcm = noise_pcm(made, gains) / 2**15
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 1024)[::512] * np.hanning(1024)
    power = np.mean(np.abs(np.fft.rfft(windows)) ** 2, axis=0) / (0.375 * 1024)
    frequencies_hz = np.fft.rfftfreq(1024, 1 / SAMPLE_RATE)
    for hertz in (1000, 2000, 4000, 6000):
        near = np.abs(frequencies_hz - hertz) < 150
        found_db = 10 * np.log10(power[near].mean())
        level = np.interp(hertz, model_noise.COLOUR_HZ, colour[:, loud])
        # Cross-faded grains have two thirds of the power of a single one.
        assert found_db == pytest.approx(
            model_noise.UNIT_DB * level + 10 * np.log10(2 / 3), abs=1.5
        )


def test_grains_begin_anywhere_and_do_not_repeat():
    offsets = model_noise.grain_offsets(20_000)
    assert offsets.min() >= 0 and offsets.max() < model_noise.TABLE_SAMPLES
    assert (offsets % 2 == 0).all() and len(np.unique(offsets)) == model_noise.TABLE_SAMPLES // 2
    centred = offsets - offsets.mean()
    for lag in (1, 2, 3, 7, 512):
        assert abs(np.corrcoef(centred[:-lag], centred[lag:])[0, 1]) < 0.03


def test_layer_learns_the_level_of_noise():
    layer = layer_of(UNTRAINED)
    f0_hz, loudness_db = np.full(50, 440.0), np.full(50, -20.0)
    features = scale_features(f0_hz, loudness_db)[None]
    levels = np.full((1, 50, 6), 0.01, np.float32)

    with tf.GradientTape() as tape:
        audio = layer(layer.gains(features, levels), grains_like(features))
        power = keras.ops.mean(audio**2)
    gradients = tape.gradient(power, layer.trainable_variables)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in map(np.asarray, gradients))


def test_noise_of_voices_is_uncorrelated():
    offsets = np.array([model_noise.grain_offsets(4000, voice=voice) for voice in range(16)])
    others = ~np.eye(16, dtype=bool)
    assert np.abs(np.corrcoef(offsets)[others]).max() < 0.08
    same = (offsets[:, None, :20] == offsets[None, :, :20]).mean(axis=2)
    assert same[others].max() < 0.2  # already in the first frames
