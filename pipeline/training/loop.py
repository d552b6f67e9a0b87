"""The training loop, which can be interrupted and resumed.

Batches depend on the seed and the step alone, and a checkpoint holds every variable, so a killed
training run resumes exactly where it stopped. The loop is the same for TensorFlow and, on a GPU,
for JAX (``KERAS_BACKEND=jax``).
"""

from operator import itemgetter
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from pipeline.core.constants import TEST
from pipeline.core.errors import UserError
from pipeline.core.files import read_json, write_json
from pipeline.core.instrument_config import TrainConfig
from pipeline.core.paths import shown
from pipeline.core.runs import WEIGHTS, RunConfig, load_run
from pipeline.model.ddx7 import Ddx7, load_model, restore_weights, save_model
from pipeline.model.synth import Tensor
from pipeline.training.checkpoints import (
    History,
    Row,
    load_checkpoint,
    require_same_dataset,
    save_checkpoint,
)
from pipeline.training.dataset import draw_batch, training_inputs
from pipeline.training.dataset_arrays import Arrays, fingerprint, has_live
from pipeline.training.learner import Learner
from pipeline.training.losses import Loss, reconstruction_loss, score
from pipeline.training.run_log import RunLog
from pipeline.training.validation import validate

CHECKPOINT, METRICS = "checkpoint.npz", "metrics.json"
PRINTED = ("parameters", "best_step", "steps")  # figures that every ``metrics.json`` has


def train_model(
    run_dir: Path,
    config: RunConfig,
    dataset: Arrays,
    *,
    loss: Loss = reconstruction_loss,
    warm_start: Path | None = None,
    teacher: Path | None = None,
    resume: bool = True,
) -> dict[str, Any]:
    """Trains a model into a run folder, or resumes the training there.

    Args:
        run_dir: Receives ``config.toml``, ``checkpoint.npz`` while training, the averaged weights
            of the best validation (of the last step, if the data set leaves nothing to validate
            with), ``metrics.json`` and TensorBoard logs.
        config: The resolved configuration.
        dataset: From `pipeline.training.dataset.load_dataset`, with the arrays ``teacher_...`` that
            `loss` needs.
        loss: Maps the model's outputs and the batch to a scalar.
        warm_start: Run folder of any instrument whose network, noise and reverb are the initial
            ones; the network has the same shape.
        teacher: Run folder whose noise and reverb are the initial ones instead.
        resume: Whether to resume from a checkpoint; otherwise training starts again.

    Returns:
        The figures of ``metrics.json``.

    Raises:
        UserError: The folder belongs to another configuration or data set, or its figures or its
            checkpoint are damaged.
    """
    trained_with = fingerprint(dataset)
    finished = finished_metrics(run_dir, config, trained_with, resume=resume)
    if finished is not None:
        return finished
    if config.train.live_share and not has_live(dataset):
        tqdm.write("the data set has no live features: the model learns from the others alone")
    keras.utils.set_random_seed(config.train.seed)
    model = _initial_model(config, warm_start=warm_start, teacher=teacher)
    learner = Learner(model, training_arrays(dataset, config), loss, config.train)
    history: History = []
    if resume and (run_dir / CHECKPOINT).exists():
        history = load_checkpoint(run_dir / CHECKPOINT, learner, trained_with)
    elif not resume:
        remove_results(run_dir)
    config.save(run_dir)
    kept = _run(learner, dataset, config, history, run_dir, trained_with)
    restore_weights(model, run_dir)
    metrics = _summarize(learner, dataset, history, kept, warm_start)
    metrics["dataset"] = trained_with
    write_json(run_dir / METRICS, metrics)
    (run_dir / CHECKPOINT).unlink()
    return metrics


def _summarize(
    learner: Learner, dataset: Arrays, history: History, kept: Row, warm_start: Path | None
) -> dict[str, Any]:
    """Returns the figures of ``metrics.json``, and tests the kept weights, which the model has."""
    return about_training(learner.model, dataset) | {
        "start": None if warm_start is None else str(shown(warm_start)),
        "steps": history[-1]["step"],
        "best_step": kept["step"],
        "selected_by": "validation" if score(kept) is not None else "last step",
        "mss": {"valid": kept, "test": validate(learner, dataset, TEST)},
        "history": [{k: v for k, v in row.items() if k != "sources"} for row in history],
    }


def about_training(model: Ddx7, dataset: Arrays) -> dict[str, Any]:
    """Returns the entries of ``metrics.json`` about what was trained, and with what."""
    config = model.config
    return {
        "instrument": config.instrument,
        "variant": config.variant,
        "parameters": int(model.tcn.count_params()),
        "seed": config.train.seed,
        "live_share": config.train.live_share if has_live(dataset) else 0.0,
        "backend": keras.backend.backend(),
    }


def remove_results(run_dir: Path) -> None:
    """Removes what an earlier training left, so that no old decoder plays with a new patch."""
    for pattern in (CHECKPOINT, METRICS, WEIGHTS, "quantization.json", "decoder_*"):
        for path in run_dir.glob(pattern):
            path.unlink()


