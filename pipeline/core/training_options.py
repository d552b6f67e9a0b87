"""Command-line options about training that commands share."""

import argparse
from pathlib import Path
from typing import Any

from pipeline.core.instrument_config import TrainConfig
from pipeline.core.options import add_instrument, add_runs
from pipeline.core.parser import number
from pipeline.core.profiles import WITH_GPU, WITHOUT_GPU, known_profiles, load_profile
from pipeline.core.schema import Within, fields_of


def add_dataset(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds ``--dataset FILE``, a ``dataset.npz`` of `pipeline.data`."""
    parser.add_argument("--dataset", type=Path, metavar="FILE", help=help)


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Adds ``--profile NAME``, which selects how training is done and how long it takes."""
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help=f"how to train: {', '.join(known_profiles())}, or your copy of such a file of "
        f"data/profiles, as FILE.toml (default: {WITHOUT_GPU}, or {WITH_GPU} if there is a GPU)",
    )


def add_training_arguments(parser: argparse.ArgumentParser, *, with_tiny: bool) -> None:
    """Adds the options that training and distillation share.

    Args:
        parser: The parser.
        with_tiny: Whether the command also trains tiny models, which have other defaults.
    """
    add_instrument(parser)
    add_runs(parser)
    add_dataset(parser, "data set of pipeline.data (default: RUNS/INSTRUMENT/dataset.npz)")
    add_profile(parser)
    add_training_fields(parser, *fields_of(TrainConfig), with_tiny=with_tiny)
    parser.add_argument(
        "--warm-start",
        type=Path,
        metavar="DIR",
        help="run folder whose network to start from (default: what the profile says)",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="start again and replace the content of the run folder (default: resume)",
    )
    parser.add_argument(
        "--restart-if-changed",
        action="store_true",
        help="start again only if the run folder belongs to other options, another data set or "
        "another teacher, as pipeline.run does (default: refuse such a folder)",
    )


def add_training_fields(
    parser: argparse.ArgumentParser, *names: str, with_tiny: bool = True
) -> None:
    """Adds options that set entries of `TrainConfig`, such as ``--batch-size`` for batch_size.

    Args:
        parser: The parser.
        names: Names of the entries.
        with_tiny: Whether the command also trains tiny models, which have other defaults.
    """
    profiles = {name: load_profile(name) for name in (WITHOUT_GPU, WITH_GPU)}
    configs = {
        f"in the profile {name}": profile.trainings["reduced"].config
        for name, profile in profiles.items()
    }
    if with_tiny:
        configs["for a tiny model"] = profiles[WITHOUT_GPU].trainings["tiny"].config
    configs["in a profile without it"] = TrainConfig()
    for name in names:
        field = fields_of(TrainConfig)[name]
        assert isinstance(field.restriction, Within)
        defaults = {place: f"{getattr(config, name):g}" for place, config in configs.items()}
        always = f"{field.default:g}" if len(set(defaults.values())) == 1 else ""
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=number(field.type, field.restriction),
            metavar="N" if field.type is int else "X",
            help=f"{field.help} (default: "
            + (always or ", ".join(f"{default} {place}" for place, default in defaults.items()))
            + ")",
        )


def training_changes(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the entries of `TrainConfig` that the user set, by name."""
    values = {name: getattr(args, name) for name in fields_of(TrainConfig)}
    return {name: value for name, value in values.items() if value is not None}
