"""Training: the full teacher, or the reduced model, learns from recordings by spectral loss.

The loop is the same for TensorFlow and, on a GPU, for JAX (``KERAS_BACKEND=jax``). Batches are a
function of the seed and the step alone, and a checkpoint holds every variable, so that a run that
was killed goes on exactly where it was.
"""

import argparse
import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from pipeline.config import (
    HOP_SAMPLES,
    LOGIT_RANGE,
    RUN_DIR,
    SAMPLE_RATE,
    InstrumentConfig,
    RunConfig,
    TrainConfig,
    UserError,
    atomic_write,
    load_instrument,
    load_run,
    run_main,
    write_json,
)
from pipeline.ddx7 import Ddx7, grains_like, load_model, save_model
from pipeline.losses import loudness_distance, mss, spectrograms
from pipeline.patches import PATCHES
from pipeline.synth import base_phase
from pipeline.tcn import lead_in, scale_features

TRAIN, VALID, TEST = 0, 1, 2  # values of the data set's `split`
VALIDATION_BATCH = 8  # clips
DISTANCES = ("", "_dry", "_loudness_db", "_dry_loudness_db")  # see `distances`
DISTANCE_WEIGHTS = (0.5, 0.5, 0.1, 0.1)  # in the loss, and in what the best weights are kept by
COMPILED_STEPS = 50  # that JAX takes in one call: one by one, a GPU waits for Python

Arrays = dict[str, np.ndarray]
Loss = Callable[[dict[str, Any], dict[str, Any]], Any]  # outputs, batch -> scalar


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


