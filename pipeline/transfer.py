"""Plays an instrument live from another sound and writes a WAV file.

    python -m pipeline.transfer --audio voice.wav --instrument flute --out flute.wav

Blocks of 64 samples pass through the firmware's own code (``tflm_app/apps/transfer``): analysis,
decoder, voice, and the learnt reverb with ``--reverb``. The emulated boards and the host produce
the same samples.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.loading import load_recording
from pipeline.audio.pcm import to_pcm, write_wav
from pipeline.audio.recording_checks import find_file_issues
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.model_choice import chosen_model
from pipeline.core.options import (
    add_board,
    add_f0,
    add_model,
    add_out,
    add_reverb_seconds,
    f0_bounds,
)
from pipeline.core.parser import Parser, real, renamed_option
from pipeline.core.runs import decoder_name
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.evaluation.input_level import apply_gain, measure_input
from pipeline.target.boards import LIVE_BOARDS
from pipeline.target.sources import generate
from pipeline.target.transfer import build_transfer, transfer

MAX_GAIN_DB = 80.0  # from the softest recording that is not silent to full scale


def main(argv: Sequence[str] | None = None) -> None:
    """Plays an instrument live from another sound and writes a WAV file."""
    parser = Parser("transfer", main.__doc__)
    parser.add_argument(
        "--audio",
        type=Path,
        required=True,
        metavar="FILE",
        help="recording to play from, of any length, rate and number of channels",
    )
    add_model(parser)
    add_board(parser, LIVE_BOARDS, default="host")
    renamed_option(parser, "--engine", "--board")
    parser.add_argument(
        "--gain",
        type=_gain,
        default=0.0,
        metavar="DB",
        help=f"amplifies the recording by this many dB, from {-MAX_GAIN_DB:g} to {MAX_GAIN_DB:g}, "
        "or with auto to the level that the model was trained with, as far as it does not clip "
        "(default: 0)",
    )
    add_f0(parser, LIVE_F0_HZ)
    add_reverb_seconds(parser)
    add_out(parser, "WAV file to write")
    args = parser.parse_args(argv)
    bounds = f0_bounds(args)
    model = chosen_model(args, file=decoder_name("int8"))
    audio, facts = load_recording(args.audio)
    for issue in find_file_issues(facts):
        print(f"warning: {args.audio.name}: {issue}", file=sys.stderr)
    print(f"model: {model}", flush=True)
    level = measure_input(audio, model.run_dir, args.audio.name, **bounds)
    audio, lines = apply_gain(audio, level, args.gain, args.audio.name)
    for line in lines:
        print(line, flush=True)
    program = build_transfer(args.board, generate(model.run_dir, reverb_seconds=args.reverb))
    played = transfer(program, to_pcm(audio), **bounds)
    write_wav(args.out, played.pcm)
    seconds = len(played.pcm) / SAMPLE_RATE
    print(f"{args.out}: {seconds:.2f} s of {args.instrument} played from {args.audio.name}")
    if LIVE_BOARDS[args.board].machine:
        n_blocks = max(played.report["n_blocks"], 1)
        counts = ", ".join(
            f"{part} {played.report[f'{part}_instructions'] / n_blocks:,.0f}"
            for part in ("analysis", "sound")
        )
        print(f"instructions per block of 4 ms: {counts}")
    print("next: listen to it; --reverb SECONDS adds the learnt reverb")


def _gain(text: str) -> float | None:
    """Reads ``--gain``: a number of dB, or None for ``auto``."""
    return None if text == "auto" else real(-MAX_GAIN_DB, MAX_GAIN_DB)(text)


if __name__ == "__main__":
    run_main(main)
