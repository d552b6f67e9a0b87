"""What a training step computes from a batch, independent of Keras' backend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.model.synth import Tensor
from pipeline.training.dataset import crop_clips, drop_lead
from pipeline.training.losses import Loss, excess_logits, validation_distances

Batch = Mapping[str, Tensor]
Render = Callable[[Batch], Batch]  # the model's outputs for a batch
VALIDATION_BATCH = 8  # clips


@dataclass(frozen=True)
class Objective:
    """The loss of crops, and the distances of whole clips.

    Attributes:
        loss: Maps the model's outputs and the batch to a scalar.
        highest_logit: See `excess_logits`, which is added to the loss.
        n_frames: Frames of a crop.
        overlap: Windows of the loss that cover each sample (see `pipeline.model.losses.spectra`).
    """

    loss: Loss
    highest_logit: float
    n_frames: int
    overlap: int

    def crop(self, arrays: Batch, clips: Tensor, starts: Tensor) -> Batch:
        """Returns the batch of crops; see `crop_clips`."""
        return crop_clips(arrays, clips, starts, self.n_frames)

    def crop_loss(self, outputs: Batch, batch: Batch) -> Tensor:
        """Returns the loss of a batch from the model's outputs, a scalar."""
        outputs = drop_lead(outputs)
        excess = excess_logits(outputs["logits"], self.highest_logit)
        return self.loss(outputs, batch, self.overlap) + excess

    def clip_distances(self, arrays: Batch, clips: Tensor, render: Render) -> Tensor:
        """Returns the `validation_distances` of whole clips, shape [batch, 5]."""
        batch = crop_clips(arrays, clips, 0 * clips, arrays["sounding"].shape[1])
        return validation_distances(drop_lead(render(batch)), batch)
