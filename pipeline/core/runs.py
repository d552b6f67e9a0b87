"""Run folders: where a model is, and the configuration that it was trained with."""

import hashlib
import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, load_arrays, read_toml, to_toml
from pipeline.core.instrument_config import TcnConfig, TrainConfig, known_instruments
from pipeline.core.patch_files import PatchValue, resolve_patch
from pipeline.core.paths import MODEL_DIR, RUN_DIR, shown
from pipeline.core.schema import Identifier, OneOf, fields_of, from_table

WEIGHTS = "model.weights.h5"  # name of the weights file in a run folder
CHECKPOINT, METRICS = "checkpoint.npz", "metrics.json"  # of an unfinished and a finished training
LOGS = "logs"  # folder of a training's log


def decoder_name(fmt: str) -> str:
    """Returns the name of the quantized model of a format in a run folder."""
    return f"decoder_{fmt}.tflite"


def config_hash(table: dict[str, Any]) -> str:
    """Returns a short hash that identifies a resolved configuration."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunConfig:
    """The resolved configuration of a run folder, its ``config.toml``."""

    instrument: Annotated[str, Identifier()]
    patch: PatchValue
    variant: Annotated[str, OneOf(VARIANTS)]
    tcn: TcnConfig
    train: TrainConfig

    def __post_init__(self) -> None:
        resolve_patch(self.patch, self.instrument)

    @property
    def hash(self) -> str:
        """Short hash of all entries."""
        return config_hash(asdict(self))

    def save(self, run_dir: Path) -> None:
        """Writes ``config.toml``, with the hash, to `run_dir`."""
        with atomic_write(run_dir / "config.toml") as temporary:
            temporary.write_text(to_toml({"hash": self.hash, **asdict(self)}))


def load_run(run_dir: Path, *, instrument: str | None = None, finished: bool = True) -> RunConfig:
    """Loads the configuration of a run folder.

    Args:
        run_dir: Folder such as ``runs/flute/full`` or ``data/models/flute/reduced_cd``.
        instrument: The instrument that the folder must belong to; None for any.
        finished: Whether to refuse a model whose training was interrupted.

    Raises:
        UserError: The folder is not a run folder, its configuration is damaged or was edited, it
            belongs to another instrument, or its training is not finished.
    """
    path = run_dir / "config.toml"
    if not path.is_file():
        raise UserError(_why_no_run(run_dir))
    table = read_toml(path)
    expected = table.pop("hash", None)
    found_hash = config_hash(table)
    # Nothing that plays a model depends on how an older version trained it.
    if isinstance(training := table.get("train"), dict):
        known = fields_of(TrainConfig)
        table["train"] = {name: x for name, x in training.items() if name in known}
    config = from_table(RunConfig, table, path)
    # The entries in the file count, because an older file does not have those of today.
    if expected != found_hash:
        raise UserError(f"{path} does not match its hash {expected}: restore it or train again")
    if instrument is not None and config.instrument != instrument:
        raise UserError(
            f"{run_dir} holds a {config.instrument}, not a {instrument}: choose another folder"
        )
    if finished and is_unfinished(run_dir):
        raise UserError(how_to_finish(run_dir))
    return config


def _why_no_run(run_dir: Path) -> str:
    """Explains why a path is not a run folder."""
    if not run_dir.exists():
        return f"{run_dir} does not exist: run {training_command(run_dir)} first"
    if within := sorted(path.parent for path in run_dir.glob("*/config.toml")):
        return f"{run_dir} holds run folders: choose {' or '.join(map(str, within))}"
    return f"{run_dir} is not a run folder (no config.toml): run {training_command(run_dir)} first"


def is_unfinished(run_dir: Path) -> bool:
    """Whether the training of a run folder has begun and not ended."""
    has_begun = (run_dir / CHECKPOINT).is_file() or (
        (run_dir / WEIGHTS).is_file() and (run_dir / LOGS).is_dir()
    )
    return has_begun and not (run_dir / METRICS).is_file()


def steps_done(run_dir: Path) -> int:
    """Returns the number of steps after which a training was interrupted; 0 without checkpoint.

    Raises:
        UserError: The checkpoint is damaged.
    """
    path, remedy = run_dir / CHECKPOINT, "delete it to train from the start"
    if not path.is_file():
        return 0
    stored = load_arrays(path, remedy=remedy, names=["history"])
    try:
        return int(json.loads(str(stored["history"]))[-1]["step"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise UserError(f"{path} is damaged (its history is no list of steps): {remedy}") from None


def how_to_finish(run_dir: Path) -> str:
    """Says how far the interrupted training of a run folder is, and the command that continues."""
    config = load_run(run_dir, finished=False)
    command = training_command(run_dir)
    if (run_dir.parent / "request" / f"{run_dir.name}.json").is_file():  # of pipeline.run
        runs = runs_option(run_dir.parent.parent)
        command = f"python -m pipeline.run --instrument {config.instrument}{runs}"
    done = steps_done(run_dir)
    state = f"stopped at step {done} of {config.train.steps}" if done else "has not ended"
    return (
        f"{shown(run_dir)}: training {state}: continue with {command} and the options that it "
        "began with"
    )


def find_run(instrument: str, variant: str, runs: Path | None = None) -> Path:
    """Returns the run folder of a trained variant, or of the pretrained one if there is none.

    Args:
        instrument: Name of the instrument.
        variant: One of `VARIANTS`.
        runs: Folder of run folders; `RUN_DIR` if None.

    Raises:
        UserError: There is neither, or its training is not finished.
    """
    bases = dict.fromkeys((runs or RUN_DIR, MODEL_DIR))
    candidates = [base / instrument / variant for base in bases]
    for folder in candidates:
        if is_unfinished(folder):
            raise UserError(how_to_finish(folder))
        if (folder / WEIGHTS).is_file():
            return folder
    raise UserError(
        f"no trained {variant} {instrument} in {' or '.join(map(str, candidates))}: "
        f"run {training_command(candidates[0])} first"
    )


def training_command(run_dir: Path) -> str:
    """Returns the command that trains the model of a run folder, judging by the folder's path."""
    stages = {variant: f"train --variant {variant}" for variant in VARIANTS}
    stages |= {"reduced_ad": "distill --method audio", "reduced_cd": "distill --method control"}
    stages["tiny"] = "distill --variant tiny --method control"
    *_, instrument, variant = run_dir.resolve().parts
    if variant not in stages or instrument not in known_instruments():
        return "python -m pipeline.train"
    runs = runs_option(run_dir.parent.parent)
    return f"python -m pipeline.{stages[variant]} --instrument {instrument}{runs}"


def runs_option(runs: Path | None) -> str:
    """Returns `` --runs DIR`` for the next command, or nothing if it finds the folder by itself."""
    if runs is None or runs.resolve() in (RUN_DIR, MODEL_DIR):
        return ""
    return f" --runs {shlex.quote(str(runs))}"
