"""The differentiable synthesizer agrees with theory, and its gradients with finite differences."""

from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import jv
from support.patches import PAPER, PATCHES, stretch_hz

from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.patch import Patch
from pipeline.model.reverb_layer import Reverb
from pipeline.model.synth import base_phase, fm_levels, fm_synthesize


def steady(patch, f0_hz, levels, n_frames=250):
    """Renders a steady tone; returns its second half, after the ramp of the first block."""
    phase = base_phase(np.full((1, n_frames), f0_hz), patch)
    levels = np.tile(np.asarray(levels, np.float32), (1, n_frames, 1))
    audio = keras.ops.convert_to_numpy(
        fm_synthesize(keras.ops.convert_to_tensor(levels), phase, patch)
    )
    return audio[0, audio.shape[1] // 2 :]


def test_sidebands_of_two_operators_are_bessel_functions_of_the_index():
    patch = Patch("pair", "2>1 3>1 4>1 6>5", tuple(Fraction(r) for r in (9, 1, 1, 1, 1, 1)))
    index_turns, f0_hz = 0.25, 250.0
    audio = steady(patch, f0_hz, [MAX_LEVEL, index_turns, 0, 0, 0, 0])
    spectrum = np.abs(np.fft.rfft(audio)) * 2 / len(audio)
    bin_hz = SAMPLE_RATE / len(audio)
    for side in range(-3, 4):
        found = spectrum[round((9 + side) * f0_hz / bin_hz)]
        assert found == pytest.approx(abs(jv(side, 2 * np.pi * index_turns)), abs=1e-3)


@pytest.mark.parametrize("name", PATCHES)
def test_patch_equals_a_double_precision_loop(name):
    """The loop computes each operator sample by sample, with its own phase that never wraps."""
    patch = PATCHES[name]
    random = np.random.default_rng(3)
    n_frames = 40
    f0_hz = 300 + 50 * np.cumsum(random.normal(size=n_frames)) / 10
    levels = random.uniform(0, MAX_LEVEL, (n_frames, 6)).astype(np.float32)
    ramp = np.arange(1, HOP_SAMPLES + 1) / HOP_SAMPLES

    def at_audio_rate(frames, first):
        before = np.concatenate([[first], frames[:-1]])
        return (before[:, None] + (frames - before)[:, None] * ramp).ravel()

    f0_samples = at_audio_rate(f0_hz, f0_hz[0])
    outputs = {}
    for operator in patch.order:
        turns = np.cumsum(float(patch.played_ratios[operator]) * f0_samples / SAMPLE_RATE)
        stretch = np.cumsum(np.repeat(stretch_hz(patch, f0_hz), HOP_SAMPLES)) / SAMPLE_RATE
        turns = turns + patch.stretch[operator] * stretch
        turns = turns + sum(outputs[m] for m in patch.modulators[operator])
        level = at_audio_rate(levels[:, operator].astype(float), 0.0)
        outputs[operator] = level * np.sin(2 * np.pi * turns)
    expected = sum(outputs[c] for c in patch.carriers) / MAX_LEVEL
    found = fm_synthesize(
        keras.ops.convert_to_tensor(levels[None]), base_phase(f0_hz[None], patch), patch
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found)[0], expected, atol=2e-4)


def test_phase_of_a_long_tone_does_not_drift():
    phase = base_phase(np.full((1, 2500), 440.0), PATCHES["violin"])[0]
    expected = (440.0 * np.arange(1, 160_001) / SAMPLE_RATE) % 1.0
    error = (phase / 2.0**32 - expected + 0.5) % 1.0 - 0.5
    assert np.abs(error).max() < 1e-6


@pytest.mark.parametrize("name", PATCHES)
def test_gradient_of_levels_equals_finite_differences(name):
    patch = PATCHES[name]
    keras.backend.set_floatx("float64")
    try:
        random = np.random.default_rng(4)
        logits = random.normal(size=(1, 4, 6))
        phase = base_phase(np.full((1, 4), 333.0), patch)
        weights = random.normal(size=(1, 4 * HOP_SAMPLES))

        def objective(logits):
            return tf.reduce_sum(fm_synthesize(fm_levels(logits, 1.0), phase, patch) * weights)

        variable = tf.Variable(logits, dtype=tf.float64)
        with tf.GradientTape() as tape:
            value = objective(variable)
        gradient = tape.gradient(value, variable).numpy()
        for frame, operator in [(0, 0), (1, 1), (2, 5), (3, 3), (1, 4), (2, 2)]:
            step = np.zeros_like(logits)
            step[0, frame, operator] = 1e-5
            slope = (
                objective(tf.constant(logits + step)) - objective(tf.constant(logits - step))
            ) / 2e-5
            assert gradient[0, frame, operator] == pytest.approx(float(slope), rel=1e-4, abs=1e-6)
    finally:
        keras.backend.set_floatx("float32")


def test_reverb_equals_convolution_with_its_impulse_response():
    reverb = Reverb(400, seed=1)
    audio = np.random.default_rng(5).normal(size=(2, 1000)).astype(np.float32)
    found = keras.ops.convert_to_numpy(reverb(audio))
    response = keras.ops.convert_to_numpy(reverb.impulse_response())
    assert response[0] == 1.0
    for clip, wet in zip(audio, found, strict=True):
        np.testing.assert_allclose(wet, np.convolve(clip, response)[:1000], atol=1e-4)


def test_patches_equal_those_of_the_paper():
    ratios = {name: [float(r) for r in PATCHES[name].ratios] for name in PAPER}
    assert ratios == {
        "flute": [1, 1, 1, 2, 2, 1.5],
        "trumpet": [1, 1, 1, 1, 3.2, 8.5],
        "violin": [1, 1, 1, 1, 3, 14],
        "piano": [1, 1, 3, 1, 1.58, 1],
    }
    for patch in PATCHES.values():
        position = {operator: i for i, operator in enumerate(patch.order)}
        assert sorted(patch.order) == list(range(6))
        for operator, modulators in enumerate(patch.modulators):
            assert all(position[m] < position[operator] for m in modulators)
        assert [m * patch.base_ratio for m in patch.multiples] == list(patch.played_ratios)
    assert PATCHES["flute"].modulators == ((1, 2, 4), (), (3,), (), (5,), ())
    assert PATCHES["piano"].carriers == (0, 3, 4)
