"""Configuration and summary of a training run, for the commands that train."""

import dataclasses
from pathlib import Path
from typing import Any

from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.runs import RunConfig
from pipeline.training.losses import DISTANCES

QUICK = {  # minutes on two cores
    "steps": 450,
    "batch_size": 4,
    "learning_rate": 3e-3,
    "warmup_steps": 60,
    "validate_every": 150,
}


def resolve(config: InstrumentConfig, variant: str, profile: str, **changes: Any) -> RunConfig:
    """Resolves an instrument's configuration for one variant.

    Args:
        config: Configuration of the instrument.
        variant: One of `VARIANTS`.
        profile: ``full`` for the instrument's own settings, ``quick`` to replace some by `QUICK`.
        **changes: Fields of `TrainConfig` that the user set.
    """
    quick: dict[str, Any] = QUICK if profile == "quick" else {}
    train = dataclasses.replace(config.train, **quick | changes)
    return RunConfig(config.instrument, config.patch, variant, config.tcn(variant), train)


def print_metrics(metrics: dict[str, Any], run_dir: Path) -> None:
    """Prints the run folder and the figures of a training run."""
    best, steps = metrics["best_step"], metrics["steps"]
    print(f"{run_dir}: {metrics['parameters']} parameters, best at step {best} of {steps}")
    for split, figures in metrics["mss"].items():
        for kind in [kind for kind in ("real", "rendered") if kind in figures]:
            wet, dry, wet_db, dry_db = (figures[kind + name] for name in DISTANCES)
            print(
                f"{kind} {split} clips: MSS {wet:.2f} and loudness error {wet_db:.2f} dB with "
                f"reverb, {dry:.2f} and {dry_db:.2f} dB dry"
            )
