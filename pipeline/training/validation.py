"""Measures a model in training on the clips that it does not learn from."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import VALID
from pipeline.training.checkpoints import Row
from pipeline.training.dataset_arrays import Arrays, has_live
from pipeline.training.learner import Learner
from pipeline.training.losses import COLUMNS


def validate(learner: Learner, dataset: Arrays, split: int = VALID) -> Row:
    """Measures a split's clips (see `validation_distances`) by recording and source.

    A source's figures are the mean over its recordings of each one's mean, and those of all are the
    mean over sources, so that neither long recordings nor large sources outweigh others.

    Args:
        learner: The learner.
        dataset: The data set.
        split: The split.

    Returns:
        For real recordings, if there are any: ``real``, the MSS with reverb, ``real_dry``, the MSS
        without, ``real_loudness_db``, ``real_dry_loudness_db``, and ``real_sound``, the dry sound
        distance; likewise ``rendered`` for rendered recordings; and ``sources``, the same figures
        of every source by its name: ``mss``, ``dry``, ... If the model learns from live features,
        too, ``real_live``, ``real_live_dry``, ... are measured with these.
    """
    clips = np.flatnonzero(dataset["split"] == split)
    if not len(clips):
        return {}
    columns, found = list(COLUMNS), learner.distances(clips)
    if has_live(dataset) and learner.model.config.train.live_share:
        columns += ["_live" + name for name in COLUMNS]
        found = np.hstack([found, learner.distances(clips + len(dataset["split"]))])
    sources, recordings, real = (dataset[name][clips] for name in ("source", "recording", "real"))
    figures: Row = {"sources": {}}
    by_kind: dict[str, list[npt.NDArray[np.float32]]] = {"real": [], "rendered": []}
    for source in np.unique(sources):
        own = sources == source
        of_recording = [recordings == name for name in np.unique(recordings[own])]
        means = np.mean([found[own & clip].mean(axis=0) for clip in of_recording], axis=0)
        by_kind["real" if real[own].all() else "rendered"].append(means)
        figures["sources"][str(source)] = _named(means, [name[1:] or "mss" for name in columns])
    for kind, rows in by_kind.items():
        if rows:
            figures |= _named(np.mean(rows, axis=0), [kind + name for name in columns])
    return figures


def _named(values: npt.NDArray[np.float32], names: Sequence[str]) -> Row:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
