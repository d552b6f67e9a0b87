"""Loads the data set into memory, and draws the batches of training from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.audio.digital_silence import silent_frames
from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import HOP_SAMPLES, TRAIN
from pipeline.core.errors import UserError
from pipeline.core.files import load_arrays
from pipeline.core.instrument_config import InstrumentConfig, TrainConfig
from pipeline.core.runs import RunConfig, runs_option
from pipeline.model.inputs import scale_features
from pipeline.model.losses import sound_frames
from pipeline.model.noise import grains_like
from pipeline.model.patches import find_patch
from pipeline.model.synth import Tensor, base_phase
from pipeline.training.dataset_arrays import (
    FEATURES,
    LIVE,
    STORED,
    Arrays,
    has_live,
    live_names,
    require_instrument,
)

AT_AUDIO_RATE = ("audio", "phase", "teacher_audio")
LEAD_FRAMES = 1  # levels and noise ramp up from 0 in the first block
Indices = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def load_dataset(path: Path, config: InstrumentConfig) -> Arrays:
    """Loads the clips that `pipeline.data` made, and scales their features.

    Args:
        path: The ``dataset.npz`` of an instrument.
        config: Configuration of the same instrument.

    Returns:
        The file's arrays, with ``audio`` as float32, shape [n_clips, n_samples]; ``features``,
        scaled, shape [n_clips, n_frames, 2]; ``context``, the same of the frames before each clip,
        shape [n_clips, 124, 2]; ``sounding`` without digital silence, from which nothing is learnt;
        and ``loud``, its `sound_frames`, same shape. ``live_...`` are the features as the firmware
        would measure them, if the data set has them.

    Raises:
        UserError: The file is missing or damaged, was made for another instrument, or has no clips
            to train on.
    """
    require_instrument(path, config.instrument)
    command = f"python -m pipeline.data --instrument {config.instrument}"
    if (path.parent.name, path.name) == (config.instrument, "dataset.npz"):
        remedy = f"run {command}{runs_option(path.parent.parent)}"
    else:  # not where pipeline.data writes
        remedy = f"run {command}, or give another data set"
    dataset = load_arrays(path, remedy=remedy, names=STORED, optional=live_names())
    if not (dataset["split"] == TRAIN).any():
        raise UserError(f"{path} has no clips to train on: give pipeline.data more recordings")
    dataset["sounding"] &= ~np.stack([silent_frames(clip) for clip in dataset["audio"]])
    dataset["loud"] = np.stack(list(map(sound_frames, dataset["loudness_db"], dataset["sounding"])))
    dataset["audio"] = from_pcm(dataset["audio"])
    return dataset | scaled(dataset)


def scaled(features: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Returns ``features`` and ``context``, scaled."""
    return {
        "features": scale_features(features["f0_hz"], features["loudness_db"]),
        "context": scale_features(features["context_f0_hz"], features["context_loudness_db"]),
    }


def training_inputs(dataset: Arrays, config: RunConfig) -> Arrays:
    """Returns the `model_inputs` of all clips and, if training mixes them in, from live features.

    Those from live features follow the others: those of clip k are at n_clips + k.
    """
    inputs = model_inputs(dataset, config)
    if not (config.train.live_share and has_live(dataset)):
        return inputs
    live = {name: dataset[LIVE + name] for name in FEATURES}
    more = model_inputs(live | scaled(live), config)
    return {name: np.concatenate([array, more[name]]) for name, array in inputs.items()}


def model_inputs(
    dataset: Mapping[str, npt.NDArray[Any]], config: RunConfig
) -> dict[str, npt.NDArray[Any]]:
    """Returns the inputs with which a model renders whole clips as if it had played their past.

    They begin with `LEAD_FRAMES` frames of the past, which are rendered and then dropped by
    `drop_lead`, because a rendering fades in.

    Args:
        dataset: ``f0_hz``, ``features`` and ``context``, as in `load_dataset`.
        config: The model.

    Returns:
        ``phase``, ``grains``, and ``features`` with the context before the lead.
    """
    f0_hz = dataset["f0_hz"]
    f0_hz = np.concatenate([dataset["context_f0_hz"][:, -LEAD_FRAMES:], f0_hz], axis=1)
    return {
        "features": prepend_past(dataset, config.tcn.receptive_field - 1 + LEAD_FRAMES),
        "phase": base_phase(f0_hz, find_patch(config)),
        "grains": grains_like(f0_hz),
    }


