"""Tells what `pipeline.bench` measured: as text, as the README's table, as a picture.

    python -m pipeline.bench_report build/bench.json --picture data/pictures/quality_cost.svg

prints Markdown and draws quality against cost: the spectral distance (MSS) of each float model to
real recordings, over the instructions that its int8 firmware executes in a frame of 4 ms.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.pages.bench_report import draw, load_figures, markdown


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the tables as Markdown, and draws the picture."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.bench_report", description=main.__doc__
    )
    parser.add_argument("json", type=Path, help="file of pipeline.bench")
    parser.add_argument("--picture", type=Path, help="SVG or PNG of quality against cost")
    arguments = parser.parse_args(argv)
    figures = load_figures(arguments.json)
    print(markdown(figures))
    if arguments.picture is not None:
        draw(figures["rows"], arguments.picture)
        print(f"\n{arguments.picture} written")


if __name__ == "__main__":
    run_main(main)
