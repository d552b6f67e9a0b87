"""The loss of single frames: partials and noise against those of the recording."""

from collections.abc import Mapping

import numpy as np
from keras import ops

from pipeline.model.frame_spectra import N_PARTIALS
from pipeline.model.synth import Tensor
from pipeline.training.frame_targets import FLOOR

OTHER_DB = -45.0  # tolerated beside the partials: aliases, and partials beyond those compared
OTHER_WEIGHT = 0.2


def frame_loss(outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
    """Compares the powers of frames with those of the recordings, in dB.

    Both contain the noise of their frame, so a partial that the recording's noise hides need only
    stay below it.

    Args:
        outputs: ``frame_powers`` and ``frame_whole`` of the model, from
            `pipeline.model.frame_spectra.frame_powers`.
        batch: ``frame_power_db`` and ``frame_weights`` of the recordings, from
            `pipeline.training.frame_targets.measure_frames`.

    Returns:
        The weighted mean of the absolute differences in dB, and a fifth of what exceeds
        `OTHER_DB` beside the partials, a scalar.
    """
    powers, whole = outputs["frame_powers"], outputs["frame_whole"]
    weights = ops.cast(batch["frame_weights"], powers.dtype)
    target_db = ops.cast(batch["frame_power_db"], powers.dtype)
    error = ops.sum(weights * ops.abs(decibels(powers + FLOOR) - target_db))
    compared = ops.cast(weights[..., :N_PARTIALS] > 0, powers.dtype)
    partials = ops.sum(compared * powers[..., :N_PARTIALS], axis=-1, keepdims=True)
    other = ops.maximum(whole - partials, 0.0)
    tolerated = 10 ** (OTHER_DB / 10) * whole
    excess_db = ops.relu(decibels((other + FLOOR) / (tolerated + FLOOR)))
    usable = ops.max(weights, axis=-1, keepdims=True)
    return error / (ops.sum(weights) + 1e-3) + OTHER_WEIGHT * ops.sum(usable * excess_db) / (
        ops.sum(usable) + 1e-3
    )


def decibels(power: Tensor) -> Tensor:
    """Converts powers to dB, same shape."""
    return 10 / np.log(10) * ops.log(power)
