"""The device's FM arithmetic compared with theory and with double precision."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.special import jv
from support.patches import PATCHES, stretch_hz

from pipeline.audio.pitch import note_to_hz
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.patch import Patch
from pipeline.core.patch_files import load_patch
from pipeline.core.stretch import inharmonicity
from pipeline.reference.fm import LEVEL_MAX_Q32, FixedVoice, sine

FULL_SCALE = 2**15


def decibels(error, signal):
    return 10 * np.log10(np.mean(np.square(error)) / np.mean(np.square(signal)))


def ramp(frames, first):
    """Interpolates linearly to each frame, whose value is reached at the end of its block."""
    frames = np.asarray(frames, np.float64)
    previous = np.concatenate([[first], frames[:-1]])
    share = np.arange(1, HOP_SAMPLES + 1).reshape(1, -1, *[1] * (frames.ndim - 1)) / HOP_SAMPLES
    return (previous[:, None] + (frames - previous)[:, None] * share).reshape(-1, *frames.shape[1:])


def double_precision(patch, f0_hz, levels_q32):
    """Evaluates the formula of the patch; returns LSB of 16 bits."""
    turns = np.cumsum(ramp(f0_hz, f0_hz[0]) / SAMPLE_RATE)
    stretch = np.cumsum(np.repeat(stretch_hz(patch, f0_hz), HOP_SAMPLES)) / SAMPLE_RATE
    levels = ramp(levels_q32 / 2.0**32, np.zeros(6))
    outputs = {}
    for i in patch.order:
        phase = turns * float(patch.played_ratios[i]) + stretch * patch.stretch[i]
        phase += sum(outputs[m] for m in patch.modulators[i])
        outputs[i] = levels[:, i] * np.sin(2 * np.pi * (phase % 1.0))
    audio = sum(outputs[i] for i in patch.carriers) / MAX_LEVEL
    return np.clip(FULL_SCALE * audio, -FULL_SCALE, FULL_SCALE - 1)


def smooth_noise(rng, n_frames, n_signals, width):
    """Returns Gaussian noise of variance 1 that does not vary faster than `width` frames."""
    window = np.hanning(width + 2)[1:-1]
    window /= np.linalg.norm(window)
    noise = rng.standard_normal((n_signals, n_frames + width - 1))
    return np.stack([np.convolve(row, window, "valid") for row in noise], 1)


def smooth_frames(seed, n_frames=2500):
    """Returns ten seconds of gliding pitch around 440 Hz with levels that span their range."""
    rng = np.random.default_rng(seed)
    octaves = np.clip(smooth_noise(rng, n_frames, 1, 50)[:, 0], -3, 3)
    f0_hz = (440 * 2**octaves).astype(np.float32)
    levels = MAX_LEVEL / (1 + np.exp(-2 * smooth_noise(rng, n_frames, 6, 40)))
    return f0_hz, (levels * 2**32).astype(np.int32)


def constant_frames(n_frames, f0_hz, levels):
    q32 = np.round(np.array(levels) * 2.0**32).astype(np.int32)
    return np.full(n_frames, f0_hz, np.float32), np.tile(q32, (n_frames, 1))


def test_sine_is_within_96_db_and_32_bits():
    turns = np.arange(0, 2**24, 3)
    q31 = sine(turns)
    assert q31.min() >= -(2**31) and q31.max() < 2**31
    ideal = np.sin(2 * np.pi * turns / 2**24)
    error = (q31 >> 16) / FULL_SCALE - ideal
    assert decibels(error, ideal) < -95.9
    assert np.abs(error).max() < 2.01 / FULL_SCALE
    assert abs(error.mean()) < 0.01 / FULL_SCALE


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.parametrize("seed", [0, 1])
def test_patch_equals_double_precision_to_80_db_over_ten_seconds(name, seed):
    f0_hz, levels = smooth_frames(seed)
    expected = double_precision(PATCHES[name], f0_hz, levels)
    error = FixedVoice(PATCHES[name]).render(f0_hz, levels) - expected
    assert decibels(error, expected) < -82
    assert decibels(error[-SAMPLE_RATE:], expected[-SAMPLE_RATE:]) < -80, "drifts"


@pytest.mark.parametrize("name", PATCHES)
def test_patch_equals_double_precision_at_full_level(name):
    f0_hz, levels = constant_frames(250, 523.25, [0.3199] * 6)
    expected = double_precision(PATCHES[name], f0_hz, levels)
    assert decibels(FixedVoice(PATCHES[name]).render(f0_hz, levels) - expected, expected) < -81


def test_phase_does_not_drift_in_ten_minutes():
    """The base oscillator, at a tenth of an odd pitch, is compared with exact integers."""
    voice = FixedVoice(PATCHES["trumpet"])
    f0_hz = np.float32(443.2109)
    n_portions, n_frames = 10, 15_000
    for _ in range(n_portions):
        voice.render(*constant_frames(n_frames, f0_hz, [0.0] * 6))
    n_samples = n_portions * n_frames * HOP_SAMPLES
    numerator, denominator = float(f0_hz).as_integer_ratio()
    exact = numerator * n_samples * 2**64 // (denominator * SAMPLE_RATE * 10)
    drift = (int(voice._phase) - exact + 2**63) % 2**64 - 2**63
    assert abs(drift) < 2**64 / 2**22


def test_sidebands_are_bessel_functions_of_the_index():
    """A carrier at 2 kHz is phase-modulated by a second operator at 250 Hz."""
    patch = Patch("pair", "2>1 3>1 4>1 6>5", tuple(map(Fraction, (8, 1, 1, 1, 1, 1))))
    level = 0.25
    index = 2 * np.pi * level
    f0_hz, levels = constant_frames(2 * 250, 250, [0.32, level, 0, 0, 0, 0])
    audio = FixedVoice(patch).render(f0_hz, levels)[SAMPLE_RATE:] / FULL_SCALE
    amplitude = np.abs(np.fft.rfft(audio)) / (SAMPLE_RATE / 2)
    for order in range(-7, 8):
        assert amplitude[2000 + 250 * order] == pytest.approx(abs(jv(order, index)), abs=5e-5)
    amplitude[2000 - 8 * 250 : 2000 + 9 * 250 : 250] = 0
    assert amplitude.max() < 3e-5


def test_pitch_is_f0_times_the_carriers_ratio():
    patch = Patch("sines", "2>1 3>1 5>4 6>4", tuple(map(Fraction, (1, 1, 1, 3, 1, 1))))
    f0_hz, levels = constant_frames(500, 441, [0.1, 0, 0, 0.2, 0, 0])
    amplitude = np.abs(np.fft.rfft(FixedVoice(patch).render(f0_hz, levels)[SAMPLE_RATE:]))
    amplitude /= FULL_SCALE * SAMPLE_RATE / 2
    assert amplitude[441] == pytest.approx(0.1 / MAX_LEVEL, rel=1e-4)
    assert amplitude[3 * 441] == pytest.approx(0.2 / MAX_LEVEL, rel=1e-4)


def test_splitting_frames_between_calls_changes_nothing():
    f0_hz, levels = smooth_frames(3, 100)
    whole = FixedVoice(PATCHES["violin"]).render(f0_hz, levels)
    voice = FixedVoice(PATCHES["violin"])
    parts = [voice.render(f0_hz[a:b], levels[a:b]) for a, b in ((0, 1), (1, 1), (1, 37), (37, 100))]
    assert np.array_equal(np.concatenate(parts), whole)
    voice.reset()
    assert np.array_equal(voice.render(f0_hz, levels), whole)


def test_values_out_of_range_are_clamped():
    wild_f0 = np.array([-np.inf, -440, -0.0, 0, 19, 4001, 1e30, np.inf, np.nan], np.float32)
    held_f0 = np.array([20, 20, 20, 20, 20, 4000, 4000, 4000, 20], np.float32)
    wild = np.resize([-(2**31), -1, 2**31 - 1, LEVEL_MAX_Q32 + 1, 5 * 10**8], (9, 6))
    held = np.clip(wild, 0, LEVEL_MAX_Q32)
    for patch in PATCHES.values():
        expected = FixedVoice(patch).render(held_f0, held)
        assert np.array_equal(FixedVoice(patch).render(wild_f0, wild), expected)


def test_jump_is_no_steeper_than_its_ramp():
    """The slope of a single carrier is bounded by its pitch and by full scale over 64 samples."""
    patch = Patch("sine", "2>1 3>1 4>1 6>5", (Fraction(1),) * 6)
    carrier = np.array([0, 0.32, 0, 0.32, 0.32, 0.01, 0])
    f0_hz = np.array([100, 50, 200, 200, 20, 200, 200], np.float32)
    levels = np.zeros((7, 6), np.int32)
    levels[:, 0] = np.minimum(carrier * 2.0**32, LEVEL_MAX_Q32)
    audio = FixedVoice(patch).render(f0_hz, levels).astype(int)
    steepest = FULL_SCALE * (2 * np.pi * 200 / SAMPLE_RATE + 1 / HOP_SAMPLES) + 2
    assert np.abs(np.diff(audio)).max() <= steepest
    assert np.all(audio[:HOP_SAMPLES] == 0) and audio[-1] == 0


@pytest.mark.parametrize("name", ["violin", "piano", "four_carriers", "organ"])
def test_several_carriers_saturate(name):
    patch = PATCHES[name]
    levels = [0.3199 if i in patch.carriers else 0.0 for i in range(6)]
    f0_hz, levels = constant_frames(500, 110, levels)
    expected = double_precision(patch, f0_hz, levels)
    audio = FixedVoice(patch).render(f0_hz, levels)
    assert audio.max() == FULL_SCALE - 1 and audio.min() == -FULL_SCALE
    assert np.abs(audio - expected).max() < 3 * len(patch.carriers)


@pytest.mark.parametrize("note", [36, 48, 60, 66])
def test_stretched_piano_follows_the_partials_of_a_string(note):
    patch = load_patch("stretched_piano")
    pitch_hz = note_to_hz(note)
    pcm = FixedVoice(patch).render(
        *constant_frames(250, pitch_hz, [0.1, 0.12, 0.1, 0.08, 0.03, 0.15])
    )
    n_fft = 2**18
    spectrum = np.abs(np.fft.rfft(pcm[2000:] * np.hanning(len(pcm) - 2000), n_fft))
    stiffness = inharmonicity(patch.inharmonicity, pitch_hz)
    for partial in range(1, 13):
        string_hz = partial * pitch_hz * np.sqrt(1 + stiffness * partial**2)
        first, last = (
            int((string_hz + side * 0.3 * pitch_hz) * n_fft / SAMPLE_RATE) for side in (-1, 1)
        )
        found_hz = (first + spectrum[first:last].argmax()) * SAMPLE_RATE / n_fft
        assert abs(1200 * np.log2(found_hz / string_hz)) < (1 if partial == 10 else 12), partial
