"""The limiter of the mix: equal bits in Python and C, transparency, peak, distortion and cost."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.paths import APP_DIR
from pipeline.reference.limiter import limit
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

SOURCES = [Path(__file__).with_name("limit.c")]
SOURCES += [APP_DIR / name for name in ("player/limiter.c", "apps/report.c")]
CHORDS_HZ = [(110, 138.6, 164.8, 220), (440, 554.4, 659.3, 880), (65.4, 98, 130.8, 196)]
CHORDS_HZ += [(261.6, 261.9, 392, 523), (196, 247, 294, 392)]


def sines(f0_hz, level: float, seconds: float) -> np.ndarray:
    """Returns the sum of sines of a level relative to full scale, in PCM steps."""
    time = np.arange(round(seconds * FRAME_RATE) * HOP_SAMPLES) / SAMPLE_RATE
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, len(f0_hz))
    waves = [np.sin(2 * np.pi * f * time + p) for f, p in zip(f0_hz, phases, strict=True)]
    return np.round(level * (FULL_SCALE - 1) * np.sum(waves, axis=0)).astype(np.int64)


def distortion_db(pcm: np.ndarray, f0_hz) -> float:
    """Returns the power that is over 12 Hz away from the sines, relative to that near them."""
    spectrum = np.abs(np.fft.rfft(np.blackman(len(pcm)) * pcm)) ** 2
    hz = np.fft.rfftfreq(len(pcm), 1 / SAMPLE_RATE)
    is_near = (np.abs(hz[:, None] - np.array(f0_hz)) < 12).any(axis=1)
    return float(10 * np.log10(spectrum[~is_near].sum() / spectrum[is_near].sum()))


# Instructions per block; emulated boards count them in steps of about 50.
@pytest.mark.firmware
@pytest.mark.parametrize(
    ("board", "fits", "is_limited"),
    [("host", 0, 0), ("qemu_m4", 700, 2000), ("qemu_m0", 1000, 5200)],
)
def test_device_limits_like_python_at_a_bounded_cost(board, fits, is_limited, tmp_path):
    rng = np.random.default_rng(0)
    levels = np.repeat(2.0 ** rng.uniform(-6, 8, 400), HOP_SAMPLES)
    levels[: 4 * HOP_SAMPLES] = 0.9
    extremes = [-FULL_SCALE, FULL_SCALE - 1, FULL_SCALE, -FULL_SCALE - 1, 2**23, -(2**23)]
    edges = np.repeat(extremes, HOP_SAMPLES)
    noise = rng.uniform(-FULL_SCALE, FULL_SCALE, len(levels)) * levels
    sums = np.concatenate([np.clip(np.round(noise), -(2**23), 2**23), edges, np.zeros(64000)])
    program = build_program(board, SOURCES, out=tmp_path / "build", sanitize=board == "host")
    run = run_program(
        program,
        arguments=["sums", "pcm"],
        inputs={"sums": sums.astype("<i4").tobytes()},
        outputs=["pcm"],
    )
    assert run.status == 0, run.console
    played = np.frombuffer(run.files["pcm"], "<i2")
    np.testing.assert_array_equal(played, limit(sums.astype(np.int64)))
    cost = json.loads(run.console)
    assert cost["fits"] <= fits and cost["is_limited"] <= is_limited


def test_sums_that_fit_pass_unchanged_and_others_do_not_exceed_full_scale():
    sums = sines((220, 277), 0.5, 1)
    np.testing.assert_array_equal(limit(sums), sums)
    loud = limit(4 * sums).astype(int)
    assert 32_700 < np.abs(loud).max() <= FULL_SCALE
    after = limit(np.concatenate([4 * sums, sines((220,), 0.5, 6)]))
    np.testing.assert_array_equal(after[-SAMPLE_RATE:], sines((220,), 0.5, 6)[-SAMPLE_RATE:])


def test_gain_returns_slowly_and_by_small_steps():
    steady = sines((1000,), 0.25, 6)
    gain = limit(np.concatenate([16 * steady[: 10 * HOP_SAMPLES], steady])).astype(float)
    peaks = np.abs(gain.reshape(-1, HOP_SAMPLES)).max(axis=1)[10:] / np.abs(steady).max()
    np.testing.assert_allclose(peaks[:15], 0.25, rtol=0.01)  # the rest of 25 blocks
    assert 0.6 < peaks[25 + FRAME_RATE] < 0.9 and peaks[-1] == 1
    assert np.diff(peaks).max() < 0.005 and np.diff(peaks).min() > -0.001


@pytest.mark.parametrize(("level", "largest_db"), [(0.35, -47), (0.5, -43), (0.9, -39)])
def test_chords_above_full_scale_are_distorted_little(level, largest_db):
    for f0_hz in CHORDS_HZ:
        sums = sines(f0_hz, level, 6)
        steady = slice(2 * SAMPLE_RATE, None)
        assert distortion_db(limit(sums)[steady].astype(float), f0_hz) < largest_db
        saturated = np.clip(sums, -FULL_SCALE, FULL_SCALE - 1)
        clipped = distortion_db(saturated[steady].astype(float), f0_hz)
        assert clipped > largest_db + 15


def test_voices_that_begin_together_do_not_clip():
    """Every voice rises within its first block, as the ramps of its levels do."""
    chord = sines((220, 277.2, 329.6, 440), 0.9, 1)
    ramp = np.minimum(np.arange(len(chord)) / HOP_SAMPLES, 1)
    played = limit(np.round(chord * ramp).astype(np.int64)).astype(int)
    assert (np.abs(played) >= FULL_SCALE - 1).sum() < 20
