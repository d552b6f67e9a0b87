"""Dry synthesis: FM and noise from frames of controls.

Training, rendering, the player's float engine and quantization all play frames through this
function, so what they compare is the same sound.
"""

from pipeline.model.noise_layer import FilteredNoise
from pipeline.model.patches import Patch
from pipeline.model.synth import Tensor, fm_synthesize


def synthesize_dry(
    levels: Tensor,
    gains: Tensor,
    phase: Tensor,
    grains: Tensor,
    *,
    patch: Patch,
    noise: FilteredNoise,
) -> Tensor:
    """Plays frames by FM and adds the noise.

    Args:
        levels: Operator levels in turns, shape [batch, n_frames, 6].
        gains: Amplitudes of the noise layers, from `FilteredNoise.gains`, shape [batch, n_frames,
            2].
        phase: Base phase in turns, from `pipeline.model.synth.base_phase`, shape [batch, n_samples]
            with 64 samples per frame.
        grains: From `pipeline.model.noise.grain_offsets`, shape [batch or 1, n_frames].
        patch: The FM patch.
        noise: The learnt noise.

    Returns:
        Audio, shape [batch, n_samples].
    """
    return fm_synthesize(levels, phase, patch) + noise(gains, grains)
