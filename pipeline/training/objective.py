"""What a training step computes from a batch, independent of Keras' backend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.model.synth import Tensor
from pipeline.training.dataset import OF_FRAMES, crop_clips, drop_lead
from pipeline.training.frame_loss import frame_loss
from pipeline.training.losses import Loss, excess_logits, validation_distances

Batch = Mapping[str, Tensor]
Render = Callable[[Batch], Batch]  # the model's outputs for a batch
Stage = Literal["frames", "dry", "whole"]  # of training: without audio, without reverb, with both
VALIDATION_BATCH = 8  # clips


def options(stage: Stage) -> dict[str, bool]:
    """Returns the options with which the model is called in a stage."""
    return {"dry": stage != "whole", "audio": stage != "frames"}


@dataclass(frozen=True)
class Objective:
    """The loss of crops, and the distances of whole clips.

    Attributes:
        loss: Maps the model's outputs and the batch to a scalar.
        frame_weight: Weight of the `frame_loss` beside the loss, after the first stage, which has
            the `frame_loss` alone.
        highest_logit: See `excess_logits`, which is added to the loss.
        n_frames: Frames of a crop.
        overlap: Windows of the loss that cover each sample (see `pipeline.model.losses.spectra`).
    """

    loss: Loss
    frame_weight: float
    highest_logit: float
    n_frames: int
    overlap: int

    def crop(self, arrays: Batch, clips: Tensor, starts: Tensor, stage: Stage) -> Batch:
        """Returns the batch of crops; see `crop_clips`."""
        if stage != "frames" and not self.frame_weight:
            arrays = _without_frames(arrays)
        return crop_clips(arrays, clips, starts, self.n_frames)

    def crop_loss(self, outputs: Batch, batch: Batch, stage: Stage) -> Tensor:
        """Returns the loss of a batch from the model's outputs, a scalar."""
        outputs = drop_lead(outputs)
        loss = excess_logits(outputs["logits"], self.highest_logit)
        if stage == "frames":
            return loss + frame_loss(outputs, batch)
        if self.frame_weight:
            loss = loss + self.frame_weight * frame_loss(outputs, batch)
        return loss + self.loss(outputs, batch, self.overlap)

    def clip_distances(self, arrays: Batch, clips: Tensor, render: Render) -> Tensor:
        """Returns the `validation_distances` of whole clips, shape [batch, 5]."""
        n_frames = arrays["sounding"].shape[1]
        batch = crop_clips(_without_frames(arrays), clips, 0 * clips, n_frames)
        return validation_distances(drop_lead(render(batch)), batch)


def _without_frames(arrays: Batch) -> Batch:
    return {name: array for name, array in arrays.items() if not name.startswith(OF_FRAMES)}
