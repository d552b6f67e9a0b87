"""How a training is configured and reported, for the commands that train."""

import dataclasses
from pathlib import Path
from typing import Any

from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.runs import RunConfig
from pipeline.training.losses import DISTANCES


def resolve(config: InstrumentConfig, variant: str, profile: str, **changes: Any) -> RunConfig:
    """Resolves an instrument's configuration for one variant.

    Args:
        config: The instrument's.
        variant: One of `VARIANTS`.
        profile: ``full`` takes the instrument's training as it stands, ``quick`` fits into minutes
            on two cores.
        **changes: Entries of `TrainConfig` that the user set.
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
    train = dataclasses.replace(train, **changes)
    return RunConfig(config.instrument, config.patch, variant, config.tcn(variant), train)


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
