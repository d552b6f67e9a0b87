"""Dry synthesis: FM and noise from frames of controls.

Training, rendering, the player's float engine and quantization all play frames through this
function, so what they compare is the same sound.
"""

from pipeline.core.patch import Patch
from pipeline.model.noise_layer import FilteredNoise
from pipeline.model.synth import Tensor, fm_synthesize


def synthesize_dry(
    levels: Tensor,
    features: Tensor,
    phase: Tensor,
    grains: Tensor,
    *,
    patch: Patch,
    noise: FilteredNoise,
    gains: Tensor | None = None,
) -> Tensor:
    """Plays frames by FM and adds the noise.

    Args:
        levels: Operator levels in turns, shape [batch, n_frames, 6].
        features: Scaled features, from which the noise's gains follow, shape [batch, n_frames, 2].
        phase: Base phase, from `pipeline.model.synth.base_phase`, shape [batch, n_samples]
            with 64 samples per frame.
        grains: From `pipeline.model.noise.grain_offsets`, shape [batch or 1, n_frames].
        patch: The FM patch.
        noise: The learnt noise.
        gains: Gains of the noise, shape [batch, n_frames, 2], instead of those that follow from
            `features` and `levels`.

    Returns:
        Audio, shape [batch, n_samples].
    """
    audio = fm_synthesize(levels, phase, patch)
    if gains is None:  # computed after FM: JAX's rounding depends on the order of operations
        gains = noise.gains(features, levels)
    return audio + noise(gains, grains)
