"""Digital silence: stretches of a recording in which nothing was recorded.

Editors fill the gaps between notes with zeros, and joined or padded recordings have them too. Such
a gap is no pause of the instrument: it has no room and no breath in it, so it is neither learnt
from nor compared with, and the instrument plays zeros there.
"""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import FULL_SCALE, PIECE
from pipeline.audio.samples import Samples
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

SHORTEST_SAMPLES = SAMPLE_RATE // 20  # 50 ms; a quiet sound crosses zero for less


def silent_runs(audio: Samples) -> npt.NDArray[np.int64]:
    """Finds the runs of at least 50 ms in which no sample exceeds the last bit of 16.

    Args:
        audio: Samples at 16 kHz, shape [n]: int16, or floating point in [-1, 1]. It is the
            recording as it was given: a gain would lift its last bit.

    Returns:
        The first sample of each run, and the sample after its last, in order, shape [n_runs, 2].
    """
    step = 1 if np.issubdtype(audio.dtype, np.integer) else 1 / FULL_SCALE
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(audio), PIECE):
        piece = audio[start : start + PIECE]
        is_silent = (piece <= step) & (piece >= -step)
        edges = np.flatnonzero(np.diff(is_silent, prepend=False, append=False)).reshape(-1, 2)
        # A run at an end of the piece may go on beyond it.
        at_end = (edges[:, 0] == 0) | (edges[:, 1] == len(piece))
        found.append(start + edges[at_end | _is_long(edges)])
    runs = np.concatenate(found)
    goes_on = runs[1:, 0] == runs[:-1, 1]
    firsts, stops = np.append(True, ~goes_on), np.append(~goes_on, True)
    runs = np.stack([runs[firsts[: len(runs)], 0], runs[stops[: len(runs)], 1]], axis=1)
    return runs[_is_long(runs)]


def _is_long(runs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.asarray(runs[:, 1] - runs[:, 0] >= SHORTEST_SAMPLES)


def silent_samples(audio: Samples, *, after_samples: int = 0) -> npt.NDArray[np.bool_]:
    """Marks the samples of digital silence.

    Args:
        audio: See `silent_runs`.
        after_samples: Samples at the beginning of each run that are not marked, such as those in
            which a release may end.

    Returns:
        Whether each sample lies in digital silence, shape [n].
    """
    marked = np.zeros(len(audio), bool)
    for start, stop in silent_runs(audio):
        marked[start + after_samples : stop] = True
    return marked


def silent_frames(audio: Samples, *, after_samples: int = 0) -> npt.NDArray[np.bool_]:
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
