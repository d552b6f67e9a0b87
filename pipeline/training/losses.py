"""Training losses and the distances by which the best weights are kept."""

from collections.abc import Callable
from typing import Any

from keras import ops

from pipeline.core.constants import HOP_SAMPLES, LOGIT_RANGE
from pipeline.model.losses import loudness_distance, mss, spectrograms

DISTANCES = ("", "_dry", "_loudness_db", "_dry_loudness_db")  # see `distances`
DISTANCE_WEIGHTS = (0.5, 0.5, 0.1, 0.1)  # in the loss, and in what the best weights are kept by
Loss = Callable[[dict[str, Any], dict[str, Any]], Any]  # outputs, batch -> scalar


def silence_padding(audio, batch):
    """Zeroes what lies behind the end of a padded clip, where there is nothing to compare with."""
    n_samples = audio.shape[-1]
    valid = ops.arange(n_samples)[None] < (batch["valid_frames"] * HOP_SAMPLES)[:, None]
    return audio * ops.cast(valid, audio.dtype)


def distances(outputs: dict[str, Any], batch: dict[str, Any]):
    """Measures renderings against the recordings, with the room and without it.

    Both count. Left to itself, the room becomes a filter that does the synthesizer's work, and a
    device without one plays what is left: soft, and off by octaves.

    Returns:
        By the columns `DISTANCES`, shape [batch, 4]: MSS, and difference in loudness in dB.
    """
    reference = spectrograms(batch["audio"])
    found = [spectrograms(silence_padding(outputs[name], batch)) for name in ("audio", "dry")]
    columns = [distance(reference, s) for distance in (mss, loudness_distance) for s in found]
    return ops.stack(columns, axis=-1)


def reconstruction_loss(outputs: dict[str, Any], batch: dict[str, Any]):
    """The loss of a model that learns from the recording alone, with and without room.

    The MSS, and a tenth of the difference in loudness in dB. Logits outside `LOGIT_RANGE` cost a
    little: there the sigmoid has no gradient to come back by, and the narrower the range, the
    finer int8 resolves it.
    """
    low, high = LOGIT_RANGE
    logits = outputs["logits"]
    excess = ops.mean(ops.relu(low - logits) + ops.relu(logits - high))
    weights = ops.convert_to_tensor(DISTANCE_WEIGHTS)
    return ops.mean(ops.sum(distances(outputs, batch) * weights, axis=-1)) + excess


def score(row: dict[str, float]) -> float:
    """Returns what training is judged by, lower is better: real recordings where there are any.

    Args:
        row: Of a training's history.
    """
    for kind in ("real", "rendered"):
        if kind in row:
            return sum(
                weight * row[kind + name]
                for name, weight in zip(DISTANCES, DISTANCE_WEIGHTS, strict=True)
            )
    return row["train_loss"]
