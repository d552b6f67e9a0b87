"""Builds the firmware around generated models and plays frames on its board.

    python -m pipeline.firmware --run data/models/flute/reduced_cd --frames frames.npy --out out.wav

``--frames`` needs a board that reads files, which is the host or an emulated board. The other
boards are flashed with `pipeline.flash`.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.pcm import write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.options import add_board, add_engine, add_out, new_wav
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.target.boards import ALL_BOARDS, FILE_BOARDS, INSTRUMENT_BOARDS
from pipeline.target.firmware import build, render
from pipeline.target.frame_files import load_frames
from pipeline.target.sources import (
    add_source_arguments,
    build_options,
    describe_time,
    flash_command,
    generate_source,
    select_models,
)


def main(argv: Sequence[str] | None = None) -> None:
    """Builds the firmware around generated models and plays frames on its board."""
    args = _parser().parse_args(argv)
    if (args.frames is None) != (args.out is None):
        raise UserError("--frames and --out belong together: give both, or neither to only build")
    if args.frames is not None and args.board not in FILE_BOARDS:
        raise UserError(f"{args.board} plays MIDI, not frames: leave out --frames and --out")
    frames = None if args.frames is None else load_frames(args.frames)
    for line in select_models(args):
        print(line, flush=True)
    options = build_options(args)
    generated = generate_source(args)
    built = build(
        args.board,
        generated,
        engine=args.engine,
        build_dir=args.build_dir,
        tflm_dir=args.tflm_dir,
        options=options,
    )
    print(f"{shown(built.program.elf)}: {built.engine} decoder for {ALL_BOARDS[args.board].core}")
    if built.parts:
        parts = ", ".join(f"{name} {size.flash_bytes}" for name, size in built.parts.items())
        print(
            f"flash {built.flash_bytes} bytes, RAM {built.ram_bytes} bytes with the stack; "
            f"flash: {parts}"
        )
    if args.voices:
        print(describe_time(args, generated))
    if frames is not None:
        rendering = render(built, frames)
        write_wav(args.out, rendering.pcm)
        counts = ", ".join(f"{stage} {n:.0f}" for stage, n in rendering.instructions.items())
        played = len(rendering.pcm) / SAMPLE_RATE
        print(f"{args.out}: {played:.2f} s; instructions per frame: {counts}")
    if args.board in INSTRUMENT_BOARDS:
        print(f"next: {flash_command(args)}")
    else:
        runs = [f" --run {shlex.quote(str(run_dir))}" for run_dir in args.run]
        print(f"next: python -m pipeline.bench{''.join(runs)}")


def _parser() -> Parser:
    parser = Parser("firmware", main.__doc__)
    add_source_arguments(parser, required=True)
    add_board(parser, ALL_BOARDS, default="qemu_m4", help="board to build for")
    add_engine(parser)
    parser.add_argument(
        "--build-dir",
        type=Path,
        metavar="DIR",
        help="build folder (default: one per board, engine and model in build/firmware)",
    )
    parser.add_argument(
        "--frames",
        type=Path,
        metavar="FILE",
        help="frames to play: a .npy of shape [n_frames, 2], or raw float32 pairs of pitch in Hz "
        "and loudness in dB (default: only build)",
    )
    add_out(
        parser,
        "WAV file to write from --frames (default: only build)",
        kind=new_wav,
        required=False,
    )
    return parser


if __name__ == "__main__":
    run_main(main)
