"""Inspects recordings before any training: what is there, what it is for, what to do better.

    python -m pipeline.inspect --audio DIR                        any instrument
    python -m pipeline.inspect --audio DIR --instrument flute     with the flute's search range

Prints a short text, and writes a page with plots, ``index.html``, and the list of all doubts,
``inspection.json``. With ``--instrument``, the analysis of the recordings is kept where
`pipeline.data` finds it.
"""

import shlex
from collections.abc import Sequence

from pipeline.audio.analysis import analyse
from pipeline.audio.continuation import join_continued
from pipeline.audio.inspection import inspect_recordings
from pipeline.audio.inspection_advice import give_advice
from pipeline.audio.inspection_figures import figures
from pipeline.audio.instrument_measurement import WIDEST
from pipeline.audio.recordings import open_recordings
from pipeline.core.cli import run_main
from pipeline.core.constants import SPLITS
from pipeline.core.files import require_writable, write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_out, add_runs, list_instruments, new_folder
from pipeline.core.parser import Parser
from pipeline.core.paths import BUILD_DIR, shown
from pipeline.core.recording_options import add_audio, check_out
from pipeline.core.runs import runs_option
from pipeline.pages.inspection_page import write_page
from pipeline.pages.inspection_text import describe_setting, inspection_lines
from pipeline.training.dataset_plan import plan_use
from pipeline.training.patch_choice import choose_fitting_patch


def main(argv: Sequence[str] | None = None) -> None:
    """Inspects recordings before any training: what is there, and what to do better."""
    args = _parser().parse_args(argv)
    config = load_instrument(args.instrument).data if args.instrument else WIDEST
    check_out(args.out, args.audio)
    require_writable(args.out)
    found = open_recordings(args.audio, config)
    recordings = join_continued(found.recordings, args.out / "joined")
    cache = (args.runs / args.instrument if args.instrument else args.out) / "features"
    analyses = list(analyse(recordings, config, cache))
    inspection = inspect_recordings(analyses, len(recordings), config)
    uses = plan_use(analyses, config)
    train, valid, test = (sum(use.splits[name][1] for use in uses.values()) for name in SPLITS)
    advice = give_advice(
        inspection, used_seconds=train + valid + test, held_out_seconds=min(valid, test)
    )
    title = args.instrument or ", ".join(uses)
    patch = None
    if not args.instrument and inspection.measured:
        patch = choose_fitting_patch(title, inspection.measured, analyses)
    setting = describe_setting(inspection, args.instrument, patch)
    write_json(args.out / "inspection.json", figures(inspection, found))
    write_page(title, inspection, uses, advice, found, setting=setting, out=args.out)
    found.warn(str(shown(args.out / "inspection.json")))
    print(f"{title}: the page with plots is {shown(args.out / 'index.html')}")
    print("\n".join(inspection_lines(inspection, uses, advice, setting)))
    folders = shlex.join(map(str, args.audio))
    if args.instrument:
        following = f"run --instrument {args.instrument} --audio {folders}{runs_option(args.runs)}"
    else:
        following = f"new_instrument NAME --audio {folders}"
    print(f"next: python -m pipeline.{following}")


def _parser() -> Parser:
    parser = Parser("inspect", main.__doc__)
    add_audio(parser, "folders of recordings, or single files; each is a source", required=True)
    parser.add_argument(
        "--instrument",
        metavar="NAME",
        help=f"instrument whose search range is used: {list_instruments()} (default: the widest "
        "range, and a suggestion)",
    )
    add_out(
        parser,
        "folder for the page and the figures",
        kind=new_folder,
        default=BUILD_DIR / "inspect",
    )
    add_runs(parser)
    return parser


if __name__ == "__main__":
    run_main(main)
