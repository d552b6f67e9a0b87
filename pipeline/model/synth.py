"""The differentiable FM synthesizer: from frames of levels and a phase to audio.

It computes what the device computes. Frame k holds the values that block k (64 samples) reaches at
its end, so levels and f0 ramp causally from frame k-1 to frame k. Every operator has its own phase.
A level is in turns (modulation index 2*pi*level). The sum of the carriers is divided by
`MAX_LEVEL`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.patch import Patch
from pipeline.core.stretch import STRETCH_BITS, knots_hz

Tensor = Any  # a tensor of Keras' backend, or a NumPy array


def base_phase(f0_hz: npt.ArrayLike, patch: Patch) -> npt.NDArray[np.int32]:
    """Integrates f0 into the patch's base phase; every operator's phase is a multiple of it.

    The sum is in float64, because in float32 it would be wrong by radians after some seconds.
    Wrapping it to one turn loses nothing, because every operator's ratio is a multiple of the base
    ratio; wrapping the phase of ratio 1 would be wrong for ratios such as 1.5. As an integer, it
    stays precise when it is multiplied by thousands, as in detuned patches.

    Args:
        f0_hz: Pitch in Hz, shape [..., n_frames].
        patch: The FM patch.

    Returns:
        Phase, 2**32 per turn, wrapped, int32, shape [..., n_frames * 64]; if the patch is
        stretched, [..., n_frames * 64, 2], with the stretch (see `pipeline.core.stretch`).
    """
    pitch_hz = np.asarray(f0_hz, np.float64)
    previous = np.concatenate([pitch_hz[..., :1], pitch_hz[..., :-1]], axis=-1)
    ramp = np.arange(1, HOP_SAMPLES + 1) / HOP_SAMPLES
    samples_hz = previous[..., None] + (pitch_hz - previous)[..., None] * ramp
    samples_hz = samples_hz.reshape(*samples_hz.shape[:-2], -1)
    turns = np.cumsum(samples_hz * float(patch.base_ratio) / SAMPLE_RATE, axis=-1)
    if patch.is_stretched:  # slow, so that it need not ramp within a block
        steps = np.interp(pitch_hz, knots_hz(), patch.stretch_table) / 2.0**STRETCH_BITS
        stretch = np.cumsum(np.repeat(steps, HOP_SAMPLES, axis=-1), axis=-1)
        turns = np.stack([turns, stretch], axis=-1)
    return (turns % 1.0 * 2.0**32).astype(np.uint32).view(np.int32)


def upsample_frames(frames: Tensor) -> Tensor:
    """Ramps frames linearly to audio rate, causally; the first block ramps up from 0.

    Args:
        frames: Shape [..., n_frames].

    Returns:
        Shape [..., n_frames, 64].
    """
    first = ops.zeros_like(frames[..., :1])
    previous = ops.concatenate([first, frames[..., :-1]], axis=-1)[..., None]
    ramp = np.arange(1, HOP_SAMPLES + 1, dtype=np.float32) / HOP_SAMPLES
    return previous + (frames[..., None] - previous) * ramp


def fm_levels(logits: Tensor, gate: Tensor) -> Tensor:
    """Maps the decoder's logits to operator levels.

    Args:
        logits: Shape [batch, n_frames, 6].
        gate: From `pipeline.model.gate.loudness_gate`, shape [batch, n_frames, 1].

    Returns:
        Levels in turns, 0 to `MAX_LEVEL`, the shape of `logits`.
    """
    return MAX_LEVEL * ops.sigmoid(logits) * gate


def fm_synthesize(levels: Tensor, phase: Tensor, patch: Patch) -> Tensor:
    """Plays a patch.

    Args:
        levels: Operator levels in turns, shape [batch, n_frames, 6].
        phase: Base phase (see `base_phase`), int32, shape [batch, n_samples], or [batch,
            n_samples, 2] if the patch is stretched.
        patch: Routing and ratios.

    Returns:
        Audio, shape [batch, n_samples]; a single carrier ranges from -1 to 1.
    """
    # Operators are separated as frames, because slices of samples have a slow gradient.
    n_phases = 2 if patch.is_stretched else 1
    blocks = ops.reshape(phase, (-1, levels.shape[1], HOP_SAMPLES, n_phases))
    outputs: dict[int, Tensor] = {}
    for operator in patch.order:
        wrapped = blocks[..., 0] * patch.multiples[operator]  # integers wrap at half a turn
        if patch.stretch[operator]:
            wrapped = wrapped + blocks[..., 1] * patch.stretch[operator]
        turns = ops.cast(wrapped, levels.dtype) / 2.0**32
        for modulator in patch.modulators[operator]:
            turns = turns + outputs[modulator]
        ramp = upsample_frames(levels[..., operator])
        outputs[operator] = ramp * ops.sin(2.0 * np.pi * turns)
    audio = sum(outputs[carrier] for carrier in patch.carriers) / MAX_LEVEL
    return ops.reshape(audio, (-1, levels.shape[1] * HOP_SAMPLES))
