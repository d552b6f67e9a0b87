"""Distils a tiny network from the levels of a trained model, without audio.

A step takes milliseconds, because nothing is synthesized. The student has the noise and the reverb
of the teacher, which follow the levels.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.core.constants import N_OPERATORS, SPLITS, TEST, TRAIN, VALID
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.instrument_config import DataConfig
from pipeline.core.runs import METRICS, RunConfig
from pipeline.model.ddx7 import Ddx7, load_model, restore_weights
from pipeline.model.gate import loudness_gate
from pipeline.model.metrics import logit_error_db
from pipeline.model.synth import Tensor, fm_levels
from pipeline.model.topology import FRAME, topology
from pipeline.training.checkpoints import beginning
from pipeline.training.dataset_arrays import Arrays
from pipeline.training.distillation import level_distance
from pipeline.training.earlier_training import find_training, replace_results
from pipeline.training.frame_batches import FrameBatches, clip_features, label_features
from pipeline.training.learner import Learner, build_optimizer
from pipeline.training.loop import about_training, copy_sound, training_arrays
from pipeline.training.losses import excess_logits, reconstruction_loss
from pipeline.training.validation import validate

STEPS_AT_ONCE = 25  # compiled into one call, because a step takes as long as calling it


def distil_frames(
    run_dir: Path,
    config: RunConfig,
    pitch: DataConfig,
    dataset: Arrays,
    teacher_dir: Path,
    *,
    resume: bool = True,
    replace: bool = False,
) -> dict[str, Any]:
    """Trains a network on a teacher's levels into a run folder, unless that was done.

    Args:
        run_dir: Receives ``config.toml``, the averaged weights after the last step, and
            ``metrics.json``.
        config: The resolved configuration.
        pitch: The range of pitch of the instrument.
        dataset: From `pipeline.training.dataset.load_dataset`; its audio only measures the result.
        teacher_dir: Run folder of the teacher.
        resume: Whether to keep a finished training; otherwise training starts again.
        replace: Whether training also starts again, instead of raising an error, if the folder
            belongs to another configuration, data set or teacher.

    Returns:
        The figures of ``metrics.json``: those of `pipeline.training.loop.train_model`, and
        ``teacher`` with its variant, the hash of its configuration and, by split, the error of the
        audible levels to it in dB.

    Raises:
        UserError: The folder belongs to another configuration, data set or teacher, its figures
            are damaged, or the teacher plays another patch.
    """
    begun = beginning(dataset, teacher_dir)
    _, finished = find_training(run_dir, config, begun, resume=resume, replace=replace)
    if finished is not None:
        return finished
    keras.utils.set_random_seed(config.train.seed)
    teacher, student = load_model(teacher_dir, instrument=config.instrument), Ddx7(config)
    if teacher.patch != student.patch:
        raise UserError(
            f"{teacher_dir} plays another FM patch than the {config.instrument} does now: train it "
            "again, or give another teacher"
        )
    copy_sound(teacher, student)
    learnt = _select(dataset, dataset["split"] == TRAIN)
    batches = FrameBatches(teacher.tcn, learnt, pitch, config.tcn, config.train)
    loss = _fit(student, batches)
    replace_results(student, run_dir)
    restore_weights(student, run_dir)  # the figures are those of the rounded weights
    metrics = _summarize(teacher, student, dataset, loss) | begun
    write_json(run_dir / METRICS, metrics)
    return metrics


def _select(dataset: Arrays, clips: npt.NDArray[np.bool_]) -> Arrays:
    """Returns a data set with some of its clips."""
    return {name: array[clips] for name, array in dataset.items()}


def _fit(student: Ddx7, batches: FrameBatches) -> float:
    """Trains the network of a student; returns the mean loss."""
    train, network = student.config.train, student.tcn

    def loss(target: Tensor, logits: Tensor) -> Tensor:
        logits = logits[:, -train.crop_frames :]
        gate = loudness_gate(target[..., N_OPERATORS:])
        levels, wanted = (fm_levels(x, gate) for x in (logits, target[..., :N_OPERATORS]))
        return level_distance(levels, wanted) + excess_logits(logits, train.highest_logit)

    optimizer = build_optimizer(network, train)
    network.compile(optimizer=optimizer, loss=loss, steps_per_execution=STEPS_AT_ONCE)
    title = f"{student.config.instrument} {student.config.variant}"
    with tqdm(total=train.steps, unit="step", desc=title) as bar:
        shown_bar = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda step, logs: bar.update(step + 1 - bar.n)
        )
        found = network.fit(batches, shuffle=False, verbose=0, callbacks=[shown_bar])
    _read_unscaled(student, batches)
    return float(found.history["loss"][-1])


def _read_unscaled(student: Ddx7, batches: FrameBatches) -> None:
    """Lets a network that was trained on standardized features read the scaled ones."""
    for layer in topology(student.config.tcn):
        if layer.source == FRAME:
            trained = student.tcn.get_layer(layer.name)
            kernel, bias = trained.get_weights()
            kernel = kernel / batches.deviation[:, None]
            bias = bias - (kernel * batches.mean[:, None]).sum(axis=(0, 1))
            trained.set_weights([kernel, bias])


def _summarize(teacher: Ddx7, student: Ddx7, dataset: Arrays, loss: float) -> dict[str, Any]:
    """Returns the figures of ``metrics.json``; held-out clips measure the student."""
    config, train = student.config, student.config.train
    held_out = _select(dataset, dataset["split"] != TRAIN)
    row = {"step": train.steps, "train_loss": loss}
    mss: dict[str, Any] = {"valid": {}, "test": {}}
    errors: dict[str, float] = {}
    if len(held_out["split"]):
        arrays = training_arrays(held_out, config)
        learner = Learner(student, arrays, reconstruction_loss, train)
        for split in (VALID, TEST):
            clips = _select(held_out, held_out["split"] == split)
            if len(clips["split"]):
                mss[SPLITS[split]] = validate(learner, held_out, split)
                errors[SPLITS[split]] = _level_error_db(teacher, student, clips)
    return about_training(student, dataset) | {
        "start": None,
        "teacher": {
            "variant": teacher.config.variant,
            "config_hash": teacher.config.hash,
            "level_error_db": errors,
        },
        "steps": train.steps,
        "best_step": train.steps,
        "selected_by": "last step",
        "mss": mss | {"valid": row | mss["valid"]},
        "history": [row],
    }


def _level_error_db(teacher: Ddx7, student: Ddx7, clips: Arrays) -> float:
    """Returns the error of the audible levels in the sounding frames of clips, in dB."""
    features = clip_features(clips, live=False)
    wanted, found = (label_features(model.tcn, features) for model in (teacher, student))
    return logit_error_db(wanted[clips["sounding"]], found[clips["sounding"]])
