"""The training loss, and the distances that select the best weights."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from pipeline.core.constants import HOP_SAMPLES, LOGIT_RANGE
from pipeline.model.losses import OVERLAP, loudness_distance, mss, spectra, window_weights
from pipeline.model.synth import Tensor

DISTANCES = ("", "_dry", "_loudness_db", "_dry_loudness_db")  # see `distances`
DISTANCE_WEIGHTS = (0.5, 0.5, 0.1, 0.1)  # in the loss and in the selection of the best weights
Loss = Callable[[Mapping[str, Any], Mapping[str, Any], int], Any]  # see `reconstruction_loss`


def silence_gaps(audio: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Zeroes samples for which there is no recording: in padding and between joined notes.

    Args:
        audio: Shape [batch, n_samples].
        batch: ``sounding``, shape [batch, n_frames].

    Returns:
        The same shape as `audio`.
    """
    sounding = ops.repeat(ops.cast(batch["sounding"], audio.dtype), HOP_SAMPLES, axis=-1)
    return audio * sounding


def distances(
    outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor], overlap: int = OVERLAP
) -> Tensor:
    """Measures renderings against the recordings, with reverb and dry.

    Both count. Otherwise the reverb would be trained to do part of the synthesizer's work, and the
    dry sound of a device without reverb would be too soft and octaves off.

    Args:
        outputs: ``dry`` of the model and, unless the reverb is left out, ``audio``, shape [batch,
            n_samples]. Without reverb, both are measured on ``dry``.
        batch: ``audio`` of the recordings, same shape, and ``sounding``, shape [batch,
            n_frames].
        overlap: Windows that cover each sample.

    Returns:
        Shape [batch, 4], with the columns `DISTANCES`: the MSS with reverb and dry, and the
        difference in loudness in dB with reverb and dry.
    """
    weights = window_weights(batch["sounding"], overlap)
    reference = spectra(batch["audio"], overlap)
    found = {
        name: spectra(silence_gaps(outputs[name], batch), overlap)
        for name in ("audio", "dry")
        if name in outputs
    }
    columns = [
        distance(reference, estimate, weights)
        for distance in (mss, loudness_distance)
        for estimate in (found.get("audio", found["dry"]), found["dry"])
    ]
    return ops.stack(columns, axis=-1)


def reconstruction_loss(
    outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor], overlap: int = OVERLAP
) -> Tensor:
    """Computes the loss of a model that learns from the recording alone.

    It is the weighted sum of the `distances`, plus a small penalty for logits outside
    `LOGIT_RANGE`. There the sigmoid has no gradient that would bring them back, and int8 resolves a
    narrow range more finely.

    Args:
        outputs: Outputs of the model (see `pipeline.model.ddx7.Ddx7.call`).
        batch: From `pipeline.training.dataset.crop_clips`.
        overlap: Windows of the `distances` that cover each sample.

    Returns:
        A scalar.
    """
    low, high = LOGIT_RANGE
    logits = outputs["logits"]
    excess = ops.mean(ops.relu(low - logits) + ops.relu(logits - high))
    weights = ops.convert_to_tensor(DISTANCE_WEIGHTS)
    return ops.mean(ops.sum(distances(outputs, batch, overlap) * weights, axis=-1)) + excess


def score(row: Mapping[str, float]) -> float | None:
    """Returns the figure that selects the kept weights; lower is better.

    It is computed on real recordings if there are any, else on rendered ones; None if nothing was
    left for validation.

    Args:
        row: A row of the training history.
    """
    for kind in ("real", "rendered"):
        if kind in row:
            return sum(
                weight * row[kind + name]
                for name, weight in zip(DISTANCES, DISTANCE_WEIGHTS, strict=True)
            )
    return None
