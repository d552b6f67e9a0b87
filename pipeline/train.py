"""Training: the full teacher, or the reduced model, learns from recordings by spectral loss.

The loop is the same for TensorFlow and, on a GPU, for JAX (``KERAS_BACKEND=jax``). Batches are a
function of the seed and the step alone, and a checkpoint holds every variable, so that a run that
was killed goes on exactly where it was.
"""

import argparse

from pipeline.core.cli import run_main
from pipeline.core.instrument_config import load_instrument
from pipeline.training.dataset import load_dataset
from pipeline.training.loop import train_model
from pipeline.training.options import (
    add_training_arguments,
    print_metrics,
    resolve,
    training_changes,
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
