"""Evaluation stage: unseen recordings as every system plays them, and how far off that is.

    python -m pipeline.evaluate --instrument flute --audio DIR --out DIR

writes one 16-bit WAV per recording and system, ``<name>.<system>.wav``, and ``metrics.json``.
Systems are the recording itself (``reference``), a vocoder that any model should beat (``lpc``),
the float models with the room that they learnt (``full``, ``reduced``, ``reduced_ad``,
``reduced_cd``), and ``<variant>_mcu``, the quantized model as the firmware plays it in the
emulator, dry; ``<variant>_mcu16`` where its activations have 16 bits, and ``<variant>_mcu_room``
where an int8 model plays in the room that it learnt, a whole second of it, on a Cortex-M7
(``--format``). With ``--features live``, ``<variant>_live`` is the float model, told what the
firmware hears in live sound (`pipeline.live_features`) instead of `pipeline.features`. Figures
compare the samples of the WAV files, so that all systems share the noise of 16 bits and anyone can
compute them again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.recordings import find_recordings
from pipeline.core.cli import run_main
from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.evaluation.evaluation import Evaluation, print_table
from pipeline.evaluation.systems import MCU_SUFFIXES, output_names
from pipeline.target import boards


def main(argv: Sequence[str] | None = None) -> None:
    """Renders recordings by every system and measures how far off they are."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluate", description=main.__doc__)
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin or piano")
    parser.add_argument(
        "--audio", type=Path, required=True, help="folder of recordings, or one file"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for WAV files and metrics.json"
    )
    parser.add_argument(
        "--runs", type=Path, help="folder of run folders (default: runs, then the pretrained)"
    )
    parser.add_argument(
        "--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS), help="float models (all)"
    )
    parser.add_argument(
        "--mcu",
        nargs="*",
        choices=VARIANTS,
        default=["reduced_cd"],
        help="by firmware (%(default)s)",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=MCU_SUFFIXES,
        default=["int8"],
        help="of the firmware's models; int16x8 is _mcu16, int8_room _mcu_room (int8)",
    )
    parser.add_argument(
        "--board", choices=boards.BOARDS, default="qemu_m4", help="of the firmware (%(default)s)"
    )
    parser.add_argument(
        "--features",
        choices=("offline", "live"),
        default="offline",
        help="live: float models are told what the firmware hears, too (%(default)s)",
    )
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    recordings = find_recordings(args.audio, config.data)
    base = args.audio if args.audio.is_dir() else args.audio.parent
    if args.audio.is_dir() and args.out.resolve().is_relative_to(args.audio.resolve()):
        raise UserError(f"{args.out} lies within {args.audio}: give --out a folder of its own")
    evaluation = Evaluation(
        args.instrument,
        variants=args.variants,
        mcu=args.mcu,
        runs=args.runs,
        formats=args.format,
        board=args.board,
        live=args.features == "live",
    )
    if not evaluation.models:
        raise UserError(next(iter(evaluation.missing.values())))
    print(f"models: {evaluation.sources}")
    for system, reason in evaluation.missing.items():
        print(f"left out: {system}: {reason}")
    paths = [recording.path for recording in recordings]
    names = output_names(paths, base)
    summary, failures = evaluation.evaluate_all(dict(zip(names, paths, strict=True)), args.out)
    if summary["systems"]:
        print_table(summary["systems"])
        print(
            f"{len(evaluation.peaks_dbfs)} recordings; WAV files and metrics.json are in {args.out}"
        )
        print("next: python -m pipeline.bench")
    if failures:
        others = (
            f" ({len(failures)} of {len(paths)} recordings were left out)"
            if len(failures) > 1
            else ""
        )
        raise UserError(failures[0] + others)


if __name__ == "__main__":
    run_main(main)
