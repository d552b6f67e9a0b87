"""The training step that a backend of Keras compiles."""

from abc import ABC, abstractmethod

import keras
import numpy as np
import numpy.typing as npt

from pipeline.model.ddx7 import Ddx7
from pipeline.model.synth import Tensor
from pipeline.training.objective import Batch, Objective

Indices = npt.NDArray[np.int32]


class CompiledStep(ABC):
    """Takes optimizer steps and measures clips with functions that are compiled on first use.

    Attributes:
        steps_at_once: Number of steps that one call of `steps` takes best.
    """

    steps_at_once: int

    def __init__(
        self, model: Ddx7, optimizer: keras.Optimizer, arrays: Batch, objective: Objective
    ) -> None:
        """Stores what a step needs.

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

    @abstractmethod
    def steps(self, clips: Indices, starts: Indices, *, dry: bool) -> Tensor:
        """Takes optimizer steps, at most `steps_at_once`, on crops of clips.

        Args:
            clips: Clip indices, shape [n_steps, batch].
            starts: First frames of the crops, shape [n_steps, batch].
            dry: Whether to leave the reverb out and untrained.

        Returns:
            The losses, a tensor of shape [n_steps].
        """

    @abstractmethod
    def distances(self, clips: Indices) -> Tensor:
        """Returns the `validation_distances` of whole clips, shape [n_clips, 5]."""
