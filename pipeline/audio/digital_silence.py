"""Digital silence: stretches of a recording in which nothing was recorded.

Editors fill the gaps between notes with zeros, and joined or padded recordings have them too. Such
a gap is no pause of the instrument: it has no room and no breath in it, so it is neither learnt
from nor compared with, and the instrument plays zeros there.
"""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

SHORTEST_SAMPLES = SAMPLE_RATE // 20  # 50 ms; a quiet sound crosses zero for less


def silent_runs(audio: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Finds the runs of at least 50 ms in which no sample exceeds the last bit of 16.

    Args:
        audio: Samples at 16 kHz, shape [n]: int16, or floating point in [-1, 1]. It is the
            recording as it was given: a gain would lift its last bit.

    Returns:
        The first sample of each run, and the sample after its last, in order, shape [n_runs, 2].
    """
    samples = np.asarray(audio)
    step = 1 if np.issubdtype(samples.dtype, np.integer) else 1 / FULL_SCALE
    is_silent = np.concatenate([[False], (samples <= step) & (samples >= -step), [False]])
    runs = np.flatnonzero(np.diff(is_silent)).reshape(-1, 2)
    return runs[runs[:, 1] - runs[:, 0] >= SHORTEST_SAMPLES]


def silent_samples(audio: npt.ArrayLike, *, after_samples: int = 0) -> npt.NDArray[np.bool_]:
    """Marks the samples of digital silence.

    Args:
        audio: See `silent_runs`.
        after_samples: Samples at the beginning of each run that are not marked, such as those in
            which a release may end.

    Returns:
        Whether each sample lies in digital silence, shape [n].
    """
    marked = np.zeros(len(np.asarray(audio)), bool)
    for start, stop in silent_runs(audio):
        marked[start + after_samples : stop] = True
    return marked


def silent_frames(audio: npt.ArrayLike, *, after_samples: int = 0) -> npt.NDArray[np.bool_]:
    """Marks the frames whose blocks of 64 samples lie wholly in digital silence.

    Args:
        audio: See `silent_runs`.
        after_samples: See `silent_samples`.

    Returns:
        Shape [ceil(n / 64)]; of the last block, the samples that exist count.
    """
    marked = silent_samples(audio, after_samples=after_samples)
    padding = -len(marked) % HOP_SAMPLES
    blocks = np.pad(marked, (0, padding), constant_values=True).reshape(-1, HOP_SAMPLES)
    return np.asarray(blocks.all(axis=1))