class Learner:
    """A model, its optimizer and the compiled step: the only place that knows Keras' backends."""

    def __init__(self, model: Ddx7, arrays: Arrays, loss: Loss, config: TrainConfig):
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(config.steps - config.warmup_steps, 1),
            alpha=config.final_learning_rate / config.learning_rate,
            warmup_target=config.learning_rate,
            warmup_steps=config.warmup_steps,
        )
        self.optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=config.weight_decay, global_clipnorm=config.gradient_clip
        )
        self.optimizer.exclude_from_weight_decay(
            var_names=["bias", "noise", "decay", "wet", "breath"]
        )
        self.optimizer.build(model.trainable_variables)
        self.model = model
        self.arrays = {name: ops.convert_to_tensor(array) for name, array in arrays.items()}
        self.loss = loss
        self.n_lead = model.config.tcn.receptive_field - 1
        self.n_frames = config.crop_frames
        on_jax = keras.backend.backend() == "jax"
        self.steps_at_once = COMPILED_STEPS if on_jax else 1
        compiled = self._jax_functions() if on_jax else self._tensorflow_functions()
        self._steps, self._distances = compiled

    @property
    def variables(self) -> list:
        """Everything that a step changes, in a fixed order."""
        return self.model.variables + self.optimizer.variables

    def steps(self, clips: np.ndarray, starts: np.ndarray):
        """Takes optimizer steps, at most `steps_at_once`, on crops of clips.

        Args:
            clips: Clip indices, shape [n_steps, batch].
            starts: First frames, likewise.

        Returns:
            The losses, a tensor of shape [n_steps].
        """
        return self._steps(clips, starts)

    def distances(self, clips: np.ndarray) -> np.ndarray:
        """Returns the `distances` of whole clips, shape [n_clips, 4]."""
        padded = np.resize(clips, -len(clips) // VALIDATION_BATCH * -VALIDATION_BATCH).astype(
            np.int32
        )
        batches = padded.reshape(-1, VALIDATION_BATCH)
        return np.concatenate([ops.convert_to_numpy(self._distances(b)) for b in batches])[
            : len(clips)
        ]

    def _batch_loss(self, arrays, clips, starts, call):
        batch = crop_clips(arrays, clips, starts, self.n_frames, self.n_lead)
        return self.loss(call(batch), batch)

    def _batch_distances(self, arrays, clips, call):
        n_frames = arrays["phase"].shape[1] // HOP_SAMPLES
        batch = crop_clips(arrays, clips, 0 * clips, n_frames, self.n_lead)
        return distances(call(batch), batch)

    def _tensorflow_functions(self):
        import tensorflow as tf

        @tf.function
        def step(clips, starts):
            with tf.GradientTape() as tape:
                loss = self._batch_loss(
                    self.arrays, clips, starts, lambda b: self.model(b, training=True)
                )
            gradients = tape.gradient(loss, self.model.trainable_variables)
            self.optimizer.apply(gradients, self.model.trainable_variables)
            return loss

        def steps(clips, starts):
            return tf.stack([step(*batch) for batch in zip(clips, starts, strict=True)])

        def distances(clips):
            return self._batch_distances(self.arrays, clips, self.model)

        return steps, tf.function(distances)

    def _jax_functions(self):
        import jax

        model, optimizer = self.model, self.optimizer

        def batch_loss(trainable, fixed, arrays, clips, starts):
            changed = {}

            def call(batch):
                outputs, changed["fixed"] = model.stateless_call(
                    trainable, fixed, batch, training=True
                )
                return outputs

            return self._batch_loss(arrays, clips, starts, call), changed["fixed"]

        @jax.jit
        def update(groups, arrays, clips, starts):
            def step(groups, batch):
                trainable, fixed, state = groups
                gradient = jax.value_and_grad(batch_loss, has_aux=True)
                (loss, fixed), gradients = gradient(trainable, fixed, arrays, *batch)
                trainable, state = optimizer.stateless_apply(state, gradients, trainable)
                return (trainable, fixed, state), loss

            return jax.lax.scan(step, groups, (clips, starts))

        @jax.jit
        def measure(trainable, fixed, arrays, clips):
            return self._batch_distances(
                arrays, clips, lambda batch: model.stateless_call(trainable, fixed, batch)[0]
            )

        def values(*groups):
            return tuple([variable.value for variable in group] for group in groups)

        def steps(clips, starts):
            groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
            new, losses = update(values(*groups), self.arrays, clips, starts)
            for group, group_values in zip(groups, new, strict=True):
                for variable, value in zip(group, group_values, strict=True):
                    variable.assign(value)
            return losses

        def distances(clips):
            groups = (model.trainable_variables, model.non_trainable_variables)
            return measure(*values(*groups), self.arrays, clips)

        return steps, distances


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
        model.breath.set_weights(source.breath.get_weights())
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
    arrays["features"] = lead_in(arrays["features"], config.tcn)
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
    model.load_weights(run_dir / "model.weights.h5")
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


def save_checkpoint(path: Path, learner: Learner, history: list[dict[str, float]]) -> None:
    """Writes everything that the next step depends on."""
    arrays = {f"variable{i}": ops.convert_to_numpy(v) for i, v in enumerate(learner.variables)}
    with atomic_write(path) as temporary:
        np.savez(temporary, history=np.array(json.dumps(history)), **arrays)


def load_checkpoint(path: Path, learner: Learner) -> list[dict[str, float]]:
    """Restores a learner's variables; returns the history, which ends where training goes on."""
    try:
        with np.load(path) as stored:
            for i, variable in enumerate(learner.variables):
                variable.assign(stored[f"variable{i}"])
            return json.loads(str(stored["history"]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}): delete it to train from the start") from None


class RunLog:
    """TensorBoard: losses, and for a validation clip its audio and levels."""

    def __init__(self, folder: Path):
        try:
            import tensorflow as tf
        except (
            ImportError
        ):  # JAX on a machine without TensorFlow: metrics.json still has the history
            self.summary = None
        else:
            self.summary = tf.summary
            self.writer = tf.summary.create_file_writer(str(folder))

    def write(self, row: dict[str, float], model: Ddx7, dataset: Arrays) -> None:
        """Writes one row of the history."""
        if self.summary is None:
            return
        held_out = np.flatnonzero(dataset["split"] != TRAIN)
        clip = held_out[0] if len(held_out) else 0
        inputs = {name: dataset[name][None, clip] for name in ("features", "phase", "grains")}
        inputs["features"] = lead_in(inputs["features"], model.config.tcn)
        outputs = model(inputs)
        levels = ops.convert_to_numpy(outputs["levels"])[0]
        with self.writer.as_default(int(row["step"])):
            for name, value in row.items():
                self.summary.scalar(name, value)
            self.summary.audio(
                "model", ops.convert_to_numpy(outputs["audio"])[..., None], SAMPLE_RATE
            )
            self.summary.audio("recording", dataset["audio"][None, clip, :, None], SAMPLE_RATE)
            self.summary.image(
                "levels", (levels.T / levels.max())[None, ::-1, :, None].repeat(16, axis=1)
            )
        self.writer.flush()


