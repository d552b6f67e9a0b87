"""Training options that the commands share."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from pipeline.core.instrument_config import InstrumentConfig, TrainConfig
from pipeline.core.paths import RUN_DIR
from pipeline.core.runs import RunConfig
from pipeline.training.losses import DISTANCES


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
