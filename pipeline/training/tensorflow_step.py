"""The training step, compiled by TensorFlow."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.model.ddx7 import Ddx7
from pipeline.model.synth import Tensor
from pipeline.training.objective import Batch, Objective

Indices = npt.NDArray[np.int32]


class TensorFlowStep:
    """Takes optimizer steps and measures clips as TensorFlow functions."""

    steps_at_once = 1

    def __init__(
        self, model: Ddx7, optimizer: keras.Optimizer, arrays: Batch, objective: Objective
    ) -> None:
        """Prepares the functions; they are compiled when they are called first.

        Args:
            model: The model to train.
            optimizer: Its optimizer, already built.
            arrays: The data set's tensors.
            objective: What a step computes.
        """
        self._model = model
        self._optimizer = optimizer
        self._arrays = arrays
        self._objective = objective
        self._compiled_step = tf.function(self._step)
        self._compiled_distances = tf.function(self._distances)

    def steps(self, clips: Indices, starts: Indices) -> Tensor:
        """Takes steps; see `pipeline.training.learner.Learner.steps`."""
        batches = zip(clips, starts, strict=True)
        return tf.stack([self._compiled_step(*batch) for batch in batches])

    def distances(self, clips: Indices) -> Tensor:
        """Returns the distances of whole clips, shape [n_clips, 4]."""
        return self._compiled_distances(clips)

    def _step(self, clips: Tensor, starts: Tensor) -> Tensor:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._objective.crop_loss(
                self._arrays, clips, starts, lambda batch: self._model(batch, training=True)
            )
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _distances(self, clips: Tensor) -> Tensor:
        return self._objective.clip_distances(self._arrays, clips, self._model)
