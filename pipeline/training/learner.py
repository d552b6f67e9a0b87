"""A model in training: its optimizer and its compiled step."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.core.instrument_config import TrainConfig
from pipeline.model.ddx7 import Ddx7
from pipeline.model.synth import Tensor
from pipeline.training.compiled_step import CompiledStep, Indices
from pipeline.training.dataset_arrays import Arrays
from pipeline.training.losses import Loss
from pipeline.training.objective import VALIDATION_BATCH, Objective

UNDECAYED = ("bias", "noise", "decay", "wet")  # variables with such names have no weight decay


class Learner:
    """Trains a model step by step.

    Attributes:
        model: The model.
        optimizer: Its optimizer.
    """

    def __init__(self, model: Ddx7, arrays: Arrays, loss: Loss, config: TrainConfig) -> None:
        """Builds the optimizer and the step of Keras' backend.

        Args:
            model: The model to train.
            arrays: The data set (see `pipeline.training.dataset.crop_clips`).
            loss: Maps the model's outputs and the batch to a scalar.
            config: Hyper-parameters.
        """
        self.model = model
        self.optimizer = build_optimizer(model, config)
        objective = Objective(
            loss=loss,
            highest_logit=config.highest_logit,
            n_frames=config.crop_frames,
            overlap=2 * config.loss_density,
        )
        tensors = {name: ops.convert_to_tensor(array) for name, array in arrays.items()}
        self._step = _compile(model, self.optimizer, tensors, objective)

    @property
    def steps_at_once(self) -> int:
        """Number of steps that one call of `steps` takes best."""
        return self._step.steps_at_once

    @property
    def variables(self) -> list[keras.Variable]:
        """Everything that a step changes, in a fixed order."""
        return [*self.model.variables, *self.optimizer.variables]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Gives the model the averages of its trained weights within a context."""
        variables = self.model.trainable_variables
        trained = [ops.convert_to_numpy(variable).copy() for variable in variables]
        self.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, trained, strict=True):
                variable.assign(value)

    def steps(self, clips: Indices, starts: Indices, *, dry: bool = False) -> Tensor:
        """Takes optimizer steps; see `CompiledStep.steps`."""
        return self._step.steps(clips, starts, dry=dry)

    def distances(self, clips: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Returns the `validation_distances` of whole clips, shape [n_clips, 5]."""
        n_padded = -(-len(clips) // VALIDATION_BATCH) * VALIDATION_BATCH
        batches = np.resize(clips, n_padded).astype(np.int32).reshape(-1, VALIDATION_BATCH)
        rows = [ops.convert_to_numpy(self._step.distances(batch)) for batch in batches]
        return np.concatenate(rows)[: len(clips)]


def build_optimizer(model: keras.Model, config: TrainConfig) -> keras.Optimizer:
    """Builds AdamW with a warm-up, a cosine decay, a limit on the gradient's norm, and averages.

    The average is exponential: the last `average_steps` steps have 63 % of its weight.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(config.steps - config.warmup_steps, 1),
        alpha=config.final_learning_rate / config.learning_rate,
        warmup_target=config.learning_rate,
        warmup_steps=config.warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=config.gradient_clip,
        use_ema=True,
        ema_momentum=1 - 1 / config.average_steps,
    )
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    optimizer.build(model.trainable_variables)
    return optimizer


def _compile(
    model: Ddx7, optimizer: keras.Optimizer, tensors: dict[str, Tensor], objective: Objective
) -> CompiledStep:
    """Returns the step for the backend in use; the other backend need not be installed."""
    if keras.backend.backend() == "jax":
        from pipeline.training.jax_step import JaxStep

        return JaxStep(model, optimizer, tensors, objective)
    from pipeline.training.tensorflow_step import TensorFlowStep

    return TensorFlowStep(model, optimizer, tensors, objective)
