"""Trains the full or the reduced model of an instrument with a spectral loss.

    python -m pipeline.train --instrument flute --variant full

This reads ``runs/<instrument>/dataset.npz`` and writes the run folder
``runs/<instrument>/<variant>``. The same command resumes an interrupted run exactly where it
stopped: batches depend on the seed and the step alone, and a checkpoint holds every variable.
``KERAS_BACKEND=jax`` trains on a GPU.
"""

from collections.abc import Sequence

from pipeline.core.cli import command_line, run_main
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_variant
from pipeline.core.parser import Parser
from pipeline.core.processes import used_alone
from pipeline.core.runs import runs_option
from pipeline.core.training_options import add_training_arguments
from pipeline.training.dataset import load_dataset
from pipeline.training.loop import train_model
from pipeline.training.options import chosen_start, chosen_training, print_metrics, resolve


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the full or the reduced model of an instrument."""
    parser = Parser("train", main.__doc__)
    add_training_arguments(parser, with_tiny=False)
    add_variant(parser, choices=("full", "reduced"), default="full", help="model to train")
    args = parser.parse_args(argv)
    instrument = load_instrument(args.instrument)
    folder = args.runs / args.instrument
    dataset = load_dataset(args.dataset or folder / "dataset.npz", instrument)
    training = chosen_training(args, args.variant)
    start = chosen_start(args, instrument, args.variant, training)
    run_dir = folder / args.variant
    with used_alone(run_dir):
        metrics = train_model(
            run_dir,
            resolve(instrument, args.variant, training),
            dataset,
            warm_start=start,
            resume=not args.restart,
            replace=args.restart_if_changed,
        )
    print_metrics(metrics, run_dir)
    if args.variant == "full":
        words = ("train", "--variant", "reduced", "--instrument", args.instrument)
        following = command_line(*words) + runs_option(args.runs)
    else:
        following = command_line("quantize", "--run", run_dir)
    print(f"next: {following}")


if __name__ == "__main__":
    run_main(main, resumes=True)
