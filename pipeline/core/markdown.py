"""Formats tables in Markdown and the numbers in them, and drops links."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, n_numeric: int = 0) -> str:
    """Returns a table, a line per row.

    Args:
        head: The headings.
        rows: The cells.
        n_numeric: Number of columns at the right whose cells are aligned to the right.
    """
    rule = ["---"] * (len(head) - n_numeric) + ["---:"] * n_numeric
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *rows))


def without_relative_links(text: str) -> str:
    """Returns a text whose links to other files are plain text, so that it can stand alone."""
    return re.sub(r"!?\[([^\]]*)\]\((?!https?://|#)[^)]*\)", r"\1", text)


def thousands(number: float) -> str:
    """Formats a whole number with spaces between thousands, such as "51 200"."""
    return f"{number:,.0f}".replace(",", " ")


def counted(number: int, noun: str) -> str:
    """Returns a number and a noun that takes an s in the plural, such as "1 core" or "2 cores"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