def drop_lead(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drops the lead of `model_inputs` from the outputs of a model."""
    return {
        name: output[:, LEAD_FRAMES * (HOP_SAMPLES if len(output.shape) == 2 else 1) :]
        for name, output in outputs.items()
    }


def prepend_past(dataset: Mapping[str, npt.NDArray[Any]], n_frames: int) -> Floats:
    """Prepends frames of their past to the features of clips.

    Beyond the past that the data set knows, its first frame is held.

    Args:
        dataset: ``features`` and ``context``, as in `load_dataset`.
        n_frames: Number of frames to prepend, at least 1.

    Returns:
        Shape [n_clips, n_frames + n_clip_frames, 2].
    """
    context = dataset["context"]
    held = np.repeat(context[:, :1], max(n_frames - context.shape[1], 0), axis=1)
    return np.concatenate([held, context[:, -n_frames:], dataset["features"]], axis=1)


def draw_batch(dataset: Arrays, config: TrainConfig, step: int) -> tuple[Indices, Indices]:
    """Draws the clips of a step and where their crops start, from the seed and the step alone.

    All recorded sources have the same share of the clips, however many they have, so that a model
    does not learn the player and the room of the largest one. Rendered sources share
    `rendered_share` of the clips, or all if nothing is recorded. Starts of clips are drawn more
    often than other positions; otherwise the frames there would be drawn less often than all
    others.

    If the data set has live features, each clip is played from them with the probability
    `live_share`; its index is then larger by the number of clips (see `training_inputs`).

    Args:
        dataset: From `load_dataset`.
        config: Seed, batch size, length of a crop, and shares of rendered clips and live features.
        step: Number of the step.

    Returns:
        Clip indices and first frames, int32, shape [batch_size].
    """
    random = np.random.default_rng([config.seed, step])
    train = np.flatnonzero(dataset["split"] == TRAIN)
    recorded, rendered = train[dataset["real"][train]], train[~dataset["real"][train]]
    n_rendered = int(config.batch_size * config.rendered_share + random.random())
    if not (len(recorded) and len(rendered)):
        n_rendered = min(len(rendered), 1) * config.batch_size
    clips = np.concatenate(
        [
            _draw_balanced(recorded, dataset["source"], config.batch_size - n_rendered, random),
            _draw_balanced(rendered, dataset["source"], n_rendered, random),
        ]
    )
    last_start = np.maximum(dataset["n_valid_frames"][clips] - config.crop_frames, 0)
    starts = random.integers(-config.crop_frames // 4, last_start + 1)
    if has_live(dataset):
        is_live = random.random(len(clips)) < config.live_share
        clips = np.where(is_live, clips + len(dataset["split"]), clips)
    return clips.astype(np.int32), np.maximum(starts, 0).astype(np.int32)


def _draw_balanced(
    clips: npt.NDArray[np.intp], sources: npt.NDArray[np.str_], n: int, random: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Draws `n` clips, equally many of each source; which sources give one more is drawn, too."""
    if not n:
        return clips[:0]
    names = random.permutation(np.unique(sources[clips]))
    shares = np.array_split(np.arange(n), len(names))  # the first get the rest
    pools = [clips[sources[clips] == name] for name in names]
    return np.concatenate(
        [
            random.choice(pool, len(share), replace=len(share) > len(pool))
            for pool, share in zip(pools, shares, strict=True)
        ]
    )


def crop_clips(
    arrays: Mapping[str, Tensor], clips: Tensor, starts: Tensor, n_frames: int
) -> dict[str, Tensor]:
    """Crops a batch out of the data set's tensors, within the compiled step.

    Args:
        arrays: Tensors with as many clips, then frames or samples; those of `training_inputs` begin
            with additional frames, and may have twice as many clips.
        clips: Clip indices, shape [batch]. What has half as many clips is the same for a clip from
            live features.
        starts: First frame of each crop, shape [batch].
        n_frames: Frames of a crop.

    Returns:
        The same names, shape [batch, n_frames or n_frames * 64, ...]; those of `training_inputs`
        with the additional frames.
    """
    n_clip_frames = arrays["sounding"].shape[1]
    batch = {}
    for name, array in arrays.items():
        width = HOP_SAMPLES if name in AT_AUDIO_RATE else 1
        n_rows = array.shape[1] // width
        # Whole frames are gathered, because a gather of samples takes longer than the network.
        rows = ops.reshape(array, (array.shape[0] * n_rows, width, *array.shape[2:]))
        n_cut = n_frames + n_rows - n_clip_frames
        first = clips % array.shape[0] * n_rows + starts
        index = first[:, None] + ops.arange(n_cut, dtype="int32")
        cut = ops.take(rows, index, axis=0)
        batch[name] = ops.reshape(cut, (-1, n_cut * width, *array.shape[2:]))
    return batch
