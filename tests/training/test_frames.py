"""Partials and noise of single frames: targets from recordings, powers of a model, and the loss."""

import numpy as np
import pytest
from keras import ops

from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.patch_files import load_patch
from pipeline.core.stretch import inharmonicity, partial_hz
from pipeline.model.frame_spectra import FRAME_STRIDE, N_PARTIALS
from pipeline.model.noise import UNTRAINED, grain_offsets
from pipeline.model.noise_layer import noise_layer
from pipeline.model.patch_spectrum import PatchSpectrum
from pipeline.model.static_fit import N_PARTIALS as N_FITTED
from pipeline.model.static_fit import Spectrum
from pipeline.model.synth import base_phase, fm_synthesize
from pipeline.training.frame_loss import frame_loss
from pipeline.training.frame_targets import measure_frames

F0_HZ = 250.0
N_FRAMES = 200
TIME = np.arange(N_FRAMES * HOP_SAMPLES) / SAMPLE_RATE
FLUTE = load_patch("flute")


def measure(audio, patch=FLUTE, f0_hz=F0_HZ):
    frames = np.full((1, N_FRAMES), f0_hz)
    dataset = {"audio": audio[None], "f0_hz": frames, "sounding": np.ones((1, N_FRAMES), bool)}
    return {name: array[0] for name, array in measure_frames(dataset, patch).items()}


def middle(targets, name):
    return targets[name][len(targets[name]) // 2].astype(np.float64)


def test_targets_are_squared_amplitudes_of_partials():
    amplitudes = {1: 0.5, 2: 0.05, 7: 0.002}
    tone = sum(a * np.sin(2 * np.pi * F0_HZ * n * TIME + n) for n, a in amplitudes.items())
    power_db = middle(measure(tone), "frame_power_db")
    for number, amplitude in amplitudes.items():
        assert power_db[number - 1] == pytest.approx(20 * np.log10(amplitude), abs=0.2)
    assert power_db[3] < -70, "there is no fourth partial"


def test_targets_are_the_variance_of_noise_between_partials():
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(TIME))
    tone = 0.3 * np.sin(2 * np.pi * F0_HZ * TIME)
    targets = measure(tone + noise)
    between_db = targets["frame_power_db"][10:-10, N_PARTIALS + 2 : N_PARTIALS + 25]
    assert np.mean(between_db.astype(np.float64)) == pytest.approx(-40, abs=1)
    at_partials = targets["frame_power_db"][10:-10, 2:25].astype(np.float64)
    lobe_db = 10 * np.log10(targets["frame_lobes"][20, 0])
    assert 10 * np.log10(np.mean(10 ** (at_partials / 10))) == pytest.approx(-40 + lobe_db, abs=0.5)


def test_frames_beside_gaps_do_not_count():
    frames = np.full((1, N_FRAMES), F0_HZ)
    sounding = np.ones((1, N_FRAMES), bool)
    sounding[0, 100:] = False
    dataset = {"audio": np.zeros((1, len(TIME))), "f0_hz": frames, "sounding": sounding}
    weights = measure_frames(dataset, FLUTE)["frame_weights"][0].max(axis=1)
    numbers = np.arange(FRAME_STRIDE - 1, N_FRAMES, FRAME_STRIDE)
    reach = 8  # frames: half of the window of 1024 samples
    inside = (numbers + 1 >= reach) & (numbers + 1 + reach <= 100)
    assert np.array_equal(weights > 0, inside)


def test_partials_above_the_band_do_not_count():
    weights = middle(measure(np.sin(2 * np.pi * 900 * TIME), f0_hz=900.0), "frame_weights")
    assert weights[7] > 0, "7200 Hz"
    assert weights[8] == 0, "8100 Hz"


def test_stretched_partials_are_looked_for_where_the_patch_plays_them():
    patch = load_patch("stretched_piano")
    tenth = partial_hz(110.0, 10, inharmonicity(patch.inharmonicity, 110.0))
    assert 1100 < tenth < 1100 * 1.1
    targets = measure(0.1 * np.sin(2 * np.pi * tenth * TIME), patch, 110.0)
    assert middle(targets, "frame_power_db")[9] == pytest.approx(-20, abs=0.3)


def test_low_notes_are_measured_in_longer_windows():
    lobes = [middle(measure(np.zeros(len(TIME)), f0_hz=f0), "frame_lobes")[0] for f0 in (60, 200)]
    assert lobes == pytest.approx([20 / 2048, 20 / 1024])


