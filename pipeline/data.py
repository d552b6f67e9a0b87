"""Turns recordings, or a corpus that it composes, into a data set of clips of four seconds.

    python -m pipeline.data --instrument flute --audio DIR             from recordings
    python -m pipeline.data --instrument flute                         from the default corpus
    python -m pipeline.data --instrument flute --audio DIR --corpus    from both

Writes ``runs/<instrument>/dataset.npz`` and its summary, ``dataset.json``. The features of every
recording are cached in ``runs/<instrument>/features``, so the same command resumes after an
interruption.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.audio.recordings import find_recordings, render_corpus
from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_instrument, add_runs
from pipeline.core.parser import Parser, renamed_option
from pipeline.model.patches import find_patch
from pipeline.training.dataset_building import build_dataset


def main(argv: Sequence[str] | None = None) -> None:
    """Turns recordings, or a composed and rendered corpus, into a data set of clips."""
    parser = Parser("data", main.__doc__)
    add_instrument(parser)
    parser.add_argument(
        "--audio",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folders of recordings, or single files (default: only the corpus)",
    )
    parser.add_argument(
        "--corpus",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="compose and render the default corpus (default: only without --audio)",
    )
    add_runs(parser)
    renamed_option(parser, "--out", "--runs")
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    find_patch(config)  # training needs the patch, so a wrong one is reported before the work
    use_corpus = not args.audio if args.corpus is None else args.corpus
    if not args.audio and not use_corpus:
        raise UserError("no recordings: give --audio DIR, or leave out --no-corpus")
    run_dir = args.runs / config.instrument
    recordings = [found for folder in args.audio for found in find_recordings(folder, config.data)]
    if use_corpus:
        recordings += render_corpus(config, run_dir / "corpus")
    _print_summary(build_dataset(config, recordings, run_dir), run_dir)


def _print_summary(summary: dict[str, Any], run_dir: Path) -> None:
    counts = [
        f"{split} {part['real']['clips'] + part['rendered']['clips']}"
        for split, part in summary["splits"].items()
    ]
    dropped = ", ".join(f"{count} {why}" for why, count in summary["dropped"].items() if count)
    clips, recordings = summary["n_clips"], summary["n_recordings"]
    minutes, minutes_real = summary["minutes"], summary["minutes_real"]
    print(f"{run_dir / 'dataset.npz'}: {clips} clips from {recordings} recordings")
    print(f"  {minutes} min, {minutes_real} min of them real; {', '.join(counts)}")
    print(f"  dropped: {dropped or 'nothing'}")
    print(
        "  pitch {}..{}, loudness {}..{} dB, mean confidence {}".format(
            *summary["f0_notes"], *summary["loudness_db"], summary["mean_confidence"]
        )
    )
    print(f"next: python -m pipeline.train --instrument {summary['instrument']} --variant full")


if __name__ == "__main__":
    run_main(main)
