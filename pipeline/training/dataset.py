"""The data set in memory, and the batches that training draws from it."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig, TrainConfig
from pipeline.model.ddx7 import grains_like
from pipeline.model.inputs import scale_features
from pipeline.model.patches import PATCHES
from pipeline.model.synth import base_phase

TRAIN, VALID, TEST = 0, 1, 2  # values of the data set's `split`
Arrays = dict[str, np.ndarray]


def load_dataset(path: Path, config: InstrumentConfig) -> Arrays:
    """Loads the clips that `pipeline.data` made and adds what training reads.

    Args:
        path: The ``dataset.npz`` of an instrument.
        config: That instrument's configuration.

    Returns:
        The file's arrays with ``audio`` as float32, shape [n_clips, n_samples], and what
        `ddx7.Ddx7` reads: ``features``, shape [n_clips, n_frames, 2], ``phase``, shape [n_clips,
        n_samples], and ``grains``, shape [n_clips, n_frames].
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing: run python -m pipeline.data --instrument {config.instrument} "
            f"--out {path.parent.parent} first"
        )
    try:
        with np.load(path) as stored:
            dataset = dict(stored)
        dataset["audio"] = dataset["audio"].astype(np.float32) / 32768.0
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is damaged ({error}): delete it and run pipeline.data again"
        ) from None
    if not (dataset["split"] == TRAIN).any():
        raise UserError(f"{path} has no clips to train on: give pipeline.data more recordings")
    dataset["features"] = scale_features(dataset["f0_hz"], dataset["loudness_db"])
    dataset["phase"] = base_phase(dataset["f0_hz"], PATCHES[config.patch])
    dataset["grains"] = grains_like(dataset["f0_hz"])
    return dataset


def draw_batch(dataset: Arrays, config: TrainConfig, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the clips of a step and where their crops start, from the seed and the step alone.

    Starts of clips come more often than other places: there a note begins out of silence.

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


def crop_clips(arrays: dict[str, Any], clips, starts, n_frames: int, n_lead: int) -> dict[str, Any]:
    """Cuts a batch out of the data set's tensors, within the compiled step.

    Args:
        arrays: Tensors whose first axis is the clip and whose second, if there is one, is frames or
            samples; ``features`` has `n_lead` frames more, at its start.
        clips: Clip indices, shape [batch].
        starts: First frame of each crop, shape [batch].
        n_frames: Frames of a crop.
        n_lead: Frames of features before each crop, which the network has heard when it begins.

    Returns:
        The same names, shape [batch, n_frames or n_frames * 64, ...], ``features`` of n_lead +
        n_frames.
    """
    frames = starts[:, None] + ops.arange(n_frames)
    lead_and_frames = starts[:, None] + ops.arange(n_lead + n_frames)
    samples = starts[:, None] * HOP_SAMPLES + ops.arange(n_frames * HOP_SAMPLES)
    batch = {"valid_frames": ops.take(arrays["n_valid_frames"], clips) - starts}
    for name, array in arrays.items():
        if len(array.shape) > 1:
            rows = ops.take(array, clips, axis=0)
            index = lead_and_frames if name == "features" else frames
            if name in ("audio", "phase", "teacher_audio"):
                index = samples
            index = ops.reshape(index, (*index.shape, *[1] * (len(array.shape) - 2)))
            batch[name] = ops.take_along_axis(rows, index, axis=1)
    return batch
