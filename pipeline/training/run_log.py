"""TensorBoard logs of a training."""

from pathlib import Path

import numpy as np
from keras import ops

from pipeline.core.constants import SAMPLE_RATE
from pipeline.model.ddx7 import Ddx7
from pipeline.model.inputs import prepend_context
from pipeline.training.dataset import TRAIN, Arrays


class RunLog:
    """TensorBoard: losses, and for a validation clip its audio and levels."""

    def __init__(self, folder: Path):
        try:
            import tensorflow as tf
        except (
            ImportError
        ):  # JAX on a machine without TensorFlow: metrics.json still has the history
            self.summary = None
        else:
            self.summary = tf.summary
            self.writer = tf.summary.create_file_writer(str(folder))

    def write(self, row: dict[str, float], model: Ddx7, dataset: Arrays) -> None:
        """Writes one row of the history."""
        if self.summary is None:
            return
        held_out = np.flatnonzero(dataset["split"] != TRAIN)
        clip = held_out[0] if len(held_out) else 0
        inputs = {name: dataset[name][None, clip] for name in ("features", "phase", "grains")}
        inputs["features"] = prepend_context(inputs["features"], model.config.tcn)
        outputs = model(inputs)
        levels = ops.convert_to_numpy(outputs["levels"])[0]
        with self.writer.as_default(int(row["step"])):
            for name, value in row.items():
                self.summary.scalar(name, value)
            self.summary.audio(
                "model", ops.convert_to_numpy(outputs["audio"])[..., None], SAMPLE_RATE
            )
            self.summary.audio("recording", dataset["audio"][None, clip, :, None], SAMPLE_RATE)
            self.summary.image(
                "levels", (levels.T / levels.max())[None, ::-1, :, None].repeat(16, axis=1)
            )
        self.writer.flush()
