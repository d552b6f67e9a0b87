"""Static fits: the spectrum of a patch, its gradient, and what fits find."""

import numpy as np
import pytest
from support.patches import PAPER, PATCHES

from pipeline.audio.partials import measure_partials
from pipeline.core.constants import MAX_LEVEL, SAMPLE_RATE
from pipeline.model.static_fit import (
    N_PARTIALS,
    Partials,
    Spectrum,
    fit_levels,
    make_partials,
    partial_errors_db,
)
from pipeline.reference.fm import FixedVoice


def falling_partials(n_frames: int, db_per_partial: float = 2.0) -> Partials:
    slopes = db_per_partial * (1 + np.arange(n_frames)[:, None] / n_frames)
    amplitudes = 10 ** (-slopes * np.arange(N_PARTIALS) / 20)
    return make_partials(amplitudes, np.ones_like(amplitudes, bool))


@pytest.mark.parametrize("name", ["violin", "flute", "trumpet", "organ"])
def test_spectrum_equals_the_measured_partials_of_the_device(name):
    levels = np.array([0.07, 0.04, 0.06, 0.05, 0.06, 0.02], np.float32)
    f0_hz = np.full(60, 250.0, np.float32)  # all components lie below 8 kHz
    q32 = np.tile((levels * 2.0**32).astype(np.int32), (60, 1))
    pcm = FixedVoice(PATCHES[name]).render(f0_hz, q32)
    found, known = measure_partials(pcm, np.array([30]), f0_hz[:1], N_PARTIALS)
    assert known.all()
    expected = Spectrum(PATCHES[name]).amplitudes(levels)
    loud = expected > 10 ** (-50 / 20) * expected.max()
    assert loud.sum() >= 3
    np.testing.assert_allclose(20 * np.log10(found[0, loud] / expected[loud]), 0, atol=0.3)


@pytest.mark.parametrize("name", [*PAPER, "four_carriers"])
def test_gradient_equals_finite_differences(name):
    spectrum, partials = Spectrum(PATCHES[name]), falling_partials(3)
    logits = np.random.default_rng(2).normal(-1, 1, (2, 3, 6)).astype(np.float32)
    _, gradient = spectrum.loss(logits, partials)
    step = np.float32(0.02)
    for place in ((0, 0, 0), (1, 1, 1), (0, 2, 2), (1, 0, 3), (0, 1, 4), (1, 2, 5)):
        ends = []
        for sign in (1, -1):
            moved = logits.copy()
            moved[place] += sign * step
            ends.append(spectrum.loss(moved, partials)[0][place[:2]])
        slope = (ends[0] - ends[1]) / (2 * step)
        assert gradient[place] == pytest.approx(slope, rel=0.05, abs=0.02)


@pytest.mark.parametrize("name", ["violin", "flute"])
def test_fit_recovers_spectra_that_the_patch_itself_has_made(name):
    levels = np.random.default_rng(3).uniform(0.02, 0.25, (12, 6)).astype(np.float32)
    amplitudes = Spectrum(PATCHES[name]).amplitudes(levels)
    partials = make_partials(amplitudes, np.ones_like(amplitudes, bool))
    errors, found = fit_levels(PATCHES[name], partials)
    assert np.median(errors) < 0.6
    assert found.min() > 0 and found.max() < MAX_LEVEL


def test_error_is_the_mean_difference_of_audible_partials_at_any_gain():
    partials = falling_partials(1, 3.0)
    assert partials.audible.sum() == 14  # down to -39 dB
    wrong = partials.amplitudes.copy()
    assert partial_errors_db(0.1 * wrong, partials)[0] < 1e-4
    wrong[0, 3] *= 10 ** (-7 / 20)
    wrong[0, 20] *= 10  # too soft to count
    assert partial_errors_db(wrong, partials)[0] == pytest.approx(7 / 14, rel=0.1)


def test_partials_of_a_sum_of_sines_are_measured():
    f0_hz, amplitudes = 311.7, np.array([0.3, 0.1, 0.2, 0.001])
    time = np.arange(8000) / SAMPLE_RATE
    waves = [a * np.sin(2 * np.pi * k * f0_hz * time) for k, a in enumerate(amplitudes, 1)]
    pcm = np.round(2**15 * np.sum(waves, axis=0)).astype(np.int16)
    frames = np.array([40, 80])
    found, known = measure_partials(pcm, frames, np.array([f0_hz, 1.003 * f0_hz], np.float32), 24)
    np.testing.assert_allclose(found[0, :4], amplitudes, rtol=0.02)
    np.testing.assert_allclose(found[1, :4], amplitudes, rtol=0.02)  # the pitch is a little off
    assert known.sum(axis=1).tolist() == [22, 22] and found[:, 5:].max() < 1e-3
