"""Draws the quality of an ablation's settings over the instructions of their firmware."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pipeline.ablation.grid import NONE
from pipeline.core.files import atomic_write
from pipeline.core.markdown import thousands
from pipeline.pages.quality_cost import STYLE, TICKS

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLOURS = ("#0b6e75", "#b4481e", "#5b4a9c", "#4d4d4d", "#8a6d00", "#a61e5c", "#2f7d32", "#1f5fa8")
LABEL_SIDES = ((-14, "top"), (14, "bottom"))  # in turns, because shapes of similar cost are close


@dataclass(frozen=True)
class Point:
    """A setting's place in the picture.

    Attributes:
        shape: What is before the first comma of its name.
        method: What is behind it; empty if there is none.
        instructions: Per frame, by core.
        figure: Mean over seeds of the mean over instruments and sources.
        spread: Standard deviation over seeds; 0 with one seed.
    """

    shape: str
    method: str
    instructions: dict[str, int]
    figure: float
    spread: float


def points(results: dict[str, Any]) -> list[Point]:
    """Returns a point for each setting, by the first figure of the table.

    Settings are judged on the sources that were held out, or on all if none was.

    Args:
        results: Content of ``results.json`` with ``instructions``.
    """
    name = results["grid"]["evaluate"]["figures"][0]
    by_setting: dict[str, dict[int, list[float]]] = {}
    for task in results["tasks"]:
        judged = task["figures"]["int8"]
        held_out = task["hold_out"]
        values = judged if held_out == NONE else {held_out: judged[held_out]}
        seeds = by_setting.setdefault(task["setting"], {})
        seeds.setdefault(task["seed"], []).extend(
            figures[name] for figures in values.values() if figures[name] is not None
        )
    found = []
    for setting, seeds in by_setting.items():
        means = [mean(values) for values in seeds.values() if values]
        shape, _, method = setting.partition(", ")
        if means:
            spread = stdev(means) if len(means) > 1 else 0.0
            counts = results["instructions"][setting]
            found.append(Point(shape, method, counts, mean(means), spread))
    return found


def draw(results: dict[str, Any], out: Path) -> None:
    """Draws a panel for each core as SVG: a figure over instructions per frame, lower is better.

    Args:
        results: Content of ``results.json`` with ``instructions``.
        out: Picture to write.
    """
    import matplotlib.pyplot as plt  # importing it takes a second, and only pictures need it

    found = points(results)
    cores = list(found[0].instructions)
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            1, len(cores), figsize=(4.2 * len(cores), 3.4), sharey=True, squeeze=False,
            layout="constrained",
        )  # fmt: skip
        for core, axes in zip(cores, panels[0], strict=True):
            _draw_core(axes, found, core)
        panels[0][0].set_ylabel(results["grid"]["evaluate"]["figures"][0])
        panels[0][-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        with atomic_write(out) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        plt.close(figure)


def _draw_core(axes: Any, found: Sequence[Point], core: str) -> None:
    counts = Counter(point.method for point in found)
    labelled = counts.most_common(1)[0][0]
    for method, marker, colour in zip(counts, cycle(MARKERS), cycle(COLOURS), strict=False):
        own = sorted(
            (point for point in found if point.method == method),
            key=lambda point: point.instructions[core],
        )
        costs = [point.instructions[core] for point in own]
        axes.errorbar(
            costs, [point.figure for point in own], [point.spread for point in own],
            fmt=marker, markersize=5, color=colour, linewidth=0.7, capsize=2,
            label=method or own[0].shape,
        )  # fmt: skip
        if method == labelled:  # the shapes are named once
            for point, (offset, align) in zip(own, cycle(LABEL_SIDES), strict=False):
                axes.annotate(
                    point.shape, (point.instructions[core], point.figure), xytext=(0, offset),
                    textcoords="offset points", ha="center", va=align, rotation=90, fontsize=6,
                )  # fmt: skip
    axes.margins(y=0.28)  # for the names
    axes.set_xscale("log")
    lowest, highest = axes.get_xlim()
    ticks = [tick for tick in TICKS if lowest < tick < highest]
    axes.set_xticks(ticks, [thousands(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="y", linewidth=0.4, color="#dddddd")
    axes.set_xlabel(f"instructions per frame, {core}")
