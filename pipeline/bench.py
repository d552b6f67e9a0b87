"""Reports what the firmware costs on every emulated core, and what that means on real chips.

    python -m pipeline.bench [--json FILE]

measures every quantized model under ``data/models``, and what the room that it learnt adds.
Instructions are counted, bytes are read from the link map. Cycles are estimated from a trace of
what was executed (`pipeline.cycles`); with a chip's clock and the waits of its flash they give the
share of its time. With ``--boards``, the boards that are flashed are measured instead, with one
instrument (`pipeline.bench_boards`). `pipeline.bench_report` makes tables and a picture of it.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.cli import run_main
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import load_run
from pipeline.evaluation.bench_boards import bench_boards
from pipeline.evaluation.bench_cores import (
    ROOMS,
    bench_models,
    bench_room,
    pretrained_runs,
    run_name,
    small_runs,
)
from pipeline.pages.bench_report import markdown, print_rooms, print_table
from pipeline.target.boards import EMULATED_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.bench",
        description="Counts what the firmware costs on every emulated core.",
    )
    parser.add_argument("--json", type=Path, help="file for the figures, which are told anyway")
    parser.add_argument(
        "--boards", action="store_true", help="measure the boards that are flashed, with one model"
    )
    parser.add_argument(
        "--run", type=Path, action="append", help="run folder; may be repeated (all of data/models)"
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=("int8", "int16x8"),
        help="of the model; may be repeated (int8)",
    )
    parser.add_argument("--board", action="append", choices=EMULATED_BOARDS, help="only this one")
    parser.add_argument(
        "--tflm-dir",
        type=Path,
        default=os.environ.get("TFLM_DIR"),
        help="built tflite-micro tree: bench its engine too (TFLM_DIR)",
    )
    arguments = parser.parse_args(argv)
    run_dirs = arguments.run or pretrained_runs()
    boards = arguments.board or EMULATED_BOARDS
    formats = arguments.format or ["int8"]
    if arguments.boards:
        run_dirs = [arguments.run[0]] if arguments.run else small_runs()
        measured = {"rows": [], "rooms": [], "boards": bench_boards(run_dirs[0])}
        print(markdown(measured))
        _keep(measured, arguments.json)
        return
    rows, missing = bench_models(
        run_dirs, formats=formats, boards=boards, tflm_dir=arguments.tflm_dir
    )
    if not rows:
        raise UserError(missing[0] if missing else f"{MODEL_DIR} holds no models: train some first")
    smallest = min(rows, key=lambda row: row["parameters"])["run"]
    run_dir = next(folder for folder in run_dirs if run_name(load_run(folder)) == smallest)
    rooms = [bench_room(run_dir, b, s, fmt=formats[0]) for b, s in ROOMS if b in boards]
    print_table(rows)
    print_rooms(rooms)
    for line in missing:
        print(f"missing: {line}")
    figures = {"frame_rate_hz": FRAME_RATE, "hop_samples": HOP_SAMPLES}
    _keep(figures | {"rows": rows, "rooms": rooms, "missing": missing}, arguments.json)


def _keep(figures: Mapping[str, Any], path: Path | None) -> None:
    """Writes figures, if there is a file for them, and says what comes next."""
    if path is None:
        print("next: the same with --json FILE, for pipeline.bench_report")
        return
    write_json(path, figures)
    print(f"{path} written; next: python -m pipeline.bench_report {path}")


if __name__ == "__main__":
    run_main(main)
