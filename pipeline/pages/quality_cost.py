"""Draws quality against cost: the models' spectral distance over their instructions."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from pipeline.core.constants import VARIANT_LABELS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_names import instrument_label

Row = Mapping[str, Any]
Point = tuple[Row, float, bool]
MARKERS = {"full": "s", "reduced": "o", "reduced_ad": "^", "reduced_cd": "D", "tiny": "v"}
COLOURS = {"flute": "#0b6e75", "trumpet": "#b4481e", "violin": "#5b4a9c", "piano": "#4d4d4d"}
MORE_COLOURS = ("#8a6d00", "#a61e5c", "#2f7d32", "#1f5fa8", "#7a4a2b")  # of other instruments
GREY = "#888888"
TICKS = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 400_000, 1_000_000)
DODGE = 1.05  # horizontal factor between instruments, so that equal costs do not overlap
MARGIN = 1.7  # factor by which the cost axis extends beyond the points on both sides
BOARD = "qemu_m4"
SUFFIXES = (".svg", ".png")
STYLE: dict[Any, Any] = {
    "font.family": "serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.hashsalt": "neural fm",  # makes the bytes of the SVG reproducible
}


def picture_points(rows: Sequence[Row]) -> list[Point]:
    """Selects the models to draw: int8 with the ``aot`` engine on the Cortex-M4F.

    Models without metrics are left out.

    Returns:
        For each model its row, its MSS on the validation split, and whether that MSS was measured
        on real recordings; instruments without real recordings are judged by rendered ones.
    """
    points = []
    for row in rows:
        mss = row["mss_valid"]
        is_real = mss.get("real") is not None
        distance = mss.get("real" if is_real else "rendered")
        chosen = (row["board"], row["engine"], row["format"]) == (BOARD, "aot", "int8")
        if chosen and distance is not None:
            points.append((row, float(distance), is_real))
    return points


def draw(rows: Sequence[Row], out: Path) -> None:
    """Draws quality against cost; models of equal cost stand side by side.

    Args:
        rows: The ``rows`` of the JSON file.
        out: Picture to write; its suffix selects SVG or PNG.

    Raises:
        UserError: No model has quality and cost, or the suffix is not supported.
    """
    import matplotlib.pyplot as plt  # importing it takes a second, and only pictures need it

    points = picture_points(rows)
    if not points:
        raise UserError(
            f"nothing to draw: there is no int8 model on {BOARD} with validation figures; run "
            "python -m pipeline.bench with that board"
        )
    if out.suffix not in SUFFIXES:
        raise UserError(f"{out}: give a name that ends with {' or '.join(SUFFIXES)}")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
        colours = instrument_colours([row["instrument"] for row, _, _ in points])
        for place, (instrument, colour) in enumerate(colours.items()):
            sideways = DODGE ** (place - (len(colours) - 1) / 2)
            own = [point for point in points if point[0]["instrument"] == instrument]
            _draw_instrument(axes, own, colour, sideways)
        _format_axes(axes, [_cost(row) for row, _, _ in points])
        _add_legend(axes, points, colours)
        undated = {"Date": None} if out.suffix == ".svg" else {}
        with atomic_write(out) as temporary:
            figure.savefig(temporary, dpi=200, metadata=undated)
        plt.close(figure)


def _cost(row: Row) -> float:
    return float(row["instructions_per_frame"]["total"])


def instrument_colours(instruments: Iterable[str]) -> dict[str, str]:
    """Returns a colour for each of `COLOURS` and of the given instruments, in this order."""
    others = dict.fromkeys(name for name in instruments if name not in COLOURS)
    return COLOURS | dict(zip(others, cycle(MORE_COLOURS), strict=False))


def _draw_instrument(axes: Any, points: Sequence[Point], colour: str, sideways: float) -> None:
    """Draws an instrument's points, filled if measured on real recordings, and a line.

    Args:
        axes: Where to draw.
        points: The instrument's points.
        colour: Its colour.
        sideways: Factor of its costs.
    """
    drawn = [(sideways * _cost(row), distance) for row, distance, _ in points]
    if drawn:  # the line leads from the best of the small models to the large one
        best = min(drawn, key=lambda xy: (round(xy[0], -3), xy[1]))
        axes.plot(*zip(best, max(drawn), strict=True), linewidth=0.7, color=colour, alpha=0.5)
    for (row, _, is_real), (x, y) in zip(points, drawn, strict=True):
        marker = MARKERS.get(row["variant"], "x")
        face = colour if is_real else "white"
        axes.plot(x, y, marker, markersize=6, color=colour, markerfacecolor=face)


def _format_axes(axes: Any, costs: Sequence[float]) -> None:
    lowest, highest = min(costs) / MARGIN, max(costs) * MARGIN
    axes.set_xscale("log")
    ticks = [n for n in TICKS if lowest < n < highest]
    axes.set_xticks(ticks, [f"{tick:,}".replace(",", " ") for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(lowest, highest)
    axes.margins(y=0.12)
    axes.grid(axis="y", linewidth=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_xlabel("instructions per frame of 4 ms, int8 on a Cortex-M4F")
    axes.set_ylabel("MSS to validation recordings")


def _add_legend(axes: Any, points: Sequence[Point], colours: Mapping[str, str]) -> None:
    """Explains colours and markers with entries that have no points."""

    def add_entry(label: str, colour: str, marker: str = "o", face: str | None = None) -> None:
        axes.plot([], [], marker, color=colour, markerfacecolor=face or colour, label=label)

    for instrument, colour in colours.items():
        if any(row["instrument"] == instrument for row, _, _ in points):
            add_entry(instrument_label(instrument), colour)
    for variant, marker in MARKERS.items():
        if any(row["variant"] == variant for row, _, _ in points):
            add_entry(VARIANT_LABELS[variant], GREY, marker)
    if not all(is_real for _, _, is_real in points):
        add_entry("rendered audio", GREY, face="white")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, handletextpad=0.3)
