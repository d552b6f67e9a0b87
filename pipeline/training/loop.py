"""Training: the full teacher, or the reduced model, learns from recordings by spectral loss.

The loop is the same for TensorFlow and, on a GPU, for JAX (``KERAS_BACKEND=jax``). Batches are a
function of the seed and the step alone, and a checkpoint holds every variable, so that a run that
was killed goes on exactly where it was.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.runs import RunConfig, load_run
from pipeline.model.ddx7 import Ddx7, load_model, restore_weights, save_model
from pipeline.model.inputs import prepend_context
from pipeline.training.checkpoints import load_checkpoint, save_checkpoint
from pipeline.training.dataset import TEST, VALID, Arrays, draw_batch
from pipeline.training.learner import Learner
from pipeline.training.losses import DISTANCES, Loss, reconstruction_loss, score
from pipeline.training.run_log import RunLog


def validate(learner: Learner, dataset: Arrays, split: int = VALID) -> dict[str, float]:
    """Returns the mean `distances` of a split's clips, real and rendered recordings apart.

    Returns:
        Of ``real`` and ``rendered`` what there is: ``real``, the MSS, ``real_dry``, the same
        without the room, ``real_loudness_db`` and ``real_dry_loudness_db``.
    """
    figures: dict[str, float] = {}
    for kind, chosen in (("real", dataset["real"]), ("rendered", ~dataset["real"])):
        clips = np.flatnonzero((dataset["split"] == split) & chosen)
        if len(clips):
            means = learner.distances(clips).mean(axis=0)
            figures |= {kind + name: float(x) for name, x in zip(DISTANCES, means, strict=True)}
    return figures


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
    """Trains a model into a run folder, or goes on with what is there.

    Args:
        run_dir: Gets ``config.toml``, ``checkpoint.npz`` while training, the best weights,
            ``metrics.json`` and TensorBoard logs.
        config: What to train, resolved.
        dataset: From `load_dataset`; arrays that `loss` reads beside those are handed to it
            cropped.
        loss: Maps the model's outputs and the batch to a scalar.
        warm_start: Run folder whose network, of the same shape, training starts from, without its
            room and its breath.
        teacher: Run folder whose room and breath training starts from.
        resume: Whether to go on from a checkpoint; without it, training starts anew.

    Returns:
        The figures of ``metrics.json``.

    Raises:
        UserError: The folder belongs to another configuration, or its checkpoint is damaged.
    """
    checkpoint = run_dir / "checkpoint.npz"
    if (run_dir / "config.toml").exists():  # not even a restart replaces another instrument's
        found = load_run(run_dir, instrument=config.instrument)
        if resume and found.hash != config.hash:
            raise UserError(
                f"{run_dir} was trained with another configuration: "
                "choose another --runs, or --restart to replace it"
            )
        finished = (run_dir / "metrics.json").exists() and not checkpoint.exists()
        if resume and finished:
            return json.loads((run_dir / "metrics.json").read_text())
    keras.utils.set_random_seed(config.train.seed)
    model = Ddx7(config)
    if teacher is not None:
        source = load_model(teacher, instrument=config.instrument)
        model.reverb.set_weights(source.reverb.get_weights())
        model.noise.set_weights(source.noise.get_weights())
    if warm_start is not None:
        model.tcn.set_weights(
            load_model(warm_start, instrument=config.instrument).tcn.get_weights()
        )
    names = (
        "audio",
        "features",
        "phase",
        "grains",
        "n_valid_frames",
        *[n for n in dataset if n.startswith("teacher_")],
    )
    arrays = {name: dataset[name] for name in names}
    arrays["features"] = prepend_context(arrays["features"], config.tcn)
    learner = Learner(model, arrays, loss, config.train)

    history: list[dict[str, float]] = []
    if resume and checkpoint.exists():
        history = load_checkpoint(checkpoint, learner)
    elif not resume:
        for name in ("checkpoint.npz", "metrics.json"):
            (run_dir / name).unlink(missing_ok=True)
    config.save(run_dir)
    log = RunLog(run_dir / "logs")
    losses = []
    settings = config.train
    step = int(history[-1]["step"]) if history else 0
    best = min(history, key=score, default=None)
    title = f"{config.instrument} {config.variant}"
    with tqdm(total=settings.steps, initial=step, unit="step", desc=title) as bar:
        patience = settings.patience * settings.validate_every
        while step < settings.steps and (best is None or step - best["step"] < patience):
            ahead = settings.validate_every - step % settings.validate_every
            n_steps = min(ahead, settings.steps - step, learner.steps_at_once)
            batches = [draw_batch(dataset, settings, step + i) for i in range(n_steps)]
            losses.append(learner.steps(*map(np.stack, zip(*batches, strict=True))))
            step += n_steps
            bar.update(n_steps)
            if step % settings.validate_every and step != settings.steps:
                continue
            train_loss = float(np.mean(ops.convert_to_numpy(ops.concatenate(losses))))
            losses = []
            row = {"step": step, "train_loss": train_loss, **validate(learner, dataset)}
            history.append(row)
            if best is None or score(row) < score(best):
                best = row
                save_model(model, run_dir)
            save_checkpoint(checkpoint, learner, history)
            log.write(row, model, dataset)
            bar.set_postfix(loss=f"{train_loss:.2f}", best=f"{score(best):.2f}")
    if best is None:
        raise UserError("nothing to train: give at least one step")
    restore_weights(model, run_dir)
    metrics = {
        "instrument": config.instrument,
        "variant": config.variant,
        "parameters": int(model.tcn.count_params()),
        "seed": settings.seed,
        "steps": step,
        "best_step": best["step"],
        "backend": keras.backend.backend(),
        "mss": {"valid": best, "test": validate(learner, dataset, TEST)},
        "history": history,
    }
    write_json(run_dir / "metrics.json", metrics)
    checkpoint.unlink()
    return metrics