@pytest.mark.parametrize("name", ["flute", "trumpet", "pair_and_fan"])
def test_spectrum_of_a_patch_equals_that_of_static_fits(name):
    patch = load_patch(name)
    levels = np.random.default_rng(1).uniform(0, 0.2, (5, 6)).astype(np.float32)
    partials, whole = PatchSpectrum(patch, N_FITTED)(levels)
    expected = Spectrum(patch).amplitudes(levels)
    assert np.sqrt(ops.convert_to_numpy(partials)) == pytest.approx(expected, abs=1e-5)
    assert (ops.convert_to_numpy(whole)[:, 0] >= (expected**2).sum(axis=1) - 1e-5).all()


def test_spectrum_of_a_patch_is_that_of_its_audio():
    levels = np.array([0.2, 0.05, 0.1, 0.02, 0.15, 0.03], np.float32)
    frames = np.broadcast_to(levels, (1, N_FRAMES, 6))
    phase = base_phase(np.full((1, N_FRAMES), F0_HZ), FLUTE)
    audio = ops.convert_to_numpy(fm_synthesize(frames, phase, FLUTE))[0]
    measured_db = middle(measure(audio), "frame_power_db")[:12]
    partials = ops.convert_to_numpy(PatchSpectrum(FLUTE, N_PARTIALS)(levels)[0])[:12]
    audible = measured_db > -70
    assert audible.sum() >= 4
    assert 10 * np.log10(partials[audible]) == pytest.approx(measured_db[audible], abs=0.3)


def test_density_of_noise_is_that_of_its_audio():
    layer = noise_layer(UNTRAINED)
    n_frames = 4000
    gains = np.broadcast_to(np.array([1.0, 0.5], np.float32), (1, n_frames, 2))
    audio = ops.convert_to_numpy(layer(gains, grain_offsets(n_frames)[None]))[0]
    spectra = np.abs(np.fft.rfft(audio.reshape(-1, 1024) * np.hanning(1024))) ** 2
    measured = spectra.mean(axis=0) / np.sum(np.hanning(1024) ** 2)
    bins = np.arange(20, 500, 20)
    smooth = np.array([measured[b - 8 : b + 9].mean() for b in bins])
    density = ops.convert_to_numpy(layer.density(gains[:, :1], bins[None, None]))[0, 0]
    assert 10 * np.log10(density / smooth) == pytest.approx(np.zeros(len(bins)), abs=1.5)


def loss_of(power_db, target_db, weights=None):
    powers = 10 ** (np.broadcast_to(power_db, (1, 1, 2 * N_PARTIALS)) / 10)
    outputs = {
        "frame_powers": powers.astype(np.float32),
        "frame_whole": powers[..., :N_PARTIALS].sum(axis=-1, keepdims=True).astype(np.float32),
    }
    if weights is None:
        weights = np.ones((1, 1, 2 * N_PARTIALS), np.float16)
    target = np.broadcast_to(target_db, (1, 1, 2 * N_PARTIALS)).astype(np.float16)
    batch = {"frame_power_db": target, "frame_weights": weights}
    return float(ops.convert_to_numpy(frame_loss(outputs, batch)))


def test_loss_is_the_weighted_error_in_decibels():
    target = np.linspace(-10, -60, 2 * N_PARTIALS)
    assert loss_of(target, target) == pytest.approx(0, abs=0.02)
    assert loss_of(target + 6, target) == pytest.approx(6, abs=0.05)
    weights = np.zeros((1, 1, 2 * N_PARTIALS), np.float16)
    weights[..., 0], weights[..., 1] = 3, 1
    target[2:] = -120.0
    louder = target + np.where(np.arange(2 * N_PARTIALS) == 1, 8.0, 0.0)
    assert loss_of(louder, target, weights) == pytest.approx(2, abs=0.05)


def test_what_lies_beside_the_compared_partials_counts_above_45_db_below_the_tone():
    target = np.full(2 * N_PARTIALS, -120.0)
    target[0], target[40] = -10.0, -35.0
    weights = np.zeros((1, 1, 2 * N_PARTIALS), np.float16)
    weights[..., 0] = 1
    assert loss_of(target, target, weights) == pytest.approx(0.2 * 20, abs=0.1)


def test_nothing_counts_without_usable_frames():
    weights = np.zeros((1, 1, 2 * N_PARTIALS), np.float16)
    assert loss_of(0.0, -60.0, weights) == 0


def test_levels_of_a_frame_below_the_rounding_cost_nothing():
    assert loss_of(-150.0, -100.0) == pytest.approx(0, abs=0.05)


def test_largest_level_of_a_carrier_has_power_one():
    levels = np.zeros(6, np.float32)
    levels[FLUTE.carriers[0]] = MAX_LEVEL
    partials, whole = PatchSpectrum(FLUTE, N_PARTIALS)(levels)
    assert float(ops.convert_to_numpy(whole)[0]) == pytest.approx(1, abs=1e-4)
    assert float(ops.convert_to_numpy(partials).sum()) == pytest.approx(1, abs=1e-4)