def resolve(config: InstrumentConfig, variant: str, profile: str, **changes: Any) -> RunConfig:
    """Resolves an instrument's configuration for one variant.

    Args:
        config: The instrument's.
        variant: One of `VARIANTS`.
        profile: ``full`` takes the instrument's training as it stands, ``quick`` fits into minutes
            on two cores.
        **changes: Entries of `TrainConfig` that the user set; None leaves the entry.
    """
    train = config.train
    if profile == "quick":
        train = dataclasses.replace(
            train,
            steps=450,
            batch_size=4,
            learning_rate=3e-3,
            warmup_steps=60,
            validate_every=150,
        )
    train = dataclasses.replace(train, **{k: v for k, v in changes.items() if v is not None})
    return RunConfig(config.instrument, config.patch, variant, config.tcn(variant), train)


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and distillation share."""
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin or piano")
    parser.add_argument(
        "--runs", type=Path, default=RUN_DIR, help="folder of run folders (default: runs)"
    )
    parser.add_argument(
        "--dataset", type=Path, help="dataset.npz (default: RUNS/INSTRUMENT/dataset.npz)"
    )
    parser.add_argument(
        "--profile", choices=("quick", "full"), default="full", help="minutes, or as the paper"
    )
    for field in dataclasses.fields(TrainConfig):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=field.type, help=f"default {field.default}"
        )
    parser.add_argument("--warm-start", type=Path, help="run folder whose network to start from")
    parser.add_argument("--restart", action="store_true", help="replace what the run folder holds")


def training_changes(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the entries of `TrainConfig` among parsed arguments; None where the user set none."""
    return {field.name: getattr(args, field.name) for field in dataclasses.fields(TrainConfig)}


def print_metrics(metrics: dict[str, Any], run_dir: Path) -> None:
    """Prints the figures of a training and where they are."""
    best, steps = metrics["best_step"], metrics["steps"]
    print(f"{run_dir}: {metrics['parameters']} parameters, best at step {best} of {steps}")
    for split, figures in metrics["mss"].items():
        for kind in [kind for kind in ("real", "rendered") if kind in figures]:
            room, dry, room_db, dry_db = (figures[kind + name] for name in DISTANCES)
            print(
                f"{kind} {split} clips: with the room MSS {room:.2f} and loudness {room_db:.2f} dB "
                f"off, without {dry:.2f} and {dry_db:.2f} dB"
            )


def main(argv: list[str] | None = None) -> None:
    """Trains the full or the reduced model of an instrument."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.train", description=main.__doc__)
    add_training_arguments(parser)
    parser.add_argument(
        "--variant", choices=("full", "reduced"), default="full", help="which network"
    )
    args = parser.parse_args(argv)
    instrument = load_instrument(args.instrument)
    folder = args.runs / args.instrument
    dataset = load_dataset(args.dataset or folder / "dataset.npz", instrument)
    config = resolve(instrument, args.variant, args.profile, **training_changes(args))
    metrics = train_model(
        folder / args.variant, config, dataset, warm_start=args.warm_start, resume=not args.restart
    )
    print_metrics(metrics, folder / args.variant)
    following = "train --variant reduced" if args.variant == "full" else "distill --method control"
    print(f"next: python -m pipeline.{following} --instrument {args.instrument}")


if __name__ == "__main__":
    run_main(main)
