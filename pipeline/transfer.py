"""Plays an instrument live from another sound and writes a WAV file.

    python -m pipeline.transfer --audio voice.wav --instrument flute --out flute.wav

Blocks of 64 samples pass through the firmware's own code (``tflm_app/apps/transfer``): analysis,
decoder, voice, and the learnt reverb with ``--reverb``. The emulated boards and the host produce
the same samples. ``--gain auto`` brings the whole recording to the level that models are trained
with; ``--gain live`` lets the gain follow it, as the boards do after ``gain auto``.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.input_level import measure_input
from pipeline.audio.loading import load_recording
from pipeline.audio.pcm import to_pcm, write_wav
from pipeline.audio.recording_checks import find_file_issues
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.model_choice import chosen_model
from pipeline.core.options import add_board, add_model, add_out, add_reverb_seconds, new_wav
from pipeline.core.parser import Parser
from pipeline.core.recording_options import add_f0, add_gain, f0_bounds
from pipeline.core.runs import decoder_name
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.target.boards import LIVE_BOARDS
from pipeline.target.sources import generate
from pipeline.target.transfer import build_transfer, transfer

LIVE = "live"  # the gain follows the recording, as on a board


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
    add_gain(
        parser,
        "brings the recording to the level that models are trained with, and live follows it as a "
        "board does",
        words=[LIVE],
    )
    add_f0(parser, LIVE_F0_HZ)
    add_reverb_seconds(parser)
    add_out(parser, "WAV file to write", kind=new_wav)
    args = parser.parse_args(argv)
    bounds = f0_bounds(args)
    model = chosen_model(args, file=decoder_name("int8"))
    audio, facts = load_recording(args.audio)
    for issue in find_file_issues(facts):
        print(f"warning: {args.audio.name}: {issue}", file=sys.stderr)
    print(f"model: {model}", flush=True)
    level = measure_input(audio, args.audio.name, **bounds)
    gain_db = level.gain_db if args.gain is None else args.gain
    for line in level.remarks(level.gain_db if gain_db == LIVE else gain_db):
        print(f"{args.audio.name}: {line}", flush=True)
    program = build_transfer(args.board, generate(model.run_dir, reverb_seconds=args.reverb))
    played = transfer(program, to_pcm(audio), gain_db=gain_db, **bounds)
    write_wav(args.out, played.pcm)
    seconds = len(played.pcm) / SAMPLE_RATE
    print(f"{args.out}: {seconds:.2f} s of {args.instrument} played from {args.audio.name}")
    lowest, highest = played.gain_db.min(), played.gain_db.max()
    print(f"gain {lowest:+.1f} dB" + (f" to {highest:+.1f} dB" if highest > lowest else ""))
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
