"""The training step, compiled by TensorFlow."""

from functools import cached_property
from typing import Any

import tensorflow as tf

from pipeline.model.synth import Tensor
from pipeline.training.compiled_step import CompiledStep, Indices


class TensorFlowStep(CompiledStep):
    """Takes optimizer steps and measures clips with TensorFlow functions."""

    steps_at_once = 1

    @cached_property
    def _compiled_step(self) -> Any:
        return tf.function(self._step)

    @cached_property
    def _compiled_distances(self) -> Any:
        return tf.function(self._distances)

    def steps(self, clips: Indices, starts: Indices) -> Tensor:
        """Takes steps; see `CompiledStep.steps`."""
        batches = zip(clips, starts, strict=True)
        return tf.stack([self._compiled_step(*batch) for batch in batches])

    def distances(self, clips: Indices) -> Tensor:
        """Returns the distances of whole clips; see `CompiledStep.distances`."""
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
