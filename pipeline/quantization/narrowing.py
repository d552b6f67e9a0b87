"""Narrower ranges for int8: a finer step is often worth more than the values that are clipped.

The sums before the logits reach far beyond the logits that can be heard, and single frames drive
hidden channels far beyond the rest. The range from the smallest to the largest value spends most of
the 256 steps on them.
"""

from functools import partial

import numpy as np

from pipeline.core.instrument_config import TcnConfig
from pipeline.model.metrics import logit_error_db
from pipeline.model.topology import FRAME, LOGITS
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.weights import Floats, Ranges, Weights

FACTORS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4)
LOGITS_RANGE = (-10.5, 5.0)  # below it the level is less than a PCM step, above within 0.06 dB


def narrow_ranges(
    weights: Weights, config: TcnConfig, ranges: Ranges, clips: Floats, logits: Floats
) -> Ranges:
    """Narrows one range after the other, from the logits back, to where the levels err least.

    Args:
        weights: Rounded weights.
        config: Shape of the network.
        ranges: Range of every value, from its smallest to its largest, in the order in which they
            are computed.
        clips: Features as the network reads them, shape [n_clips, n_frames, 2].
        logits: The float network's logits for them, shape [n_clips, n_frames, 6].

    Returns:
        The ranges; that of the frame is unchanged.
    """
    low, high = ranges[LOGITS]
    ranges = {**ranges, LOGITS: (max(low, LOGITS_RANGE[0]), min(high, LOGITS_RANGE[1]))}

    def error_db(name: str, limits: tuple[float, float]) -> float:
        tried = {**ranges, name: limits}
        found = [tcn_activations(weights, config, clip, tried)[LOGITS] for clip in clips]
        return logit_error_db(logits, np.stack(found))

    for name in reversed(list(ranges)):
        if name not in (FRAME, LOGITS):
            low, high = ranges[name]
            narrower = [(low * factor, high * factor) for factor in FACTORS]
            ranges[name] = min(narrower, key=partial(error_db, name))
    return ranges
