"""Data stage: recordings (or a corpus that it composes) in, a data set of four-second clips out.

    python -m pipeline.data --instrument flute --audio DIR    from recordings
    python -m pipeline.data --instrument flute                from the rendered default corpus
    python -m pipeline.data --instrument flute --audio DIR --corpus    from both

writes ``runs/<instrument>/dataset.npz`` and its summary ``dataset.json``. The features of every
recording are kept in ``runs/<instrument>/features``, so that an interrupted run goes on where it
stopped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.audio.recordings import find_recordings, render_corpus
from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import REPOSITORY
from pipeline.training.clips import build_dataset


def _print_summary(summary: dict[str, Any], run_dir: Path) -> None:
    counts = [
        f"{split} {part['real']['clips'] + part['rendered']['clips']}"
        for split, part in summary["splits"].items()
    ]
    dropped = ", ".join(f"{count} {why}" for why, count in summary["dropped"].items() if count)
    clips, recordings = summary["n_clips"], summary["n_recordings"]
    minutes, minutes_real = summary["minutes"], summary["minutes_real"]
    print(f"{run_dir / 'dataset.npz'}: {clips} clips of {recordings} recordings")
    print(f"  {minutes} min, of which real {minutes_real} min; {', '.join(counts)}")
    print(f"  dropped: {dropped or 'nothing'}")
    print(
        "  pitch {}..{}, loudness {}..{} dB, mean confidence {}".format(
            *summary["f0_notes"], *summary["loudness_db"], summary["mean_confidence"]
        )
    )
    print(f"next: python -m pipeline.train --instrument {summary['instrument']} --variant full")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the data stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.data", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin, piano")
    parser.add_argument(
        "--audio",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="recordings",
    )
    parser.add_argument(
        "--corpus",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="compose and render the default corpus (default: only without --audio)",
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs", help="folder of all runs")
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    use_corpus = not args.audio if args.corpus is None else args.corpus
    if not args.audio and not use_corpus:
        raise UserError("nothing to learn from: give --audio DIR or leave out --no-corpus")
    run_dir = args.out / config.instrument
    recordings = [found for folder in args.audio for found in find_recordings(folder, config.data)]
    if use_corpus:
        recordings += render_corpus(config, run_dir / "corpus")
    _print_summary(build_dataset(config, recordings, run_dir), run_dir)


if __name__ == "__main__":
    run_main(main)