def finished_metrics(
    run_dir: Path, config: RunConfig, dataset: str, *, resume: bool
) -> dict[str, Any] | None:
    """Returns the metrics of a finished training run unless it is restarted, else None.

    Args:
        run_dir: The run folder.
        config: The configuration that it must have been trained with.
        dataset: `fingerprint` of the data set that it must have been trained with.
        resume: Whether to keep a finished training.

    Raises:
        UserError: The folder belongs to another instrument, which even a restart does not replace,
            or to another configuration or data set, or its figures are damaged.
    """
    if not (run_dir / "config.toml").exists():
        return None
    found = load_run(run_dir, instrument=config.instrument)
    if not resume:
        return None
    if found.hash != config.hash:
        raise UserError(
            f"{run_dir} was trained with another configuration: "
            "choose another --runs, or give --restart to replace it"
        )
    path = run_dir / METRICS
    if not path.exists() or (run_dir / CHECKPOINT).exists():
        return None
    remedy = "restore it, or give --restart to train again"
    metrics = read_json(path, remedy=remedy)
    if not (isinstance(metrics.get("mss"), dict) and set(PRINTED) <= metrics.keys()):
        raise UserError(f"{path} lacks figures of a finished training: {remedy}")
    require_same_dataset(run_dir, metrics.get("dataset"), dataset)
    return metrics


def _initial_model(config: RunConfig, *, warm_start: Path | None, teacher: Path | None) -> Ddx7:
    """Builds the model that training starts from; see `train_model`."""
    model = Ddx7(config)
    if warm_start is not None:
        source = load_model(warm_start)
        try:
            model.tcn.set_weights(source.tcn.get_weights())
        except ValueError:
            raise UserError(
                f"{warm_start} has a network of another shape: give a run folder of this variant"
            ) from None
        copy_sound(source, model)
    if teacher is not None:
        copy_sound(load_model(teacher, instrument=config.instrument), model)
    return model


def copy_sound(source: Ddx7, model: Ddx7) -> None:
    """Gives a model the noise and the reverb of another."""
    model.noise.set_weights(source.noise.get_weights())
    model.reverb.set_weights(source.reverb.get_weights())


def training_arrays(dataset: Arrays, config: RunConfig) -> Arrays:
    """Returns the arrays that a step needs: the model's inputs and what its outputs should be."""
    targets = [name for name in dataset if name.startswith("teacher_")]
    arrays = {name: dataset[name] for name in ("audio", "sounding", "loud", *targets)}
    return arrays | training_inputs(dataset, config)


def _run(
    learner: Learner,
    dataset: Arrays,
    config: RunConfig,
    history: History,
    run_dir: Path,
    trained_with: str,
) -> Row:
    """Takes all remaining steps, and keeps averaged weights and a checkpoint in the run folder.

    Args:
        learner: The learner.
        dataset: The data set.
        config: The configuration.
        history: The history so far, to which a row per validation is appended.
        run_dir: The run folder.
        trained_with: `fingerprint` of the data set.

    Returns:
        The row of the history whose weights are kept.
    """
    settings = config.train
    log = RunLog(run_dir / "logs")
    losses: list[Tensor] = []
    step = int(history[-1]["step"]) if history else 0
    kept = _kept_row(history, settings.dry_steps)
    title = f"{config.instrument} {config.variant}"
    with tqdm(total=settings.steps, initial=step, unit="step", desc=title) as bar:
        while not _is_over(step, kept, settings):
            dry = step < settings.dry_steps
            n_steps = min(_steps_ahead(step, settings), learner.steps_at_once)
            batches = [draw_batch(dataset, settings, step + i) for i in range(n_steps)]
            losses.append(learner.steps(*map(np.stack, zip(*batches, strict=True)), dry=dry))
            step += n_steps
            bar.update(n_steps)
            if step % settings.validate_every and step != settings.steps:
                continue
            train_loss = float(np.mean(ops.convert_to_numpy(ops.concatenate(losses))))
            losses = []
            with learner.averaged():
                history.append({"step": step, "train_loss": train_loss})
                history[-1] |= validate(learner, dataset)
                kept = _kept_row(history, settings.dry_steps)
                if kept is history[-1]:
                    save_model(learner.model, run_dir)
                log.write(history[-1], learner.model, dataset)
            save_checkpoint(run_dir / CHECKPOINT, learner, history, trained_with)
            bar.set_postfix(loss=f"{train_loss:.2f}")
    if kept is None:
        raise UserError("nothing to train: give at least one step")
    return kept


def _steps_ahead(step: int, settings: TrainConfig) -> int:
    """Returns the number of steps until the next validation, the reverb, or the end."""
    ahead = [settings.validate_every - step % settings.validate_every, settings.steps - step]
    if step < settings.dry_steps:
        ahead.append(settings.dry_steps - step)
    return min(ahead)


def _kept_row(history: History, dry_steps: int = 0) -> Row | None:
    """Returns the row whose weights are kept: the best, or the last if nothing was validated.

    Once the reverb is trained, rows without it are no longer kept.
    """
    candidates = [row for row in history if row["step"] > dry_steps] or history
    validated = [(value, row) for row in candidates if (value := score(row)) is not None]
    if not validated:
        return history[-1] if history else None
    return min(validated, key=itemgetter(0))[1]


def _is_over(step: int, kept: Row | None, settings: TrainConfig) -> bool:
    """Whether all steps are done, or the last improvement is too long ago."""
    patience = settings.patience * settings.validate_every
    return step >= settings.steps or (kept is not None and step - kept["step"] >= patience)
