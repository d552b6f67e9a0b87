"""Writes the files that are generated from Python and committed, or checks that they are current.

    python -m pipeline.tables [--check]

``make lint`` runs the check.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.ablation import table as ablation_table
from pipeline.core.cli import run_main
from pipeline.core.files import atomic_write
from pipeline.core.parser import Parser
from pipeline.core.paths import APP_DIR, REPOSITORY
from pipeline.emit import tables
from pipeline.emit.boards_cmake import boards_cmake_text
from pipeline.pages import diagrams, model_figures
from pipeline.target import board_tables
from pipeline.target.boards import ALL_BOARDS

GENERATED: dict[Path, Callable[[], str]] = {
    **tables.TABLES,
    APP_DIR / "boards" / "boards.cmake": lambda: boards_cmake_text(tuple(ALL_BOARDS.values())),
    board_tables.README: board_tables.readme_text,
    diagrams.PICTURE: diagrams.picture_text,
    model_figures.PAGE: model_figures.page_text,
    **ablation_table.tables(),
}
"""The function that returns the text of each generated file."""


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the files that are generated from Python and committed, or checks them."""
    parser = Parser("tables", main.__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, list the files that are out of date, and exit with status 1 if "
        "there are any (default: write them)",
    )
    args = parser.parse_args(argv)
    texts = {path: text() for path, text in GENERATED.items()}
    outdated = [path for path, text in texts.items() if not _holds(path, text)]
    for path in outdated:
        if not args.check:
            with atomic_write(path) as temporary:
                temporary.write_text(texts[path])
        print(f"{path.relative_to(REPOSITORY)} {'is out of date' if args.check else 'written'}")
    if not outdated:
        print(f"{len(texts)} generated files are up to date")
    elif args.check:
        print("next: python -m pipeline.tables")
        sys.exit(1)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


if __name__ == "__main__":
    run_main(main)
