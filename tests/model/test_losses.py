"""The multi-scale spectral loss compared with its definition in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.model.losses import LOG_FLOOR, MSS_WINDOWS, mss, spectrograms


def numpy_mss(reference, estimate):
    total = 0.0
    for window in MSS_WINDOWS:
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)

        def magnitude(audio, window=window, hann=hann):
            audio = np.pad(audio, window // 2, mode="reflect")
            frames = np.lib.stride_tricks.sliding_window_view(audio, window)[:: window // 4]
            return np.abs(np.fft.rfft(frames * hann)) / np.sqrt(window)

        a, b = magnitude(reference), magnitude(estimate)
        total += np.abs(a - b).mean()
        total += np.abs(np.log(a + LOG_FLOOR) - np.log(b + LOG_FLOOR)).mean()
    return total


def test_loss_equals_its_definition():
    random = np.random.default_rng(0)
    a, b = (
        random.normal(size=(2, 3, 8000)).astype(np.float32) * np.array([0.3, 0.01])[:, None, None]
    )
    found = keras.ops.convert_to_numpy(mss(a.astype(np.float32), b.astype(np.float32)))
    np.testing.assert_allclose(
        found, [numpy_mss(x, y) for x, y in zip(a, b, strict=True)], rtol=1e-4
    )
    cached = mss(spectrograms(a.astype(np.float32)), b.astype(np.float32))
    np.testing.assert_allclose(cached, found, rtol=1e-6)


def test_loss_of_equal_clips_is_0_and_of_a_level_difference_follows_its_log():
    audio = np.random.default_rng(1).normal(size=(1, 8000)).astype(np.float32)
    assert float(mss(audio, audio)[0]) == 0.0
    quieter = float(mss(audio, audio / 2)[0])
    linear = sum(float(np.mean(m)) / 2 for m in spectrograms(audio))
    assert quieter - linear == pytest.approx(len(MSS_WINDOWS) * np.log(2), rel=1e-3)


def test_gradient_at_digital_silence_is_finite():
    silence = tf.Variable(np.zeros((1, 4096), np.float32))
    with tf.GradientTape() as tape:
        loss = mss(np.full((1, 4096), 0.1, np.float32), silence)
    assert np.isfinite(tape.gradient(loss, silence).numpy()).all()
