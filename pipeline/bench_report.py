"""Reports what `pipeline.bench` measured, as Markdown tables and as a picture.

    python -m pipeline.bench_report build/bench.json --picture data/pictures/quality_cost.svg

The picture shows quality against cost: the spectral distance (MSS) of each float model to real
recordings, over the instructions that its int8 firmware executes per frame of 4 ms.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.parser import Parser
from pipeline.pages.bench_tables import load_figures, markdown
from pipeline.pages.quality_cost import draw


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the results of pipeline.bench as Markdown tables and draws quality against cost."""
    parser = Parser("bench_report", main.__doc__)
    parser.add_argument("json", type=Path, help="JSON file that pipeline.bench wrote")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="write the picture to this SVG or PNG file (default: no picture)",
    )
    args = parser.parse_args(argv)
    figures = load_figures(args.json)
    remedy = (
        f"run python -m pipeline.bench --json {args.json} again, with the options that it was "
        "written with"
    )
    try:
        print(markdown(figures))
        if args.picture is not None:
            draw(figures["rows"], args.picture)
    except KeyError as missing:
        raise UserError(
            f"{args.json} has no {missing.args[0]}, so another version has written it: {remedy}"
        ) from None
    except (TypeError, ValueError, AttributeError):
        raise UserError(f"{args.json} has damaged figures: {remedy}") from None
    if args.picture is not None:
        print(f"\n{args.picture} written")


if __name__ == "__main__":
    run_main(main)
