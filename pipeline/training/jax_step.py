"""The training step, compiled by JAX: many steps in one call, so that a GPU never waits."""

from functools import cached_property, partial
from typing import Any

import jax

from pipeline.model.synth import Tensor
from pipeline.training.compiled_step import CompiledStep, Indices
from pipeline.training.objective import Batch

Values = list[Tensor]  # values of a group of variables
State = tuple[Values, Values, Values]  # trainable, fixed, and the optimizer's


class JaxStep(CompiledStep):
    """Takes optimizer steps and measures clips with JAX functions.

    JAX functions have no side effects, so they receive and return the values of all variables.
    """

    steps_at_once = 50

    @cached_property
    def _compiled_steps(self) -> Any:
        return jax.jit(self._steps, static_argnames="dry")

    @cached_property
    def _compiled_distances(self) -> Any:
        return jax.jit(self._distances)

    def steps(self, clips: Indices, starts: Indices, *, dry: bool) -> Tensor:
        """Takes steps; see `CompiledStep.steps`."""
        groups = (
            self._model.trainable_variables,
            self._model.non_trainable_variables,
            self._optimizer.variables,
        )
        values = _values(*groups)
        new, losses = self._compiled_steps(values, self._arrays, clips, starts, dry=dry)
        for group, group_values in zip(groups, new, strict=True):
            for variable, value in zip(group, group_values, strict=True):
                variable.assign(value)
        return losses

    def distances(self, clips: Indices) -> Tensor:
        """Returns the distances of whole clips; see `CompiledStep.distances`."""
        groups = (self._model.trainable_variables, self._model.non_trainable_variables)
        return self._compiled_distances(*_values(*groups), self._arrays, clips)

    def _steps(
        self, state: State, arrays: Batch, clips: Tensor, starts: Tensor, dry: bool
    ) -> tuple[State, Tensor]:
        gradient = jax.value_and_grad(partial(self._loss, dry=dry), has_aux=True)

        def step(state: State, batch: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
            trainable, fixed, slots = state
            (loss, fixed), gradients = gradient(trainable, fixed, arrays, *batch)
            trainable, slots = self._optimizer.stateless_apply(slots, gradients, trainable)
            return (trainable, fixed, slots), loss

        result: tuple[State, Tensor] = jax.lax.scan(step, state, (clips, starts))
        return result

    def _loss(
        self,
        trainable: Values,
        fixed: Values,
        arrays: Batch,
        clips: Tensor,
        starts: Tensor,
        *,
        dry: bool,
    ) -> tuple[Tensor, Values]:
        """Returns the loss, and the new values of the variables that it does not train."""
        batch = self._objective.crop(arrays, clips, starts)
        outputs, changed = self._model.stateless_call(
            trainable, fixed, batch, training=True, dry=dry
        )
        return self._objective.crop_loss(outputs, batch), changed

    def _distances(self, trainable: Values, fixed: Values, arrays: Batch, clips: Tensor) -> Tensor:
        def render(batch: Batch) -> Batch:
            outputs: Batch = self._model.stateless_call(trainable, fixed, batch)[0]
            return outputs

        return self._objective.clip_distances(arrays, clips, render)


def _values(*groups: list[Any]) -> tuple[Values, ...]:
    return tuple([variable.value for variable in group] for group in groups)
