"""Writes the TensorBoard logs of a training run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from pipeline.core.constants import SAMPLE_RATE, TRAIN
from pipeline.model.ddx7 import Ddx7
from pipeline.training.checkpoints import Row
from pipeline.training.dataset import drop_lead, model_inputs
from pipeline.training.dataset_arrays import Arrays

IMAGE_ROWS = 16  # pixels per operator


class RunLog:
    """Writes losses, and the audio and levels of a held-out clip, for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        """Opens the log; without TensorFlow, as when training with JAX, nothing is written."""
        self._summary: Any = None
        try:
            import tensorflow as tf
        except ImportError:
            return
        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, row: Row, model: Ddx7, dataset: Arrays) -> None:
        """Writes one row of the history."""
        if self._summary is None:
            return
        held_out = np.flatnonzero(dataset["split"] != TRAIN)
        clip = held_out[0] if len(held_out) else 0
        names = ("f0_hz", "features", "context_f0_hz", "context")
        inputs = model_inputs({name: dataset[name][None, clip] for name in names}, model.config)
        outputs = drop_lead(model(inputs))
        audio = ops.convert_to_numpy(outputs["audio"])[..., None]
        levels = ops.convert_to_numpy(outputs["levels"])[0]
        image = (levels.T / levels.max())[None, ::-1, :, None].repeat(IMAGE_ROWS, axis=1)
        with self._writer.as_default(int(row["step"])):
            for name, value in _figures(row):
                self._summary.scalar(name, value)
            self._summary.audio("model", audio, SAMPLE_RATE)
            self._summary.audio("recording", dataset["audio"][None, clip, :, None], SAMPLE_RATE)
            self._summary.image("levels", image)
        self._writer.flush()


def _figures(row: Row, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yields the figures of a row, those of a source under its name."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _figures(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value
