"""Turns recordings, or a corpus that it composes, into a data set of clips of four seconds.

    python -m pipeline.data --instrument flute --audio DIR             from recordings
    python -m pipeline.data --instrument flute                         from the default corpus
    python -m pipeline.data --instrument flute --audio DIR --corpus    from both
    python -m pipeline.data --instrument flute --audio A B --hold-out B    B only for the test
    python -m pipeline.data --instrument piano --corpus FluidR3_GM TimGM6mb    two sound sets

Every folder is a source, and so is every sound set that renders the corpus. Whole recordings of
each source are kept for validation and test. Files that continue each other without a seam are one
recording, and notes that are shorter than a clip are joined.

The features of every recording are measured twice: with a look ahead, and as the firmware measures
them in live sound, so that a model can also be played live.

Writes ``runs/<instrument>/dataset.npz`` and its summary, ``dataset.json``. The features of every
recording are cached in ``runs/<instrument>/features``, so the same command resumes after an
interruption.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.audio.continuation import join_continued
from pipeline.audio.recordings import Found, open_recordings, render_corpus
from pipeline.core.cli import run_main
from pipeline.core.files import require_writable
from pipeline.core.instrument_config import InstrumentConfig, load_instrument
from pipeline.core.options import add_instrument, add_runs
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.core.processes import used_alone
from pipeline.core.recording_options import add_sources, chosen_sound_sets
from pipeline.core.runs import runs_option
from pipeline.target.live_features import live_extractor
from pipeline.training.dataset_building import build_dataset
from pipeline.training.dataset_summary import summary_lines
from pipeline.training.splits import check_hold_out


def main(argv: Sequence[str] | None = None) -> None:
    """Turns recordings, or a composed and rendered corpus, into a data set of clips."""
    args = _parser().parse_args(argv)
    config = load_instrument(args.instrument)
    sound_sets = chosen_sound_sets(args, config)
    run_dir = args.runs / config.instrument
    require_writable(run_dir)
    with used_alone(run_dir):
        summary = _make_dataset(args, config, run_dir, sound_sets)
    print("\n".join(summary_lines(summary, run_dir / "dataset.npz")))
    print(
        f"next: python -m pipeline.train --instrument {config.instrument} --variant full"
        f"{runs_option(args.runs)}"
    )


def _make_dataset(
    args: argparse.Namespace, config: InstrumentConfig, run_dir: Path, sound_sets: Sequence[str]
) -> dict[str, Any]:
    """Opens or renders recordings, and turns them into a data set; returns its summary."""
    found = open_recordings(args.audio, config.data) if args.audio else Found()
    sources = [recording.source for recording in found.recordings]
    check_hold_out(args.hold_out, [*sources, *sound_sets])
    found.warn(str(shown(run_dir / "dataset.json")))
    recordings = join_continued(found.recordings, run_dir / "joined")
    recordings += render_corpus(config, run_dir / "corpus", sound_sets) if sound_sets else []
    return build_dataset(
        config,
        recordings,
        run_dir,
        hold_out=args.hold_out,
        passed_over=found.by_path(),
        measure_live=live_extractor(config.data),
    )


def _parser() -> Parser:
    parser = Parser("data", main.__doc__)
    add_instrument(parser)
    add_sources(parser)
    add_runs(parser)
    return parser


if __name__ == "__main__":
    run_main(main)
