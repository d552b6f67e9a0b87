"""Plays a Standard MIDI File with an instrument, and writes a WAV.

    python -m pipeline.render --midi tune.mid --instrument flute --engine qemu_m4 --out tune.wav

The MIDI bytes go through the firmware's own code (``tflm_app/apps/perform``): parser, player,
expression, decoder, voices; under QEMU or compiled for this machine, which gives the same samples.
With ``--engine float`` the frames that the player makes are rendered by the float model instead.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.audio.pcm import write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import MODEL_DIR
from pipeline.evaluation.float_player import ENGINES, MAX_VOICES, POLYPHONIC_VOICES, render_score
from pipeline.target.boards import BOARDS
from pipeline.target.player import load_score


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a Standard MIDI File with an instrument, and writes a WAV."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.render", description=main.__doc__)
    parser.add_argument("--midi", type=Path, required=True, help="Standard MIDI File")
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin, piano")
    parser.add_argument("--engine", choices=ENGINES, default="host", help="%(default)s by default")
    parser.add_argument(
        "--variant", choices=VARIANTS, default="reduced_cd", help="%(default)s by default"
    )
    parser.add_argument(
        "--voices", type=int, help="of the player (default: 1 if the instrument slurs, else 4)"
    )
    parser.add_argument("--out", type=Path, required=True, help="WAV file to write")
    parser.add_argument(
        "--run", type=Path, help="run folder of a model of your own, instead of the pretrained one"
    )
    parser.add_argument(
        "--reverb", type=float, default=0.0, metavar="SECONDS", help="of the learnt room (dry)"
    )
    args = parser.parse_args(argv)
    n_voices = args.voices
    if n_voices is None:
        n_voices = POLYPHONIC_VOICES if load_instrument(args.instrument).corpus.decays else 1
    if not 1 <= n_voices <= MAX_VOICES:
        raise UserError(f"--voices {n_voices}: give 1 to {MAX_VOICES}")
    score = load_score(args.midi)
    run_dir = args.run or MODEL_DIR / args.instrument / args.variant
    played = render_score(
        score,
        run_dir,
        args.instrument,
        engine=args.engine,
        n_voices=n_voices,
        reverb_seconds=args.reverb,
    )
    write_wav(args.out, played.pcm)
    seconds = len(played.pcm) / SAMPLE_RATE
    peak = np.abs(played.pcm.astype(int)).max(initial=0) / 32768
    print(
        f"{args.out}: {seconds:.2f} s of {args.instrument} by the {args.engine} engine, "
        f"{played.n_voices} voices, {played.report['n_stolen']} notes cut off, peak {peak:.2f}"
    )
    if BOARDS.get(args.engine, BOARDS["host"]).machine:
        mean = played.report["instructions"] / max(played.report["n_blocks"], 1)
        worst = played.report["worst_block_instructions"]
        print(f"instructions a block of 4 ms: {mean:,.0f} in the mean, at most {worst:,}")
    print("next: listen to it; --reverb SECONDS adds the room of the recordings")


if __name__ == "__main__":
    run_main(main)
