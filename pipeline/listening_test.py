"""Summarizes the ratings of a listening test as a box plot and a table.

    python -m pipeline.listening_test ratings_*.csv --out ratings.png

This reads the CSV files that ``listening_test.html`` of `pipeline.page` saves. As ITU-R BS.1534-3
recommends, listeners who rate the hidden reference below 90 in more than 15 % of the trials are
left out, unless ``--keep-all`` is given.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.options import add_out, new_file
from pipeline.core.parser import Parser
from pipeline.pages.mushra import (
    LOWEST_REFERENCE,
    draw,
    group,
    print_table,
    read_ratings,
    unreliable,
)


def main(argv: Sequence[str] | None = None) -> None:
    """Summarizes the ratings of a listening test as a box plot and a table."""
    parser = Parser("listening_test", main.__doc__)
    parser.add_argument("csv", type=Path, nargs="+", help="CSV files that the listening test saved")
    add_out(parser, "picture to write, .png, .svg or .pdf", kind=new_file)
    parser.add_argument(
        "--keep-all",
        action="store_true",
        help="keep listeners who missed the hidden reference (default: leave them out)",
    )
    args = parser.parse_args(argv)
    if args.out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UserError(f"{args.out}: give --out a name that ends with .png, .svg or .pdf")
    ratings = [rating for path in args.csv for rating in read_ratings(path)]
    if not args.keep_all:
        for (listener, date), share in unreliable(ratings).items():
            ratings = [rating for rating in ratings if rating.session != (listener, date)]
            print(
                f"left out: {listener} of {date}, who rated the hidden reference below "
                f"{LOWEST_REFERENCE} in {100 * share:.0f} % of the trials"
            )
    if not ratings:
        raise UserError(f"{args.csv[0]}: no ratings are left: give more files, or --keep-all")
    groups = group(ratings)
    n_listeners = len({rating.session for rating in ratings})
    draw(groups, n_listeners, args.out)
    print_table(groups)
    print(f"{args.out}: {len(ratings)} ratings by {n_listeners} listeners")


if __name__ == "__main__":
    run_main(main)
