"""Jumps of pitch and loudness make no click."""

import numpy as np
import pytest
from support.patches import PAPER
from support.small_player import NOISE

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.patch_files import load_patch
from pipeline.model.noise import NoiseParameters
from pipeline.reference import device, frame
from pipeline.reference.fm import FixedVoice
from pipeline.reference.noise import FixedNoise, noise_gains, noise_pcm, to_fixed_noise

pytestmark = pytest.mark.firmware


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


@pytest.mark.parametrize("name", PAPER)
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
