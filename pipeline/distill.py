"""Distils a trained model of an instrument, the teacher, into a smaller one, the student.

    python -m pipeline.distill --instrument flute --method control
    python -m pipeline.distill --instrument flute --variant tiny --method control

The first command makes a reduced student of the full model, after Giudici et al., "Distilling
DDSP", JAES 2025: audio distillation (AD) adds the MSS distance to the teacher's audio, control
distillation (CD) the mean absolute difference between the logarithms of the student's and the
teacher's operator levels. The teacher's outputs are rendered once, and the student starts with the
teacher's noise and reverb. Writes the run folder ``runs/<instrument>/reduced_ad`` or
``reduced_cd``. The same command resumes an interrupted run.

The second command makes a tiny student of any larger model within two minutes, because it learns
from the teacher's levels alone. Writes ``runs/<instrument>/tiny``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import command_line, run_main
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.model_choice import choose_model, describe_run
from pipeline.core.parser import Parser
from pipeline.core.processes import used_alone
from pipeline.core.runs import find_run, load_run
from pipeline.core.training_options import add_training_arguments
from pipeline.training.dataset import load_dataset
from pipeline.training.distillation import VARIANT_OF_METHOD
from pipeline.training.options import chosen_start, chosen_training, print_metrics, resolve
from pipeline.training.variants import train_variant


def main(argv: Sequence[str] | None = None) -> None:
    """Distils a trained model of an instrument into a smaller one."""
    args = _parser().parse_args(argv)
    if args.variant == "tiny" and (args.method != "control" or args.warm_start):
        given = "--warm-start" if args.method == "control" else f"--method {args.method}"
        raise UserError(
            f"{given}: a tiny student learns from levels alone and starts from random weights: "
            "give --variant tiny --method control"
        )
    instrument = load_instrument(args.instrument)
    teacher = args.teacher or _default_teacher(args)
    config = load_run(teacher, instrument=args.instrument)
    if config.variant == "tiny":
        raise UserError(f"{teacher} is a tiny model, which teaches no other: give a larger one")
    print(f"teacher: {describe_run(teacher)}", flush=True)
    folder = args.runs / args.instrument
    dataset = load_dataset(args.dataset or folder / "dataset.npz", instrument)
    variant = "tiny" if args.variant == "tiny" else VARIANT_OF_METHOD[args.method]
    training = chosen_training(args, variant)
    start = chosen_start(args, instrument, variant, training)
    run_dir = folder / variant
    with used_alone(run_dir):
        metrics = train_variant(
            run_dir,
            resolve(instrument, variant, training),
            instrument.data,
            dataset,
            start=start,
            teacher=teacher,
            resume=not args.restart,
            replace=args.restart_if_changed,
        )
    print_metrics(metrics, run_dir)
    for split, error_db in metrics.get("teacher", {}).get("level_error_db", {}).items():
        print(f"levels, {split}: {error_db:.2f} dB from the teacher's, where they are audible")
    print(f"next: {command_line('quantize', '--run', run_dir)}")


def _parser() -> Parser:
    parser = Parser("distill", main.__doc__)
    add_training_arguments(parser, with_tiny=True)
    parser.add_argument(
        "--variant",
        choices=("reduced", "tiny"),
        default="reduced",
        help="network of the student: reduced, an eighth of the full model, or tiny, 25 times "
        "smaller again, which learns within minutes, so that a Raspberry Pi Pico plays 16 notes at "
        "once (default: %(default)s)",
    )
    parser.add_argument(
        "--method",
        choices=tuple(VARIANT_OF_METHOD),
        required=True,
        help="what the student learns from the teacher: its audio, or its operator levels",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="DIR",
        help="run folder of the teacher (default: the instrument's full model; for a tiny student, "
        "its best small model)",
    )
    return parser


def _default_teacher(args: argparse.Namespace) -> Path:
    """Returns the run folder of the model that teaches if none is given."""
    if args.variant == "tiny":
        return choose_model(args.instrument, other_than="tiny", runs=args.runs).run_dir
    return find_run(args.instrument, "full", args.runs)


if __name__ == "__main__":
    run_main(main, resumes=True)
