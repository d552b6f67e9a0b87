"""Listening test: from the ratings of several listeners to a box plot and a table.

    python -m pipeline.listening_test ratings_*.csv --out ratings.png

reads the CSV files that ``listening_test.html`` of `pipeline.page` saves. As ITU-R BS.1534-3
recommends, a listener who rates the hidden reference below 90 in more than 15 % of the trials is
left out, unless ``--keep-all`` is given.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.pages.listening_page import system_labels

matplotlib.use("Agg")


COLUMNS = ("listener", "date", "trial", "instrument", "take", "system", "letter", "rating")
LOWEST_REFERENCE = 90  # that a listener gives who hears the hidden reference
MISSED_SHARE = 0.15  # of the trials in which it may be lower
COLOURS = matplotlib.colormaps["turbo"]  # as many as there are systems, in their order
LEGEND_INCHES = 2.4  # that an entry of the legend takes
Ratings = Mapping[str, Mapping[str, list[float]]]  # by instrument and system


@dataclass(frozen=True)
class Rating:
    """One row of a CSV file; `session` is a listener at a date."""

    session: tuple[str, str]
    trial: int
    instrument: str
    system: str
    rating: float


def read_ratings(path: Path) -> list[Rating]:
    """Reads the ratings of one file.

    Raises:
        UserError: The file is missing, or is not what the listening test saves.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise UserError(
                    f"{path} has not the columns {','.join(COLUMNS)}: give files that the "
                    "listening test saved"
                )
            return [_parse_row(row, f"{path}, line {reader.line_num}") for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: give files that the listening test saved") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV file ({error}): save the ratings again") from None


def _parse_row(row: dict[str, str], place: str) -> Rating:
    try:
        trial, rating = int(row["trial"]), float(row["rating"])
    except (TypeError, ValueError):
        raise UserError(f"{place}: trial or rating is no number: mend or remove the line") from None
    if not 0 <= rating <= 100:
        raise UserError(f"{place}: rating {rating:g} is not within 0 to 100: mend it")
    return Rating((row["listener"], row["date"]), trial, row["instrument"], row["system"], rating)


def unreliable(ratings: Sequence[Rating]) -> dict[tuple[str, str], float]:
    """Finds listeners who often missed the hidden reference, with the share of their trials."""
    references = defaultdict(list)
    for rating in ratings:
        if rating.system == "reference":
            references[rating.session].append(rating.rating < LOWEST_REFERENCE)
    shares = {session: float(np.mean(missed)) for session, missed in references.items()}
    return {session: share for session, share in shares.items() if share > MISSED_SHARE}


def group(ratings: Sequence[Rating]) -> dict[str, dict[str, list[float]]]:
    """Sorts ratings by instrument, and by system in the order of the page.

    A second instrument brings the group ``all`` with it, at the end.
    """
    known = list(system_labels())
    order = {system: index for index, system in enumerate(known)}
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in sorted(ratings, key=lambda r: order.get(r.system, len(order))):
        groups[rating.instrument][rating.system].append(rating.rating)
    result = {instrument: dict(systems) for instrument, systems in groups.items()}
    if len(result) > 1:
        systems = sorted(
            {system for by_system in result.values() for system in by_system},
            key=lambda system: order.get(system, len(order)),
        )
        result["all"] = {
            system: [value for name in groups for value in groups[name].get(system, [])]
            for system in systems
        }
    return result


def draw(groups: Ratings, n_listeners: int, path: Path) -> None:
    """Draws the box plot: quartiles, whiskers of 1.5 interquartile ranges, the mean as a dot."""
    systems = list(dict.fromkeys(system for by_system in groups.values() for system in by_system))
    names = {system: system_labels().get(system, system) for system in systems}
    colours = dict(zip(systems, COLOURS(np.linspace(0.1, 0.9, len(systems))), strict=True))
    width = 0.8 / len(systems)
    inches = max(6.0, 0.26 * len(systems) * len(groups))
    n_columns = int(inches / LEGEND_INCHES)
    n_rows = -(-len(systems) // n_columns)
    figure, axes = plt.subplots(figsize=(inches, 4.5 + 0.25 * n_rows))
    for x, by_system in enumerate(groups.values()):
        for i, (system, values) in enumerate(by_system.items()):
            axes.boxplot(
                [values],
                positions=[x + (i - (len(by_system) - 1) / 2) * width],
                widths=0.8 * width,
                patch_artist=True,
                showmeans=True,
                label=names.pop(system, None),  # once in the legend
                boxprops={"facecolor": colours[system], "edgecolor": "#1c1e21", "linewidth": 0.8},
                medianprops={"color": "#1c1e21", "linewidth": 1.6},
                whiskerprops={"linewidth": 0.8},
                capprops={"linewidth": 0.8},
                flierprops={"markersize": 3, "markeredgecolor": "#5a6068"},
                meanprops={"marker": "o", "markersize": 3.5, "markerfacecolor": "white",
                           "markeredgecolor": "#1c1e21", "markeredgewidth": 0.7},
            )  # fmt: skip
    axes.set_xticks(range(len(groups)), [name.capitalize() for name in groups])
    axes.set_xlim(-0.55, len(groups) - 0.45)
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("Rating")
    axes.grid(axis="y", color="#dfe0dc", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    plural = "" if n_listeners == 1 else "s"
    axes.set_title(f"{n_listeners} listener{plural}", loc="left", fontsize=10, color="#5a6068")
    entries = axes.get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=n_columns, frameon=False)
    figure.set_layout_engine("constrained")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=160)
    plt.close(figure)


def print_table(groups: Ratings) -> None:
    """Prints number, median, quartiles and mean with its 95 % interval, a line per box."""
    labels = system_labels()
    print(f"{'':<10}{'system':<28}{'n':>5}{'median':>8}{'quartiles':>12}{'mean':>7}{'95 %':>7}")
    for instrument, by_system in groups.items():
        for system, values in by_system.items():
            low, median, high = np.percentile(values, [25, 50, 75])
            spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
            interval = 1.96 * spread / np.sqrt(len(values))
            margin = f"±{interval:.1f}" if np.isfinite(interval) else ""
            print(
                f"{instrument:<10}{labels.get(system, system):<28}{len(values):>5}{median:>8.1f}"
                f"{f'{low:.0f}–{high:.0f}':>12}{np.mean(values):>7.1f}{margin:>7}"
            )
