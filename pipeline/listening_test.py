"""Listening test: from the ratings of several listeners to a box plot and a table.

    python -m pipeline.listening_test ratings_*.csv --out ratings.png

reads the CSV files that ``listening_test.html`` of `pipeline.page` saves. As ITU-R BS.1534-3
recommends, a listener who rates the hidden reference below 90 in more than 15 % of the trials is
left out, unless ``--keep-all`` is given.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.pages.mushra import (
    LOWEST_REFERENCE,
    draw,
    group,
    print_table,
    read_ratings,
    unreliable,
)


def main(argv: Sequence[str] | None = None) -> None:
    """Draws the box plot of a listening test from the CSV files of its listeners."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.listening_test", description=main.__doc__
    )
    parser.add_argument("csv", type=Path, nargs="+", help="files that the listening test saved")
    parser.add_argument("--out", type=Path, required=True, help="picture, .png, .svg or .pdf")
    parser.add_argument(
        "--keep-all", action="store_true", help="keep listeners who missed the hidden reference"
    )
    args = parser.parse_args(argv)
    if args.out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UserError(f"{args.out}: choose a name that ends with .png, .svg or .pdf")
    ratings = [rating for path in args.csv for rating in read_ratings(path)]
    if not args.keep_all:
        for (listener, date), share in unreliable(ratings).items():
            ratings = [rating for rating in ratings if rating.session != (listener, date)]
            print(
                f"left out: {listener} of {date}, who rated the hidden reference below "
                f"{LOWEST_REFERENCE} in {100 * share:.0f} % of the trials"
            )
    if not ratings:
        raise UserError(f"no ratings are left of {args.csv[0]}: give more files, or --keep-all")
    groups = group(ratings)
    n_listeners = len({rating.session for rating in ratings})
    draw(groups, n_listeners, args.out)
    print_table(groups)
    print(f"{args.out}: {len(ratings)} ratings of {n_listeners} listeners")


if __name__ == "__main__":
    run_main(main)
