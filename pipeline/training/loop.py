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
from pipeline.core.files import write_json
from pipeline.core.instrument_config import TrainConfig
from pipeline.core.paths import shown
from pipeline.core.runs import CHECKPOINT, LOGS, METRICS, RunConfig
from pipeline.model.ddx7 import Ddx7, load_model, restore_weights
from pipeline.model.synth import Tensor
from pipeline.training.checkpoints import (
    Beginning,
    History,
    Row,
    beginning,
    load_checkpoint,
    save_checkpoint,
)
from pipeline.training.dataset import draw_batch, training_inputs
from pipeline.training.dataset_arrays import Arrays, has_live
from pipeline.training.earlier_training import find_training, keep_weights, replace_results
from pipeline.training.learner import Learner
from pipeline.training.losses import Loss, reconstruction_loss, score
from pipeline.training.run_log import RunLog
from pipeline.training.validation import validate


def train_model(
    run_dir: Path,
    config: RunConfig,
    dataset: Arrays,
    *,
    loss: Loss = reconstruction_loss,
    warm_start: Path | None = None,
    teacher: Path | None = None,
    resume: bool = True,
    replace: bool = False,
) -> dict[str, Any]:
    """Trains a model into a run folder, or resumes the training there.

    What an earlier training left there is replaced only once the first weights can be kept.

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
        replace: Whether training also starts again, instead of raising an error, if the folder
            belongs to another configuration, data set, teacher or initial model.

    Returns:
        The figures of ``metrics.json``.

    Raises:
        UserError: The folder belongs to another configuration, data set, teacher or initial
            model, or its figures or its checkpoint are damaged.
    """
    begun = beginning(dataset, warm_start, teacher)
    resume, finished = find_training(run_dir, config, begun, resume=resume, replace=replace)
    if finished is not None:
        return finished
    if config.train.live_share and not has_live(dataset):
        tqdm.write("the data set has no live features: the model learns from the others alone")
    keras.utils.set_random_seed(config.train.seed)
    model = _initial_model(config, warm_start=warm_start, teacher=teacher)
    learner = Learner(model, training_arrays(dataset, config), loss, config.train)
    checkpoint = run_dir / CHECKPOINT
    history = load_checkpoint(checkpoint, learner) if resume and checkpoint.exists() else []
    kept = _run(learner, dataset, config, history, run_dir, begun)
    restore_weights(model, run_dir)
    metrics = _summarize(learner, dataset, history, kept, warm_start)
    write_json(run_dir / METRICS, metrics | begun)
    checkpoint.unlink()
    return metrics | begun


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
    begun: Beginning,
) -> Row:
    """Takes all remaining steps, and keeps averaged weights and a checkpoint in the run folder.

    Args:
        learner: The learner.
        dataset: The data set.
        config: The configuration.
        history: The history so far, to which a row per validation is appended.
        run_dir: The run folder.
        begun: What the training began with.

    Returns:
        The row of the history whose weights are kept.
    """
    settings = config.train
    log = RunLog(run_dir / LOGS)
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
                log.write(history[-1], learner.model, dataset)
                if len(history) == 1:
                    replace_results(learner.model, run_dir)
                elif kept is history[-1]:
                    keep_weights(learner.model, run_dir)
            save_checkpoint(run_dir / CHECKPOINT, learner, history, begun)
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
