"""Measures what the firmware costs on every emulated core, and estimates the cost on real chips.

    python -m pipeline.bench --json build/bench.json

This measures every quantized model in ``data/models``, and the cost of a learnt reverb.
Instructions are counted, and bytes are read from the link map. Cycles are estimated from a trace of
the executed instructions (`pipeline.target.cycle_model`). With a chip's clock and the wait states
of its flash, they give the share of its time. With ``--boards``, the firmware of the flashable
boards is measured instead, with one model (`pipeline.evaluation.bench_boards`). With ``--cycles``,
the estimate of cycles is compared with that of llvm-mca and rp2040js, for the inner loops of one
model (`pipeline.evaluation.bench_cycles`).
`pipeline.bench_report` turns the JSON into tables and a picture.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.cli import command_line, run_main
from pipeline.core.constants import FORMATS, FRAME_RATE, HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.model_choice import chosen_models
from pipeline.core.options import add_json, add_models, add_tflm_dir
from pipeline.core.parser import Parser
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import decoder_name
from pipeline.evaluation.bench_boards import bench_boards
from pipeline.evaluation.bench_cores import bench_models, bench_reverbs, pretrained_runs, small_runs
from pipeline.evaluation.bench_cycles import bench_cycles
from pipeline.pages.bench_tables import markdown, print_models, print_reverbs
from pipeline.target.boards import EMULATED_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Measures what the firmware costs on every emulated core, or on every flashable board."""
    args = _parser().parse_args(argv)
    formats = args.format or ["int8"]
    if (args.boards or args.cycles) and len(args.run or args.instrument or ()) > 1:
        option = "--boards" if args.boards else "--cycles"
        raise UserError(f"{option} measures one model: give --run only once")
    models = chosen_models(args, file=decoder_name(formats[0]))
    for model in models:
        print(f"model: {model}", flush=True)
    given = [model.run_dir for model in models]
    boards = args.board or EMULATED_BOARDS
    if args.boards or args.cycles:
        run_dir = (given or small_runs())[0]
        measured: dict[str, Any] = {"rows": [], "reverbs": []}
        if args.boards:
            measured["boards"] = bench_boards(run_dir)
        else:
            measured["cycles"] = bench_cycles(
                run_dir, boards=boards, formats=args.format or FORMATS
            )
        print(markdown(measured))
        _finish(measured, args.json)
        return
    run_dirs = given or pretrained_runs()
    rows, missing = bench_models(run_dirs, formats=formats, boards=boards, tflm_dir=args.tflm_dir)
    if not rows:
        raise UserError(
            missing[0]
            if missing
            else f"{MODEL_DIR} holds no models: run python -m pipeline.run, then give --run"
        )
    reverbs = bench_reverbs(run_dirs, boards=boards, fmt=formats[0])
    print_models(rows)
    print_reverbs(reverbs)
    for line in missing:
        print(f"missing: {line}")
    figures = {"frame_rate_hz": FRAME_RATE, "hop_samples": HOP_SAMPLES}
    _finish(figures | {"rows": rows, "reverbs": reverbs, "missing": missing}, args.json)


def _parser() -> Parser:
    parser = Parser("bench", main.__doc__)
    add_json(parser, "the results")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--boards",
        action="store_true",
        help="measure one model on the flashable boards (default: models on the emulated cores)",
    )
    instead.add_argument(
        "--cycles",
        action="store_true",
        help="compare two estimates of the cycles of one model's inner loops (default: models on "
        "the emulated cores)",
    )
    add_models(
        parser,
        parser.add_mutually_exclusive_group(),
        help="a quantized model",
        default="all of data/models",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=FORMATS,
        help="format of the models' activations; may be repeated (default: int8; with --cycles, "
        "both)",
    )
    parser.add_argument(
        "--board",
        action="append",
        choices=EMULATED_BOARDS,
        help="emulated board; may be repeated (default: all)",
    )
    add_tflm_dir(parser, "built tflite-micro tree: also measure the tflm engine")
    return parser


def _finish(figures: Mapping[str, Any], path: Path | None) -> None:
    """Writes the results if there is a file for them, and prints the next command."""
    if path is None:
        print("next: the same command with --json FILE, for python -m pipeline.bench_report FILE")
        return
    write_json(path, figures)
    print(f"{path} written; next: {command_line('bench_report', path)}")


if __name__ == "__main__":
    run_main(main)
