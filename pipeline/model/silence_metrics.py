"""The level of a rendering where its recording is digital silence."""

import numpy as np

from pipeline.audio.digital_silence import SHORTEST_SAMPLES, silent_samples
from pipeline.model.metrics import Array

ZERO_DBFS = -200.0  # stands for digital zero; a single last bit in ten minutes has -160 dBFS


def silence_level_dbfs(reference: Array, estimate: Array) -> float | None:
    """Measures the power of a rendering in the recording's digital silence.

    The first 50 ms of each silent stretch, in which a release may end, do not count.

    Args:
        reference: The recording as it was given, shape [n].
        estimate: The rendering, shape [n].

    Returns:
        Mean square in dB, about -90 if every sample is off by one step of 16 bits; `ZERO_DBFS` if
        all samples are 0; None if the recording has no digital silence of more than 50 ms.
    """
    silent = silent_samples(reference, after_samples=SHORTEST_SAMPLES)
    if not silent.any():
        return None
    power = np.mean(np.square(np.asarray(estimate, np.float64)[silent]))
    return max(10 * float(np.log10(power)), ZERO_DBFS) if power > 0 else ZERO_DBFS
