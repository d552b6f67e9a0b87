"""Plays recordings with every system and measures how close the results are.

    python -m pipeline.evaluate --instrument flute --audio DIR --out DIR

Writes one 16-bit WAV file per recording and system, ``<name>.<system>.wav``, and ``metrics.json``.
The systems are:

- ``reference``: the recording itself;
- ``lpc``, ``lpc_noise``: vocoders that every model should beat, without and with noise;
- ``full``, ``reduced``, ``reduced_ad``, ``reduced_cd``: the float models with their learnt reverb;
- ``<variant>_live``, with ``--features live``: the same, with the features that the firmware
  extracts from live sound (`pipeline.target.live_features`);
- ``<variant>_mcu``: the int8 model in the firmware on an emulated board, dry;
- ``<variant>_mcu16``, with ``--format int16x8``: the same, with 16-bit activations;
- ``<variant>_mcu_reverb``, with ``--reverb``: the int8 model with all of its learnt reverb, on a
  Cortex-M7.

Recordings are brought to the calibrated level before models hear them, by one gain per recording or
per folder (``gain_db`` in ``metrics.json``), and the models' output is brought back to the level of
the recording. All figures compare samples of the WAV files, so all systems share the rounding to 16
bits, and anyone can compute the figures again.
"""

from collections.abc import Sequence

from pipeline.audio.recordings import open_recordings
from pipeline.core.cli import run_main
from pipeline.core.constants import FORMATS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import (
    add_board,
    add_instrument,
    add_out,
    add_runs,
    add_systems,
    new_folder,
)
from pipeline.core.parser import Parser
from pipeline.core.recording_options import add_audio, add_gain, check_out
from pipeline.core.runs import runs_option
from pipeline.evaluation.evaluation import Evaluation
from pipeline.evaluation.evaluation_table import print_table
from pipeline.evaluation.model_files import output_names
from pipeline.evaluation.systems import requested_systems
from pipeline.target.boards import FILE_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Plays recordings with every system and measures how close the results are."""
    args = _parser().parse_args(argv)
    config = load_instrument(args.instrument)
    check_out(args.out, args.audio)
    found = open_recordings(args.audio, config.data)
    systems = requested_systems(
        args.variants,
        args.mcu,
        formats=args.format,
        reverb=args.reverb,
        live=args.features == "live",
    )
    evaluation = Evaluation(
        args.instrument,
        systems,
        runs=args.runs,
        board=args.board,
        gain_db=args.gain,
        is_stage=True,
    )
    if not evaluation.has_models:
        raise UserError(
            next(
                iter(evaluation.missing.values()), "no systems to compare: give --variants or --mcu"
            )
        )
    print(f"models: {evaluation.sources}", flush=True)
    for system, reason in evaluation.missing.items():
        print(f"left out: {system.name}: {reason}", flush=True)
    recordings = output_names(found.recordings)
    found.warn(str(args.out / "metrics.json"))
    summary, failures = evaluation.evaluate_all(recordings, args.out, passed_over=found.by_path())
    if summary["systems"]:
        print_table(summary["systems"])
        print(
            f"{len(evaluation.peaks_dbfs)} recordings; WAV files and metrics.json are in {args.out}"
        )
        print(
            f"next: python -m pipeline.bench --instrument {args.instrument}{runs_option(args.runs)}"
        )
    if failures:
        others = f" ({len(failures)} of {len(recordings)} recordings were left out)"
        raise UserError(failures[0] + (others if len(failures) > 1 else ""))


def _parser() -> Parser:
    parser = Parser("evaluate", main.__doc__)
    add_instrument(parser)
    add_audio(
        parser,
        "folders of recordings, or single recordings; each folder is a source of its own, and has "
        "a line of its own in the results",
        required=True,
    )
    add_gain(parser, "brings recordings to the calibrated level; give 0 if they are calibrated")
    add_out(parser, "folder for WAV files and metrics.json", kind=new_folder)
    add_runs(parser, or_pretrained=True)
    add_systems(parser)
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=["int8"],
        help="formats of the quantized models' activations (default: int8)",
    )
    parser.add_argument(
        "--reverb",
        action="store_true",
        help="also let the firmware play int8 models with the learnt reverb (default: only dry)",
    )
    add_board(parser, FILE_BOARDS, default="qemu_m4")
    parser.add_argument(
        "--features",
        choices=("offline", "live"),
        default="offline",
        help="live: also evaluate the float models with the features of the firmware's live "
        "analysis (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    run_main(main)
