"""What a training step computes from a batch, independent of Keras' backend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.core.constants import HOP_SAMPLES
from pipeline.model.synth import Tensor
from pipeline.training.dataset import crop_clips
from pipeline.training.losses import Loss, distances

Batch = Mapping[str, Tensor]
Render = Callable[[Batch], Batch]  # the model's outputs for a batch
VALIDATION_BATCH = 8  # clips


@dataclass(frozen=True)
class Objective:
    """The loss of crops, and the distances of whole clips.

    Attributes:
        loss: Maps the model's outputs and the batch to a scalar.
        n_frames: Frames of a crop.
        n_context: Frames of features before a crop (see `crop_clips`).
    """

    loss: Loss
    n_frames: int
    n_context: int

    def crop_loss(self, arrays: Batch, clips: Tensor, starts: Tensor, render: Render) -> Tensor:
        """Returns the loss of crops, a scalar; see `crop_clips` for the arguments."""
        batch = crop_clips(arrays, clips, starts, self.n_frames, self.n_context)
        return self.loss(render(batch), batch)

    def clip_distances(self, arrays: Batch, clips: Tensor, render: Render) -> Tensor:
        """Returns the `distances` of whole clips, shape [batch, 4]."""
        n_frames = arrays["phase"].shape[1] // HOP_SAMPLES
        batch = crop_clips(arrays, clips, 0 * clips, n_frames, self.n_context)
        return distances(render(batch), batch)
