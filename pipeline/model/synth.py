"""The differentiable FM synthesizer: frames of levels and phases in, audio out.

This is the arithmetic that plays on the device: frame k holds the values that block k (64 samples)
reaches at its end, so levels and f0 ramp causally from frame k-1 to frame k; every operator has a
phase of its own; a level is in turns (modulation index 2*pi*level); the sum of the carriers is
divided by `MAX_LEVEL`.
"""

from typing import Any

import numpy as np
from keras import ops

from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.model.patches import Patch


def base_phase(f0_hz: np.ndarray, patch: Patch) -> np.ndarray:
    """Integrates f0 into the patch's base phase, of which every operator's is a multiple.

    In float64: a float32 cumulative sum would be radians off after seconds, and a wrapped phase of
    ratio 1 would break ratios such as 1.5; the base ratio divides them all, so that wrapping it to
    one turn loses nothing.

    Args:
        f0_hz: Pitch in Hz, shape [..., n_frames].
        patch: The FM patch.

    Returns:
        Phase in turns from 0 to 1, float32, shape [..., n_frames * HOP_SAMPLES].
    """
    f0_hz = np.asarray(f0_hz, np.float64)
    previous = np.concatenate([f0_hz[..., :1], f0_hz[..., :-1]], axis=-1)
    ramp = np.arange(1, HOP_SAMPLES + 1) / HOP_SAMPLES
    f0_hz = previous[..., None] + (f0_hz - previous)[..., None] * ramp
    f0_hz = f0_hz.reshape(*f0_hz.shape[:-2], -1)
    turns = np.cumsum(f0_hz * float(patch.base_ratio) / SAMPLE_RATE, axis=-1)
    return (turns % 1.0).astype(np.float32)


def upsample_frames(frames):
    """Ramps frames linearly to audio rate, causally; the first block ramps up from 0.

    Args:
        frames: Shape [batch, n_frames, channels].

    Returns:
        Shape [batch, n_frames * HOP_SAMPLES, channels].
    """
    previous = ops.pad(frames[:, :-1], [[0, 0], [1, 0], [0, 0]])
    ramp = ops.reshape(
        ops.arange(1, HOP_SAMPLES + 1, dtype=frames.dtype) / HOP_SAMPLES, (1, 1, -1, 1)
    )
    samples = previous[:, :, None] + (frames - previous)[:, :, None] * ramp
    batch, n_frames, channels = ops.shape(frames)
    return ops.reshape(samples, (batch, n_frames * HOP_SAMPLES, channels))


def fm_levels(logits):
    """Maps the decoder's logits to operator levels in turns, 0 to `MAX_LEVEL`, same shape."""
    return MAX_LEVEL * ops.sigmoid(logits)


def fm_synthesize(levels, phase, patch: Patch):
    """Plays a patch.

    Args:
        levels: Operator levels in turns, shape [batch, n_frames, 6].
        phase: Base phase in turns (see `base_phase`), shape [batch, n_samples].
        patch: Routing and ratios.

    Returns:
        Audio, shape [batch, n_samples]; one carrier reaches from -1 to 1.
    """
    levels = upsample_frames(levels)
    outputs: dict[int, Any] = {}
    for operator in patch.order:
        turns = phase * patch.multiples[operator]
        turns = turns - ops.floor(turns)  # small arguments keep float32 sines accurate
        for modulator in patch.modulators[operator]:
            turns = turns + outputs[modulator]
        outputs[operator] = levels[..., operator] * ops.sin(2.0 * np.pi * turns)
    return sum(outputs[carrier] for carrier in patch.carriers) / MAX_LEVEL
