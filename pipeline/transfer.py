"""Plays an instrument live from another sound and writes a WAV file.

    python -m pipeline.transfer --audio voice.wav --instrument flute --out flute.wav

Blocks of 64 samples pass through the firmware's own code (``tflm_app/apps/transfer``): analysis,
decoder, voice, and the learnt reverb with ``--reverb``. The emulated boards and the host produce
the same samples.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import to_pcm, write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.model_choice import chosen_models
from pipeline.core.options import (
    add_board,
    add_model,
    add_out,
    add_reverb_seconds,
)
from pipeline.core.parser import Parser, real, renamed_option
from pipeline.core.runs import decoder_name, load_run
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.target.boards import LIVE_BOARDS
from pipeline.target.sources import generate
from pipeline.target.transfer import build_transfer, transfer


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
        "--f0",
        type=real(100, 4000),
        nargs=2,
        default=LIVE_F0_HZ,
        metavar=("MIN", "MAX"),
        help="lowest and highest pitch in the recording, in Hz, from 100 to 4000 "
        f"(default: {LIVE_F0_HZ[0]:g} {LIVE_F0_HZ[1]:g})",
    )
    add_reverb_seconds(parser)
    add_out(parser, "WAV file to write")
    args = parser.parse_args(argv)
    f0_min_hz, f0_max_hz = args.f0
    if f0_min_hz >= f0_max_hz:
        raise UserError(f"--f0 {f0_min_hz:g} {f0_max_hz:g}: give the lower bound first")
    load_instrument(args.instrument)
    audio = load_audio(args.audio)
    (model,) = chosen_models(args, file=decoder_name("int8"))
    run_dir = model.run_dir
    print(f"model: {model}", flush=True)
    load_run(run_dir, instrument=args.instrument)
    program = build_transfer(args.board, generate(run_dir, reverb_seconds=args.reverb))
    played = transfer(program, to_pcm(audio), f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz)
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


if __name__ == "__main__":
    run_main(main)
