"""Loads the data set into memory, and draws the batches of training from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import HOP_SAMPLES, TRAIN
from pipeline.core.errors import UserError
from pipeline.core.files import load_arrays
from pipeline.core.instrument_config import InstrumentConfig, TcnConfig, TrainConfig
from pipeline.model.inputs import scale_features
from pipeline.model.noise import grains_like
from pipeline.model.patches import find_patch
from pipeline.model.synth import Tensor, base_phase

STORED = (  # arrays of ``dataset.npz``, which `pipeline.training.dataset_building` writes
    *("audio", "f0_hz", "loudness_db", "confidence", "n_valid_frames", "sounding"),
    *("context_f0_hz", "context_loudness_db"),
    *("split", "recording", "source", "joined", "real"),
)
AT_AUDIO_RATE = ("audio", "phase", "teacher_audio")
Arrays = dict[str, npt.NDArray[Any]]
Indices = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def load_dataset(path: Path, config: InstrumentConfig) -> Arrays:
    """Loads the clips that `pipeline.data` made and adds the other inputs of the model.

    Args:
        path: The ``dataset.npz`` of an instrument.
        config: Configuration of the same instrument.

    Returns:
        The file's arrays, with ``audio`` as float32, shape [n_clips, n_samples], and the inputs of
        `pipeline.model.ddx7.Ddx7`: ``features`` without context, shape [n_clips, n_frames, 2],
        ``context``, the same of the frames before each clip, shape [n_clips, 124, 2], ``phase``,
        shape [n_clips, n_samples], and ``grains``, shape [n_clips, n_frames].

    Raises:
        UserError: The file is missing, damaged, or has no clips to train on.
    """
    command = f"python -m pipeline.data --instrument {config.instrument}"
    remedy = f"run {command} --runs {path.parent.parent}"
    dataset = load_arrays(path, remedy=remedy, names=STORED)
    if not (dataset["split"] == TRAIN).any():
        raise UserError(f"{path} has no clips to train on: give pipeline.data more recordings")
    dataset["audio"] = from_pcm(dataset["audio"])
    dataset["features"] = scale_features(dataset["f0_hz"], dataset["loudness_db"])
    dataset["context"] = scale_features(dataset["context_f0_hz"], dataset["context_loudness_db"])
    dataset["phase"] = base_phase(dataset["f0_hz"], find_patch(config))
    dataset["grains"] = grains_like(dataset["f0_hz"])
    return dataset


def prepend_past(dataset: Mapping[str, npt.NDArray[Any]], config: TcnConfig) -> Floats:
    """Prepends to the features of clips as many frames of their past as the network looks back.

    Beyond the past that the data set knows, its first frame is held.

    Args:
        dataset: ``features`` and ``context``, as in `load_dataset`.
        config: The network's shape.

    Returns:
        Shape [n_clips, receptive_field - 1 + n_frames, 2].
    """
    n_frames = config.receptive_field - 1
    context = dataset["context"]
    held = np.repeat(context[:, :1], max(n_frames - context.shape[1], 0), axis=1)
    past = np.concatenate([held, context], axis=1)
    return np.concatenate([past[:, past.shape[1] - n_frames :], dataset["features"]], axis=1)


def draw_batch(dataset: Arrays, config: TrainConfig, step: int) -> tuple[Indices, Indices]:
    """Draws the clips of a step and where their crops start, from the seed and the step alone.

    Starts of clips are drawn more often than other positions; otherwise the frames there would be
    drawn less often than all others.

    Args:
        dataset: From `load_dataset`.
        config: Seed, batch size, length of a crop and share of real recordings.
        step: Number of the step.

    Returns:
        Clip indices and first frames, int32, shape [batch_size].
    """
    random = np.random.default_rng([config.seed, step])
    train = np.flatnonzero(dataset["split"] == TRAIN)
    real, rendered = train[dataset["real"][train]], train[~dataset["real"][train]]
    n_real = round(config.batch_size * config.real_share)
    if not len(real) or not len(rendered):
        n_real = config.batch_size if len(real) else 0
    clips = np.concatenate(
        [
            random.choice(pool, n, replace=n > len(pool))
            for pool, n in ((real, n_real), (rendered, config.batch_size - n_real))
            if n
        ]
    )
    last_start = np.maximum(dataset["n_valid_frames"][clips] - config.crop_frames, 0)
    starts = random.integers(-config.crop_frames // 4, last_start + 1)
    return clips.astype(np.int32), np.maximum(starts, 0).astype(np.int32)


def crop_clips(
    arrays: Mapping[str, Tensor], clips: Tensor, starts: Tensor, n_frames: int, n_context: int
) -> dict[str, Tensor]:
    """Crops a batch out of the data set's tensors, within the compiled step.

    Args:
        arrays: Tensors whose first axis is the clip and whose second, if any, is frames or samples;
            ``features`` begins with `n_context` additional frames.
        clips: Clip indices, shape [batch].
        starts: First frame of each crop, shape [batch].
        n_frames: Frames of a crop.
        n_context: Frames of features before each crop, which fill the network's receptive field.

    Returns:
        The same names, shape [batch, n_frames or n_frames * 64, ...], ``features`` with n_context +
        n_frames frames.
    """
    frames = starts[:, None] + ops.arange(n_frames)
    context_and_frames = starts[:, None] + ops.arange(n_context + n_frames)
    samples = starts[:, None] * HOP_SAMPLES + ops.arange(n_frames * HOP_SAMPLES)
    batch = {}
    for name, array in arrays.items():
        if len(array.shape) > 1:
            rows = ops.take(array, clips, axis=0)
            index = context_and_frames if name == "features" else frames
            if name in AT_AUDIO_RATE:
                index = samples
            index = ops.reshape(index, (*index.shape, *[1] * (len(array.shape) - 2)))
            batch[name] = ops.take_along_axis(rows, index, axis=1)
    return batch
