"""The training step, compiled by JAX: many steps in one call, so that a GPU never waits."""

from typing import Any

import jax
import keras
import numpy as np
import numpy.typing as npt

from pipeline.model.ddx7 import Ddx7
from pipeline.model.synth import Tensor
from pipeline.training.objective import Batch, Objective

Indices = npt.NDArray[np.int32]
Values = list[Tensor]  # of a group of variables
State = tuple[Values, Values, Values]  # trainable, fixed, and the optimizer's


class JaxStep:
    """Takes optimizer steps and measures clips as JAX functions.

    JAX functions have no side effects, so the values of all variables go in and out.
    """

    steps_at_once = 50

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
        self._compiled_steps = jax.jit(self._steps)
        self._compiled_distances = jax.jit(self._distances)

    def steps(self, clips: Indices, starts: Indices) -> Tensor:
        """Takes steps; see `pipeline.training.learner.Learner.steps`."""
        groups = (
            self._model.trainable_variables,
            self._model.non_trainable_variables,
            self._optimizer.variables,
        )
        new, losses = self._compiled_steps(_values(*groups), self._arrays, clips, starts)
        for group, group_values in zip(groups, new, strict=True):
            for variable, value in zip(group, group_values, strict=True):
                variable.assign(value)
        return losses

    def distances(self, clips: Indices) -> Tensor:
        """Returns the distances of whole clips, shape [n_clips, 4]."""
        groups = (self._model.trainable_variables, self._model.non_trainable_variables)
        return self._compiled_distances(*_values(*groups), self._arrays, clips)

    def _steps(
        self, state: State, arrays: Batch, clips: Tensor, starts: Tensor
    ) -> tuple[State, Tensor]:
        gradient = jax.value_and_grad(self._loss, has_aux=True)

        def step(state: State, batch: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
            trainable, fixed, of_optimizer = state
            (loss, fixed), gradients = gradient(trainable, fixed, arrays, *batch)
            trainable, of_optimizer = self._optimizer.stateless_apply(
                of_optimizer, gradients, trainable
            )
            return (trainable, fixed, of_optimizer), loss

        result: tuple[State, Tensor] = jax.lax.scan(step, state, (clips, starts))
        return result

    def _loss(
        self, trainable: Values, fixed: Values, arrays: Batch, clips: Tensor, starts: Tensor
    ) -> tuple[Tensor, Values]:
        """Returns the loss, and the new values of the variables that it does not train."""
        changed: dict[str, Values] = {}

        def render(batch: Batch) -> Batch:
            outputs: Batch
            outputs, changed["fixed"] = self._model.stateless_call(
                trainable, fixed, batch, training=True
            )
            return outputs

        loss = self._objective.crop_loss(arrays, clips, starts, render)
        return loss, changed["fixed"]

    def _distances(self, trainable: Values, fixed: Values, arrays: Batch, clips: Tensor) -> Tensor:
        def render(batch: Batch) -> Batch:
            outputs: Batch = self._model.stateless_call(trainable, fixed, batch)[0]
            return outputs

        return self._objective.clip_distances(arrays, clips, render)


def _values(*groups: list[Any]) -> tuple[Values, ...]:
    return tuple([variable.value for variable in group] for group in groups)
