"""Runs every stage in order: from recordings, or the default corpus, to an instrument's firmware.

    python -m pipeline.run --instrument flute --audio DIR

A stage is skipped if its result is newer than everything that it needs, and training resumes from
its checkpoint, so the same command continues after an interruption.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_instrument, add_profile, add_runs, add_training_field
from pipeline.core.parser import Parser
from pipeline.core.plan import (
    N_HELD_OUT,
    STUDENTS,
    InstrumentFiles,
    list_recordings,
    plan_stages,
)
from pipeline.core.stages import Stage, only_run
from pipeline.model.patches import find_patch
from pipeline.training.held_out import write_held_out


def main(argv: Sequence[str] | None = None) -> None:
    """Runs every stage in order, from recordings to an instrument's firmware."""
    args = _parser().parse_args(argv)
    find_patch(load_instrument(args.instrument))
    for place in args.audio:
        if not place.is_dir():
            raise UserError(f"{place} is not a folder: give a folder of recordings")
    files = InstrumentFiles(args.instrument, args.runs / args.instrument)
    training = ["--profile", args.profile]
    training += [] if args.steps is None else ["--steps", str(args.steps)]
    with only_run(files.folder):
        _keep_request(files.request, training, args.audio)
        stages = plan_stages(
            files,
            args.audio,
            training,
            args.students,
            # Learning takes minutes, because it renders the default corpus.
            learn_expression=not args.audio or args.profile == "full",
        )
        for number, stage in enumerate(stages, 1):
            _run_stage(stage, f"[{number}/{len(stages)}]", files)
    _print_results(files.folder, args.students[-1])


def _parser() -> Parser:
    parser = Parser("run", main.__doc__)
    add_instrument(parser)
    parser.add_argument(
        "--audio",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of recordings (default: compose and render the default corpus)",
    )
    add_profile(parser)
    add_training_field(parser, "steps")
    parser.add_argument(
        "--students",
        nargs="+",
        choices=STUDENTS,
        default=STUDENTS,
        help=f"reduced variants; the firmware plays the last one (default: {' '.join(STUDENTS)})",
    )
    add_runs(parser)
    return parser


def _keep_request(path: Path, training: Sequence[str], audio: Sequence[Path]) -> None:
    """Writes the request unless it is unchanged, because a newer file outdates all stages."""
    recordings = [str(recording.resolve()) for recording in list_recordings(audio)]
    text = json.dumps({"training": training, "recordings": recordings}, indent=2) + "\n"
    if not path.exists() or path.read_text(errors="replace") != text:
        with atomic_write(path) as temporary:
            temporary.write_text(text)


def _run_stage(stage: Stage, position: str, files: InstrumentFiles) -> None:
    name = f"{position} {stage.module}: {stage.title}"
    if stage.is_done:
        print(f"{name} (up to date)")
        return
    print(name, flush=True)
    began = time.monotonic()
    if stage.module == "evaluate":
        write_held_out(files.dataset, files.held_out / files.instrument, N_HELD_OUT)
    stage.run()
    print(f"    {time.monotonic() - began:.0f} s", flush=True)


def _print_results(folder: Path, played: str) -> None:
    print(f"models:    {folder}/full, reduced...: metrics.json, decoder_*.tflite, C in c_*")
    print(f"firmware:  {folder}/firmware/render, for a Cortex-M4F, plays {played}")
    print(f"sound:     {folder}/page/audio, <recording>.<system>.wav, figures in metrics.json")
    print(f"next: open {folder}/page/index.html, which compares the systems")


if __name__ == "__main__":
    run_main(main)
