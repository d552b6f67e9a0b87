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
        return tf.function(self._step, autograph=False)

    @cached_property
    def _compiled_distances(self) -> Any:
        return tf.function(self._distances, autograph=False)

    def steps(self, clips: Indices, starts: Indices, *, dry: bool) -> Tensor:
        """Takes steps; see `CompiledStep.steps`."""
        batches = zip(clips, starts, strict=True)
        return tf.stack([self._compiled_step(*batch, dry) for batch in batches])

    def distances(self, clips: Indices) -> Tensor:
        """Returns the distances of whole clips; see `CompiledStep.distances`."""
        return self._compiled_distances(clips)

    def _step(self, clips: Tensor, starts: Tensor, dry: bool) -> Tensor:
        variables = self._model.trainable_variables
        batch = self._objective.crop(self._arrays, clips, starts)
        with tf.GradientTape() as tape:
            outputs = self._model(batch, training=True, dry=dry)
            loss = self._objective.crop_loss(outputs, batch)
        gradients = [  # none of the reverb, if it is left out
            tf.zeros_like(variable) if gradient is None else gradient
            for gradient, variable in zip(tape.gradient(loss, variables), variables, strict=True)
        ]
        self._optimizer.apply(gradients, variables)
        return loss

    def _distances(self, clips: Tensor) -> Tensor:
        return self._objective.clip_distances(self._arrays, clips, self._model)
