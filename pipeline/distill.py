"""Distils the full model of an instrument, the teacher, into a reduced student.

    python -m pipeline.distill --instrument flute --method control

After Giudici et al., "Distilling DDSP", JAES 2025: audio distillation (AD) adds the MSS distance to
the teacher's audio, control distillation (CD) the mean absolute difference between the logarithms
of the student's and the teacher's operator levels. The teacher's outputs are rendered once, and the
student starts with the teacher's noise and reverb. Writes the run folder
``runs/<instrument>/reduced_ad`` or ``reduced_cd``. The same command resumes an interrupted run.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.instrument_config import load_instrument
from pipeline.core.model_choice import describe_run
from pipeline.core.parser import Parser
from pipeline.core.runs import find_run, load_run
from pipeline.core.training_options import add_training_arguments
from pipeline.training.dataset import load_dataset
from pipeline.training.distillation import LOSS_OF_METHOD, VARIANT_OF_METHOD, render_teacher
from pipeline.training.loop import train_model
from pipeline.training.options import chosen_start, chosen_training, print_metrics, resolve


def main(argv: Sequence[str] | None = None) -> None:
    """Distils the full model of an instrument into a reduced student."""
    parser = Parser("distill", main.__doc__)
    add_training_arguments(parser)
    parser.add_argument(
        "--method",
        choices=tuple(LOSS_OF_METHOD),
        required=True,
        help="what the student learns from the teacher: its audio, or its operator levels",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="DIR",
        help="run folder of the teacher (default: the instrument's full model)",
    )
    args = parser.parse_args(argv)
    instrument = load_instrument(args.instrument)
    folder = args.runs / args.instrument
    teacher = args.teacher or find_run(args.instrument, "full", args.runs)
    load_run(teacher, instrument=args.instrument)
    print(f"teacher: {describe_run(teacher)}", flush=True)
    dataset = load_dataset(args.dataset or folder / "dataset.npz", instrument)
    dataset |= render_teacher(teacher, dataset, args.method)
    variant = VARIANT_OF_METHOD[args.method]
    training = chosen_training(args, variant)
    metrics = train_model(
        folder / variant,
        resolve(instrument, variant, training),
        dataset,
        loss=LOSS_OF_METHOD[args.method],
        warm_start=chosen_start(args, instrument, variant, training),
        teacher=teacher,
        resume=not args.restart,
    )
    print_metrics(metrics, folder / variant)
    print(f"next: python -m pipeline.quantize --run {folder / variant}")


if __name__ == "__main__":
    run_main(main)
