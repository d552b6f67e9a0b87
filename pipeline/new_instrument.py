"""Describes an instrument of one's own by measuring recordings of it.

    python -m pipeline.new_instrument clarinet --audio DIR

Writes ``data/instruments/<name>.toml`` with the search range of the pitch tracker, the range of
notes, the sound set's program and a patch; comments say what was measured and what is allowed. The
patch is the one that can imitate frames of the recordings best, among those of shipped models if no
other is much better. If the file exists, only entries that were not edited since are updated.
"""

import shlex
import sys
from collections.abc import Sequence

from pipeline.audio.instrument_entries import given_patch, make_entries
from pipeline.audio.instrument_measurement import analyse_folders, measure_instrument
from pipeline.core.cli import run_main
from pipeline.core.files import require_writable
from pipeline.core.instrument_file import write_instrument
from pipeline.core.instrument_names import check_name
from pipeline.core.options import add_runs
from pipeline.core.parser import Parser
from pipeline.core.patch_files import known_patches
from pipeline.core.paths import INSTRUMENT_DIR, shown
from pipeline.core.recording_options import add_audio
from pipeline.core.runs import runs_option
from pipeline.training.patch_choice import choose_fitting_patch


def main(argv: Sequence[str] | None = None) -> None:
    """Describes an instrument of one's own by measuring recordings of it."""
    args = _parser().parse_args(argv)
    check_name(args.name)
    patch = None if args.patch is None else given_patch(args.patch)
    path = INSTRUMENT_DIR / f"{args.name}.toml"
    require_writable(path.parent)
    analyses, urmp_tag = analyse_folders(args.audio, args.name, args.runs / args.name / "features")
    measured = measure_instrument(analyses)
    for doubt in measured.doubts():
        print(f"warning: {doubt}", file=sys.stderr)
    patch = patch or choose_fitting_patch(args.name, measured, analyses)
    entries = make_entries(args.name, measured, patch, urmp_tag=urmp_tag)
    title = (
        f"{args.name.replace('_', ' ').capitalize()}, as measured on recordings by python -m "
        f"pipeline.new_instrument {args.name}. Change what you know better: measuring again leaves "
        "changed entries alone. Other entries, with their defaults: "
        "pipeline/core/instrument_config.py."
    )
    changes = write_instrument(path, entries, title)
    print(
        f"{shown(path)}: {len(changes.written)} entries written, {len(changes.unchanged)} unchanged"
    )
    values = {entry.key: entry.value for entry in entries}
    for key, value in values.items():
        reason = f": {patch.reason}" if key == "patch" else ""
        if key in changes.kept:
            print(f"  {key}: left as edited; measured {value}{reason}")
        else:
            print(f"  {key} = {value}{reason}")
    folders = shlex.join(map(str, args.audio))
    print(
        f"next: check the file, then python -m pipeline.run --instrument {args.name} "
        f"--audio {folders}{runs_option(args.runs)}"
    )


def _parser() -> Parser:
    parser = Parser("new_instrument", main.__doc__)
    parser.add_argument("name", metavar="NAME", help="name of the instrument, such as clarinet")
    add_audio(parser, "folders of recordings, or single files", required=True)
    parser.add_argument(
        "--patch",
        metavar="NAME",
        help=f"FM patch: {', '.join(known_patches())} (default: the one that fits the "
        "recordings best, a shipped model's if none is much better)",
    )
    add_runs(parser)
    return parser


if __name__ == "__main__":
    run_main(main)
