"""The gate: digital zero where the loudness is at its floor.

Without it the network would have to learn levels below the last bit for silence, and its rounding
to integers would leave that bit moving. The gate is a factor of operator levels and noise gains
that depends on the loudness of the frame alone. It falls from 1 at `GATE_OPEN_DB`, where the sound
is a few steps of 16 bits, to 0 at the floor. ``pipeline.reference.frame`` and
``tflm_app/instrument/frame.h`` do the same in integers.
"""

from keras import ops

from pipeline.core.constants import GATE_OPEN_DB, LOUDNESS_RANGE_DB, MIN_LOUDNESS_DB
from pipeline.model.synth import Tensor

_SLOPE = LOUDNESS_RANGE_DB / (GATE_OPEN_DB - MIN_LOUDNESS_DB)  # per unit of scaled loudness


def loudness_gate(features: Tensor) -> Tensor:
    """Computes the factor of levels and gains, 0 to 1.

    Args:
        features: Scaled features (see `pipeline.model.inputs.scale_features`), shape [batch,
            n_frames, 2].

    Returns:
        Shape [batch, n_frames, 1]; exactly 1 from `GATE_OPEN_DB` up, exactly 0 at the floor.
    """
    return ops.clip(features[..., 1:] * _SLOPE, 0.0, 1.0)
