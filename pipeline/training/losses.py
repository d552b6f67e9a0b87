"""The training loss, and the distances that select the best weights."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from pipeline.core.constants import HOP_SAMPLES, LOGIT_RANGE
from pipeline.model.losses import (
    OVERLAP,
    loudness_distance,
    mss,
    sound_distance,
    spectra,
    window_weights,
)
from pipeline.model.synth import Tensor

DISTANCE_WEIGHTS = (0.5, 0.5, 0.1, 0.1)  # of the columns of `distances` in the loss
COLUMNS = ("", "_dry", "_loudness_db", "_dry_loudness_db", "_sound")  # of `validation_distances`
SCORE_LOUDNESS_WEIGHT = 0.2  # per dB of difference in loudness, beside the sound distance
Loss = Callable[[Mapping[str, Any], Mapping[str, Any], int], Any]  # see `reconstruction_loss`


def silence_gaps(audio: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Zeroes samples for which there is no recording: padding, gaps between notes, digital silence.

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
        Shape [batch, 4]: the MSS with reverb and dry, and the difference in loudness in dB with
        reverb and dry.
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


def validation_distances(outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
    """Measures whole clips: the `distances`, and the dry sound distance.

    Args:
        outputs: As in `distances`.
        batch: The same, and ``loud``, shape [batch, n_frames].

    Returns:
        Shape [batch, 5], with the columns `COLUMNS`.
    """
    sound = sound_distance(
        batch["audio"], silence_gaps(outputs["dry"], batch), window_weights(batch["loud"])
    )
    return ops.concatenate([distances(outputs, batch), sound[:, None]], axis=-1)


def reconstruction_loss(
    outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor], overlap: int = OVERLAP
) -> Tensor:
    """Computes the loss of a model that learns from the recording alone.

    Args:
        outputs: Outputs of the model (see `pipeline.model.ddx7.Ddx7.call`).
        batch: From `pipeline.training.dataset.crop_clips`.
        overlap: Windows of the `distances` that cover each sample.

    Returns:
        The weighted sum of the `distances`, a scalar.
    """
    weights = ops.convert_to_tensor(DISTANCE_WEIGHTS)
    return ops.mean(ops.sum(distances(outputs, batch, overlap) * weights, axis=-1))


def excess_logits(logits: Tensor, highest: float) -> Tensor:
    """Computes a penalty for logits whose sigmoid is flat, and so hardly changes any more.

    A modulator that reaches its largest level early in training would stay there, and the sound too
    bright. Besides, int8 resolves a narrow range of logits more finely.

    Args:
        logits: Shape [batch, n_frames, 6].
        highest: The highest logit without a penalty; the lowest is that of `LOGIT_RANGE`.

    Returns:
        Mean distance from the range, a scalar.
    """
    return ops.mean(ops.relu(LOGIT_RANGE[0] - logits) + ops.relu(logits - highest))


def score(row: Mapping[str, Any]) -> float | None:
    """Returns the figure that selects the kept weights; lower is better.

    It is the dry sound distance, the mean over sources, plus a penalty for a wrong loudness,
    because the sound distance alone favours soft renderings. The MSS of the recordings that
    training knows would select the weights that render their rooms best. A source that is held out
    has no part in it: it is the test, and would be known if it selected the weights.

    Args:
        row: A row of the training history.

    Returns:
        The figure for real recordings if there are any, else for rendered ones; None if nothing was
        left for validation.
    """
    for kind in ("real", "rendered"):
        if f"{kind}_sound" in row:
            penalty = SCORE_LOUDNESS_WEIGHT * row[f"{kind}_dry_loudness_db"]
            return float(row[f"{kind}_sound"] + penalty)
    return None
