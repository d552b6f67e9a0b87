"""Evaluates ratings of the listening test: reliability of listeners, box plots and a table."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.evaluation.systems import REFERENCE, System
from pipeline.pages.catalogue import page_systems

matplotlib.use("Agg")

COLUMNS = ("listener", "date", "trial", "instrument", "take", "system", "letter", "rating")
LOWEST_REFERENCE = 90  # rating below which a listener has missed the hidden reference
MISSED_SHARE = 0.15  # largest share of trials in which a reliable listener may miss it
COLOURS = matplotlib.colormaps["turbo"]  # spread over the systems in their order
INK, GREY, GRID = "#1c1e21", "#5a6068", "#dfe0dc"
LEGEND_INCHES = 2.4  # width of a legend entry
BOX_STYLE: dict[str, Any] = {
    "patch_artist": True,
    "showmeans": True,
    "medianprops": {"color": INK, "linewidth": 1.6},
    "whiskerprops": {"linewidth": 0.8},
    "capprops": {"linewidth": 0.8},
    "flierprops": {"markersize": 3, "markeredgecolor": GREY},
    "meanprops": {
        "marker": "o",
        "markersize": 3.5,
        "markerfacecolor": "white",
        "markeredgecolor": INK,
        "markeredgewidth": 0.7,
    },
}
ORDER = {system.name: place for place, system in enumerate(page_systems(VARIANTS, VARIANTS))}
Ratings = Mapping[str, Mapping[str, list[float]]]  # by instrument and system


@dataclass(frozen=True)
class Rating:
    """One row of a CSV file.

    Attributes:
        session: Listener and date.
        trial: Number of the trial, from 1.
        instrument: Name of the instrument.
        system: Name of the system.
        rating: From 0 to 100.
    """

    session: tuple[str, str]
    trial: int
    instrument: str
    system: str
    rating: float


def read_ratings(path: Path) -> list[Rating]:
    """Reads the ratings in one file.

    Raises:
        UserError: The file is missing, or was not saved by the listening test.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise UserError(
                    f"{path} does not have the columns {','.join(COLUMNS)}: give files that the "
                    "listening test saved"
                )
            return [_parse_row(row, f"{path}, line {reader.line_num}") for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: give files that the listening test saved") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: give files that the listening test saved") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV file ({error}): save the ratings again") from None


def _parse_row(row: dict[str, str], place: str) -> Rating:
    try:
        trial, rating = int(row["trial"]), float(row["rating"])
    except (TypeError, ValueError):
        raise UserError(
            f"{place}: trial or rating is not a number: correct or remove the line"
        ) from None
    if not 0 <= rating <= 100:
        raise UserError(f"{place}: rating {rating:g} is not within 0 to 100: correct the line")
    return Rating((row["listener"], row["date"]), trial, row["instrument"], row["system"], rating)


def unreliable(ratings: Sequence[Rating]) -> dict[tuple[str, str], float]:
    """Finds listeners who miss the hidden reference too often, as ITU-R BS.1534-3 recommends.

    Returns:
        Share of trials in which these listeners missed the hidden reference, by session.
    """
    missed = defaultdict(list)
    for rating in ratings:
        if rating.system == REFERENCE.name:
            missed[rating.session].append(rating.rating < LOWEST_REFERENCE)
    shares = {session: float(np.mean(misses)) for session, misses in missed.items()}
    return {session: share for session, share in shares.items() if share > MISSED_SHARE}


def group(ratings: Sequence[Rating]) -> dict[str, dict[str, list[float]]]:
    """Groups ratings by instrument and by system, in the order of the page.

    If there are several instruments, the group ``all`` is added at the end.
    """
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in sorted(ratings, key=lambda rating: _place(rating.system)):
        groups[rating.instrument][rating.system].append(rating.rating)
    result = {instrument: dict(systems) for instrument, systems in groups.items()}
    if len(result) > 1:
        names = {name for by_system in result.values() for name in by_system}
        result["all"] = {
            name: [value for by_system in groups.values() for value in by_system.get(name, [])]
            for name in sorted(names, key=_place)
        }
    return result


def _place(name: str) -> int:
    """Returns the place of a system on the page; unknown systems come last."""
    return ORDER.get(name, len(ORDER))


def _label(name: str) -> str:
    return System.from_name(name).label if name in ORDER else name


def draw(groups: Ratings, n_listeners: int, path: Path) -> None:
    """Draws box plots: quartiles, whiskers of 1.5 interquartile ranges, and the mean as a dot."""
    systems = list(dict.fromkeys(system for by_system in groups.values() for system in by_system))
    colours = dict(zip(systems, COLOURS(np.linspace(0.1, 0.9, len(systems))), strict=True))
    width = 0.8 / len(systems)
    inches = max(6.0, 0.26 * len(systems) * len(groups))
    n_columns = int(inches / LEGEND_INCHES)
    n_rows = -(-len(systems) // n_columns)
    figure, axes = plt.subplots(figsize=(inches, 4.5 + 0.25 * n_rows))
    labels = {system: _label(system) for system in systems}
    for x, by_system in enumerate(groups.values()):
        for i, (system, values) in enumerate(by_system.items()):
            axes.boxplot(
                [values],
                positions=[x + (i - (len(by_system) - 1) / 2) * width],
                widths=0.8 * width,
                label=labels.pop(system, None),  # once in the legend
                boxprops={"facecolor": colours[system], "edgecolor": INK, "linewidth": 0.8},
                **BOX_STYLE,
            )
    axes.set_xticks(range(len(groups)), [name.capitalize() for name in groups])
    axes.set_xlim(-0.55, len(groups) - 0.45)
    _format_axes(axes)
    plural = "" if n_listeners == 1 else "s"
    axes.set_title(f"{n_listeners} listener{plural}", loc="left", fontsize=10, color=GREY)
    entries = axes.get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=n_columns, frameon=False)
    figure.set_layout_engine("constrained")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=160)
    plt.close(figure)


def _format_axes(axes: Any) -> None:
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("Rating")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def print_table(groups: Ratings) -> None:
    """Prints the number, median, quartiles, and mean with its 95 % interval for each box."""
    print(f"{'':<10}{'system':<32}{'n':>5}{'median':>8}{'quartiles':>12}{'mean':>7}{'95 %':>7}")
    for instrument, by_system in groups.items():
        for system, values in by_system.items():
            low, median, high = np.percentile(values, [25, 50, 75])
            spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
            interval = 1.96 * spread / np.sqrt(len(values))
            margin = f"±{interval:.1f}" if np.isfinite(interval) else ""
            print(
                f"{instrument:<10}{_label(system):<32}{len(values):>5}{median:>8.1f}"
                f"{f'{low:.0f}–{high:.0f}':>12}{np.mean(values):>7.1f}{margin:>7}"
            )
