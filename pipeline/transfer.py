"""Plays an instrument by another sound: what a microphone hears, as the firmware renders it live.

    python -m pipeline.transfer --audio voice.wav --instrument flute --out flute.wav

Blocks of 64 samples go through the firmware's own code (``tflm_app/apps/transfer``): analysis,
decoder, voice, and the learnt room if there is one; under QEMU or compiled for this machine, which
gives the same samples.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.features import load_audio
from pipeline.audio.pcm import to_pcm, write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import MODEL_DIR
from pipeline.target.sources import generate
from pipeline.target.transfer import ENGINES, F0_RANGE_HZ, build_transfer, transfer


def main(argv: Sequence[str] | None = None) -> None:
    """Plays an instrument by another sound, and writes a WAV."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.transfer", description=main.__doc__)
    parser.add_argument("--audio", type=Path, required=True, help="recording to play by")
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin, piano")
    parser.add_argument("--engine", choices=ENGINES, default="host", help="%(default)s by default")
    parser.add_argument(
        "--variant", choices=VARIANTS, default="reduced_cd", help="%(default)s by default"
    )
    parser.add_argument(
        "--run", type=Path, help="run folder of a model of your own, instead of the pretrained one"
    )
    parser.add_argument(
        "--f0",
        type=float,
        nargs=2,
        default=F0_RANGE_HZ,
        metavar=("MIN", "MAX"),
        help="bounds of the recording's pitch in Hz (%(default)s)",
    )
    parser.add_argument(
        "--reverb", type=float, default=0.0, metavar="SECONDS", help="of the learnt room (dry)"
    )
    parser.add_argument("--out", type=Path, required=True, help="WAV file to write")
    args = parser.parse_args(argv)
    f0_min_hz, f0_max_hz = args.f0
    if not 100 <= f0_min_hz < f0_max_hz <= 4000:
        raise UserError(f"--f0 {f0_min_hz:g} {f0_max_hz:g}: give two bounds within 100 and 4000 Hz")
    load_instrument(args.instrument)
    audio = load_audio(args.audio)
    run_dir = args.run or MODEL_DIR / args.instrument / args.variant
    program = build_transfer(args.engine, generate(run_dir, reverb_seconds=args.reverb))
    played = transfer(program, to_pcm(audio), f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz)
    write_wav(args.out, played.pcm)
    seconds = len(played.pcm) / SAMPLE_RATE
    print(f"{args.out}: {seconds:.2f} s of {args.instrument} by {args.audio.name}")
    n_blocks = max(played.report["n_blocks"], 1)
    if program.board != "host":
        parts = {
            part: played.report[f"{part}_instructions"] / n_blocks for part in ("analysis", "sound")
        }
        counts = ", ".join(f"{part} {n:,.0f}" for part, n in parts.items())
        print(f"instructions a block of 4 ms: {counts}")
    print("next: listen to it")


if __name__ == "__main__":
    run_main(main)
