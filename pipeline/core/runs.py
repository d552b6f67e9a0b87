"""Run folders: what a model was trained with, and where to find it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, read_toml, to_toml
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.paths import INSTRUMENT_DIR, MODEL_DIR, RUN_DIR
from pipeline.core.schema import Identifier, OneOf, from_table


def config_hash(table: dict[str, Any]) -> str:
    """Short hash of a resolved configuration, which tells two runs apart."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunConfig:
    """What a run folder was made with: its ``config.toml``, resolved."""

    instrument: Annotated[str, Identifier()]
    patch: str
    variant: Annotated[str, OneOf(VARIANTS)]
    tcn: TcnConfig
    train: TrainConfig

    @property
    def hash(self) -> str:
        """Short hash over every entry."""
        return config_hash(asdict(self))

    def save(self, run_dir: Path) -> None:
        """Writes ``config.toml`` with the hash into `run_dir`."""
        with atomic_write(run_dir / "config.toml") as temporary:
            temporary.write_text(to_toml({"hash": self.hash, **asdict(self)}))


def load_run(run_dir: Path, *, instrument: str | None = None) -> RunConfig:
    """Loads the configuration of a run folder.

    Args:
        run_dir: Folder such as ``runs/flute/full`` or ``data/models/flute/reduced_cd``.
        instrument: If given, the instrument that the folder must belong to.

    Raises:
        UserError: The folder is no run folder, was altered, or belongs to another instrument.
    """
    path = run_dir / "config.toml"
    if not path.is_file():
        raise UserError(
            f"{run_dir} is no run folder (no config.toml): run {training_command(run_dir)} first"
        )
    table = read_toml(path)
    expected = table.pop("hash", None)
    config = from_table(RunConfig, table, path)
    if expected != config.hash:
        raise UserError(f"{path} does not match its hash {expected}: restore it or train again")
    if instrument is not None and config.instrument != instrument:
        raise UserError(
            f"{run_dir} holds a {config.instrument}, not a {instrument}: choose its own folder"
        )
    return config


def find_run(instrument: str, variant: str, runs: Path | None = None) -> Path:
    """Returns the run folder where a variant was trained, else the pretrained one.

    Raises:
        UserError: Neither is there.
    """
    bases = dict.fromkeys((runs or RUN_DIR, MODEL_DIR))
    candidates = [base / instrument / variant for base in bases]
    for folder in candidates:
        if (folder / "model.weights.h5").is_file():
            return folder
    raise UserError(
        f"no trained {variant} {instrument} in {' or '.join(map(str, candidates))}: "
        f"run {training_command(candidates[0])} first"
    )


def training_command(run_dir: Path) -> str:
    """Returns the command that trains what belongs into a run folder, by the folder's name."""
    stages = {variant: f"train --variant {variant}" for variant in VARIANTS}
    stages |= {"reduced_ad": "distill --method audio", "reduced_cd": "distill --method control"}
    *_, instrument, variant = run_dir.resolve().parts
    if variant not in stages or not (INSTRUMENT_DIR / f"{instrument}.toml").is_file():
        return "python -m pipeline.train"
    runs = run_dir.parent.parent
    elsewhere = f" --runs {runs}" if runs.resolve() != RUN_DIR else ""
    return f"python -m pipeline.{stages[variant]} --instrument {instrument}{elsewhere}"
