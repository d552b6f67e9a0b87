"""The spectral distances and their gradient compared with their definition in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.model.losses import (
    LOG_FLOOR,
    MSS_WINDOWS,
    Spectra,
    loudness_distance,
    mss,
    power_spectrogram,
    sound_distance,
    sound_frames,
    spectra,
    window_weights,
)


def plain_magnitudes(audio, window):
    """Computes float64 magnitudes with TensorFlow's own short-time transform."""
    edge = window // 2
    padded = tf.pad(tf.cast(audio, tf.float64), [[0, 0], [edge, edge]], mode="REFLECT")

    def hann(length, dtype):
        return tf.signal.hann_window(length, periodic=True, dtype=dtype)

    spectrum = tf.signal.stft(padded, window, window // 4, window, window_fn=hann)
    return tf.abs(spectrum) / np.sqrt(window)


def plain_mss(reference, estimate):
    total = 0.0
    for window in MSS_WINDOWS:
        a, b = plain_magnitudes(reference, window), plain_magnitudes(estimate, window)
        logarithmic = tf.abs(tf.math.log(a + LOG_FLOOR) - tf.math.log(b + LOG_FLOOR))
        total += tf.reduce_mean(tf.abs(a - b) + logarithmic, axis=(1, 2))
    return total


@pytest.fixture(scope="module")
def pair():
    """Two batches of noise with different levels, shape [3, 8000]."""
    noise = np.random.default_rng(0).normal(size=(2, 3, 8000))
    return (noise * np.array([0.3, 0.01])[:, None, None]).astype(np.float32)


def test_loss_equals_its_definition(pair):
    found = keras.ops.convert_to_numpy(mss(*pair))
    np.testing.assert_allclose(found, plain_mss(*pair), rtol=1e-5)
    np.testing.assert_allclose(mss(spectra(pair[0]), pair[1]), found, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradient_equals_that_of_the_definition(pair, compiled):
    """Both ways differ where a bin's two magnitudes agree to seven digits."""
    reference, estimate = tf.constant(pair[0]), tf.constant(pair[1])

    def gradient(distance):
        with tf.GradientTape() as tape:
            tape.watch(estimate)
            loss = tf.reduce_sum(distance(reference, estimate))
        return tape.gradient(loss, estimate)

    wanted = gradient(plain_mss).numpy()
    found = tf.function(gradient, jit_compile=compiled)(mss).numpy()
    assert np.linalg.norm(found - wanted) < 0.01 * np.linalg.norm(wanted)
    assert np.median(abs(found - wanted)) < 1e-4 * np.median(abs(wanted))


@pytest.mark.parametrize(("window", "n_samples"), [(64, 2000), (2048, 2500)])
def test_gradient_of_a_spectrogram_includes_its_reflected_edges(window, n_samples):
    audio = np.random.default_rng(2).normal(size=(1, n_samples)).astype(np.float32)
    weights = np.random.default_rng(3).normal(size=(window // 2 + 1,)).astype(np.float32)
    gradients = []
    for power in (power_spectrogram, lambda x, w: plain_magnitudes(x, w) ** 2):
        estimate = tf.constant(audio)
        with tf.GradientTape() as tape:
            tape.watch(estimate)
            total = tf.reduce_sum(tf.cast(power(estimate, window), tf.float32) * weights)
        gradients.append(tape.gradient(total, estimate).numpy())
    largest = abs(gradients[1]).max()
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-5 * largest)


def test_loss_of_equal_clips_is_0_and_of_a_level_difference_follows_its_log():
    audio = np.random.default_rng(1).normal(size=(1, 8000)).astype(np.float32)
    assert float(mss(audio, audio)[0]) == 0.0
    quieter = float(mss(audio, audio / 2)[0])
    linear = sum(float(np.mean(np.sqrt(power_spectrogram(audio, w)))) / 2 for w in MSS_WINDOWS)
    assert quieter - linear == pytest.approx(len(MSS_WINDOWS) * np.log(2), rel=1e-3)


def test_gradient_at_digital_silence_is_finite():
    silence = tf.Variable(np.zeros((1, 4096), np.float32))
    with tf.GradientTape() as tape:
        loss = mss(np.full((1, 4096), 0.1, np.float32), silence)
    assert np.isfinite(tape.gradient(loss, silence).numpy()).all()


@pytest.mark.parametrize("overlap", [2, 4])
def test_windows_count_by_the_share_that_belongs_to_a_recording(overlap):
    sounding = np.zeros((1, 100), bool)
    sounding[0, 40:60] = True  # samples 2560 to 3839
    for window, weights in zip(MSS_WINDOWS, window_weights(sounding, overlap), strict=True):
        power = power_spectrogram(np.zeros((1, 6400), np.float32), window, overlap)
        assert weights.shape == power.shape[:2]
        for centre, weight in zip(
            range(0, 6401, window // overlap), np.asarray(weights)[0], strict=True
        ):
            samples = np.arange(max(centre - window // 2, 0), min(centre + window // 2, 6400))
            assert weight == pytest.approx(((samples >= 2560) & (samples < 3840)).mean())


def test_distances_ignore_what_lies_between_recordings(pair):
    """A gap of digital silence neither counts nor dilutes the mean."""
    gap = np.ones((3, 125), bool)
    gap[:, 60:] = False
    audible = np.repeat(gap, 64, axis=-1)
    reference, estimate = pair * audible
    weights = window_weights(gap)
    alone = plain_mss(reference[:, :3840], estimate[:, :3840]).numpy()
    diluted = plain_mss(reference, estimate).numpy()
    found = np.asarray(mss(reference, estimate, weights))
    assert (abs(found - alone) < 0.05 * alone).all()
    assert (diluted < 0.6 * alone).all()
    quiet = np.asarray(loudness_distance(reference, reference / 2, weights))
    np.testing.assert_allclose(quiet, 20 * np.log10(2), rtol=0.05)
    nothing = window_weights(np.zeros((3, 125), bool))
    assert (np.asarray(mss(reference, estimate, nothing)) == 0).all()


def tone(f0_hz, gain=1.0, n_samples=16000):
    """Returns a sine with a gain per sample, shape [1, n_samples]."""
    wave = np.sin(2 * np.pi * f0_hz * np.arange(n_samples) / 16000) * gain
    return wave.astype(np.float32)[None]


def test_sound_distance_compares_the_bins_within_its_band_alone():
    silence = spectra(np.zeros((1, 16000), np.float32))
    bins_hz = [np.fft.rfftfreq(window, 1 / 16000) for window in MSS_WINDOWS]

    def raised(by, where):
        changed = [c + by * where(f) for c, f in zip(silence.compressed, bins_hz, strict=True)]
        return Spectra(changed, silence.loudness_db)

    outside = raised(3.0, lambda f: (f < 200) | (f > 7000))
    assert float(sound_distance(silence, outside)[0]) == 0
    inside = raised(0.5, lambda f: (f >= 200) & (f <= 7000))
    assert float(sound_distance(silence, inside)[0]) == pytest.approx(0.5 * len(MSS_WINDOWS))


@pytest.mark.parametrize(("added_hz", "share"), [(100, 0.3), (7600, 0.05)])
def test_sound_distance_barely_moves_with_tones_outside_its_band(added_hz, share):
    noise = np.random.default_rng(4).normal(size=(1, 16000)).astype(np.float32) * 0.1
    other = noise + tone(added_hz, 0.05)
    whole = float(mss(noise, other)[0])
    assert whole > 0.1
    assert float(sound_distance(noise, other)[0]) < share * whole


def test_sound_distance_of_a_gain_within_the_band_follows_its_log():
    noise = np.random.default_rng(5).normal(size=(1, 16000)).astype(np.float32) * 0.01
    linear = sum(
        float(np.mean(np.sqrt(power_spectrogram(noise, w))[..., w // 80 + 1 : w * 7 // 16 + 1])) / 2
        for w in MSS_WINDOWS
    )
    expected = len(MSS_WINDOWS) * np.log(2) + linear
    assert float(sound_distance(noise, noise / 2)[0]) == pytest.approx(expected, rel=1e-3)


def test_sound_frames_are_within_35_db_of_the_loud_ones():
    loudness_db = np.repeat([-80.0, -10.0, -44.9, -45.1, -5.0, -80.0], [500, 950, 50, 50, 40, 500])
    frames = sound_frames(loudness_db)
    np.testing.assert_array_equal(frames, loudness_db >= -45)
    part = np.arange(len(loudness_db)) < 1500  # without the soft ones at the end
    np.testing.assert_array_equal(sound_frames(loudness_db, part), frames & part)
    assert not sound_frames(np.full(10, -80.0)).any()


def test_sound_distance_ignores_quiet_frames():
    """Windows on the edge of a quiet stretch count by their share of sounding frames."""
    loudness_db = np.repeat([-10.0, -50.0, -10.0], [100, 100, 50])
    weights = window_weights(sound_frames(loudness_db)[None])
    noise = np.random.default_rng(6).normal(size=(1, 16000)).astype(np.float32) * 0.1
    in_pause, in_sound = (
        np.where((np.arange(16000) >= start) & (np.arange(16000) < start + 3200), 0.5, 1.0)
        for start in (8000, 1600)
    )
    assert float(sound_distance(noise, noise * in_pause.astype(np.float32), weights)[0]) < 1e-3
    found = float(sound_distance(noise, noise * in_sound.astype(np.float32), weights)[0])
    share = 3200 / (150 * 64)  # of the sounding samples
    assert found == pytest.approx(share * len(MSS_WINDOWS) * np.log(2), rel=0.15)
