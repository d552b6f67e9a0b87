"""Builds the firmware around generated models, and plays frames on its board."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.audio.pcm import write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.target.boards import ALL_BOARDS, BOARDS, INSTRUMENT_BOARDS
from pipeline.target.firmware import build, render
from pipeline.target.sources import add_source_arguments, flash_command, generate_source


def load_frames(path: Path) -> np.ndarray:
    """Reads frames: a ``.npy`` of shape [n_frames, 2], or raw little-endian float32 pairs.

    Raises:
        UserError: The file is missing or holds something else.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing: give a .npy of shape [n_frames, 2], or raw float32 pairs"
        )
    data = path.read_bytes()
    if path.suffix == ".npy":
        try:
            frames = np.load(path, allow_pickle=False)
        except (ValueError, EOFError):
            raise UserError(f"{path} is no .npy file, or a damaged one") from None
        if frames.ndim != 2 or frames.shape[1] != 2 or frames.dtype.kind not in "fiu":
            raise UserError(
                f"{path} holds {frames.dtype} {frames.shape}, not numbers of shape [n_frames, 2]"
            )
        return frames.astype(np.float32)
    if not data or len(data) % 8:
        raise UserError(
            f"{path} has {len(data)} bytes, not a row of float32 pairs (f0_hz, loudness_db)"
        )
    return np.frombuffer(data, "<f4").reshape(-1, 2)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.firmware",
        description="Builds the firmware, and plays frames on its board.",
    )
    add_source_arguments(parser, required=True)
    parser.add_argument(
        "--board", choices=ALL_BOARDS, default="qemu_m4", help="%(default)s by default"
    )
    parser.add_argument(
        "--engine", choices=("aot", "tflm"), default="aot", help="%(default)s by default"
    )
    parser.add_argument("--tflm-dir", type=Path, help="built tflite-micro tree, for --engine tflm")
    parser.add_argument(
        "--build-dir", type=Path, help="where to build (default: below build/firmware)"
    )
    parser.add_argument(
        "--frames", type=Path, help="what to play: .npy [n_frames, 2] or raw float32 pairs"
    )
    parser.add_argument("--out", type=Path, help="WAV file to write, with --frames")
    arguments = parser.parse_args(argv)
    if (arguments.frames is None) != (arguments.out is None):
        raise UserError("--frames and --out belong together: give both, or neither to build alone")
    if arguments.frames is not None and arguments.board not in BOARDS:
        raise UserError(f"{arguments.board} plays MIDI, not frames: leave out --frames and --out")
    frames = None if arguments.frames is None else load_frames(arguments.frames)

    built = build(
        arguments.board,
        generate_source(arguments),
        engine=arguments.engine,
        build_dir=arguments.build_dir,
        tflm_dir=arguments.tflm_dir,
        options=dict(arguments.option),
    )
    print(f"{built.program.elf}: {built.engine} decoder for {ALL_BOARDS[arguments.board].core}")
    if built.parts:
        print(
            f"flash {built.flash_bytes} bytes, RAM {built.ram_bytes} bytes with the stack; flash: ",
            end="",
        )
        print(", ".join(f"{name} {size.flash_bytes}" for name, size in built.parts.items()))
    if frames is not None:
        rendering = render(built, frames)
        write_wav(arguments.out, rendering.pcm)
        counts = ", ".join(f"{stage} {n:.0f}" for stage, n in rendering.instructions.items())
        played = len(rendering.pcm) / SAMPLE_RATE
        print(f"{arguments.out}: {played:.2f} s; instructions a frame: {counts}")
    if arguments.board in INSTRUMENT_BOARDS:
        print(f"next: {flash_command(arguments)}")
    else:
        print("next: python -m pipeline.bench, which compares all boards")


if __name__ == "__main__":
    run_main(main)
