"""Configuration and summary of a training run, for the commands that train."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.patch_files import patch_table
from pipeline.core.paths import shown
from pipeline.core.profiles import Training, default_profile, load_profile
from pipeline.core.runs import RunConfig
from pipeline.core.training_options import training_changes
from pipeline.model.patches import find_patch
from pipeline.training.initial_run import initial_run


def chosen_training(args: argparse.Namespace, variant: str) -> Training:
    """Returns how the profile and the other options of a training command train a variant."""
    profile = load_profile(args.profile or default_profile())
    return profile.training(variant, **training_changes(args))


def resolve(config: InstrumentConfig, variant: str, training: Training) -> RunConfig:
    """Resolves an instrument's configuration for one variant."""
    patch, tcn = patch_table(find_patch(config)), config.tcn(variant)
    return RunConfig(config.instrument, patch, variant, tcn, training.config)


def chosen_start(
    args: argparse.Namespace, config: InstrumentConfig, variant: str, training: Training
) -> Path | None:
    """Returns and prints the run folder that training starts from; None for random weights."""
    folder = args.runs / config.instrument
    start = args.warm_start or initial_run(training.start, config, variant, folder)
    print(f"start: {'random weights' if start is None else shown(start)}")
    return start


def print_metrics(metrics: dict[str, Any], run_dir: Path) -> None:
    """Prints the run folder and the figures of a training run."""
    best, steps = metrics["best_step"], metrics["steps"]
    print(f"{shown(run_dir)}: {metrics['parameters']} parameters, best at step {best} of {steps}")
    for split, figures in metrics["mss"].items():
        for source, found in figures.get("sources", {}).items():
            live = ""
            if "live_sound" in found:
                live = f" ({found['live_sound']:.2f} from live features)"
            print(
                f"{source}, {split}: sound {found['sound']:.2f}{live} and loudness error "
                f"{found['dry_loudness_db']:.2f} dB dry; MSS {found['dry']:.2f} dry, "
                f"{found['mss']:.2f} with reverb"
            )
