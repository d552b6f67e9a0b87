"""What a model's frames sound like, from its levels and noise gains, without playing them."""

from keras import ops

from pipeline.model.noise_layer import FilteredNoise
from pipeline.model.patch_spectrum import PatchSpectrum
from pipeline.model.synth import Tensor

FRAME_STRIDE = 4  # every fourth frame is compared with recordings
N_PARTIALS = 48  # that are compared


def frame_powers(
    levels: Tensor,
    gains: Tensor,
    bins: Tensor,
    lobes: Tensor,
    *,
    spectrum: PatchSpectrum,
    noise: FilteredNoise,
) -> tuple[Tensor, Tensor]:
    """Computes the powers that `pipeline.training.frame_targets` measures on recordings.

    Args:
        levels: Operator levels in turns, shape [batch, n_frames, 6].
        gains: Gains of the noise, shape [batch, n_frames, 2].
        bins: Bins of the noise's spectrum at the partials, and then between them, int32, shape
            [batch, n_frames, 2 * n_partials].
        lobes: How much noise of variance 1 adds to a partial, shape [batch, n_frames, 1].
        spectrum: The patch.
        noise: The noise.

    Returns:
        The power of each partial and of the noise below it, shape [batch, n_frames,
        2 * n_partials]; and that of the whole tone without noise, shape [batch, n_frames, 1].
    """
    partials, whole = spectrum(levels)
    density = noise.density(gains, bins)
    n_partials = partials.shape[-1]
    at_partials = partials + lobes * density[..., :n_partials]
    return ops.concatenate([at_partials, density[..., n_partials:]], axis=-1), whole
