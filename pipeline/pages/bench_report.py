"""Tells what `pipeline.bench` measured: as text, as the README's table, as a picture.

    python -m pipeline.bench_report build/bench.json --picture data/pictures/quality_cost.svg

prints Markdown and draws quality against cost: the spectral distance (MSS) of each float model to
real recordings, over the instructions that its int8 firmware executes in a frame of 4 ms.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.target.chips import CHIPS

Row = Mapping[str, Any]
VARIANT_NAMES = {
    "full": "Full",
    "reduced": "Reduced",
    "reduced_ad": "Reduced + AD",
    "reduced_cd": "Reduced + CD",
}
MARKERS = {"full": "s", "reduced": "o", "reduced_ad": "^", "reduced_cd": "D"}
COLOURS = {"flute": "#0b6e75", "trumpet": "#b4481e", "violin": "#5b4a9c", "piano": "#4d4d4d"}
GREY = "#888888"
TICKS = (10_000, 20_000, 50_000, 100_000, 200_000, 400_000, 1_000_000)
DODGE = 1.05  # between instruments
PICTURE_BOARD = "qemu_m4"
STYLE: dict[Any, Any] = {
    "font.family": "serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.hashsalt": "neural fm",  # the same figures make the same bytes
}


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints one line per firmware."""
    print(
        f"{'run':<18}{'format':<9}{'engine':<7}{'core':<11}{'decoder':>9}{'fm/sample':>10}{'total':>9}"
        f"{'code':>7}{'model':>8}{'flash':>8}{'RAM':>7}  CPU share (estimate)"
    )
    for row in rows:
        per_frame, size = row["instructions_per_frame"], row["bytes"]
        estimates = ", ".join(
            f"{100 * chip['cpu_share']:.1f} % of {chip['name']} @ {chip['clock_hz'] / 1e6:.0f} MHz"
            f" ({chip['cycles_per_frame'] / per_frame['total']:.2f} cycles an instruction"
            f"{'' if chip['fits'] else '; its memory is too small'})"
            for chip in row["chips"]
        )
        print(
            f"{row['run']:<18}{row['format']:<9}{row['engine']:<7}{row['core']:<11}"
            f"{per_frame['decoder']:>9.0f}"
            f"{row['instructions_per_sample']['fm']:>10.1f}{per_frame['total']:>9.0f}"
            f"{size['decoder_code']:>7}{size['model']:>8}{size['firmware_flash']:>8}"
            f"{size['firmware_ram']:>7}  {estimates}"
        )
    places = "; ".join(f"{chip.memory} ({chip.name})" for chip in CHIPS)
    print("Instructions are counted, a frame's where nothing else is said; bytes are the linker's.")
    print(
        f"Shares are estimates: cycles by the cores' timing tables, code and weights in {places}."
    )


def print_rooms(rooms: Sequence[Mapping[str, Any]]) -> None:
    """Prints what rooms add, one line each."""
    print(f"{'room':<8}{'core':<12}{'mean':>8}{'worst':>8}{'flash':>9}{'RAM':>9}{'error':>14}")
    for row in rooms:
        per_frame, size = row["instructions_per_frame"], row["bytes"]
        shares = ", ".join(f"{100 * c['cpu_share']:.1f} % of {c['name']}" for c in row["chips"])
        print(
            f"{row['seconds']:<8g}{row['core']:<12}{per_frame['mean']:>8.0f}{per_frame['worst']:>8}"
            f"{size['added_flash']:>9}{size['added_ram']:>9}{row['error_dbfs']:>9} dBFS"
            f"  with {row['run']} {shares}"
        )


def markdown(figures: Row) -> str:
    """Returns the figures as Markdown: tables of models, one row each, of rooms and of boards.

    Args:
        figures: Content of the JSON file.
    """
    tables = (
        _models(figures["rows"]),
        _rooms(figures["rooms"]),
        _boards(figures.get("boards", [])),
    )
    return "\n\n".join(table for table in tables if table)


def _models(rows: Sequence[Row]) -> str:
    boards = [chip for chip in CHIPS if any(row["board"] == chip.board for row in rows)]
    engines = sorted({row["engine"] for row in rows})
    head = ["model", "format", "parameters", "MAC a frame", "flash", "RAM"]
    head += [f"{chip.name}, {chip.clock_hz / 1e6:.0f} MHz" for chip in boards]
    groups: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        key = (row["run"], row["format"], row["engine"])
        groups.setdefault(key, {})[row["board"]] = row
    lines = []
    for (run, fmt, engine), by_board in groups.items():
        one = next(iter(by_board.values()))
        instrument, _, variant = run.partition("/")
        name = f"{instrument}, {VARIANT_NAMES.get(variant, variant)}"
        cells = [name, fmt if len(engines) == 1 else f"{fmt}, {engine}"]
        cells += [_thousands(one["parameters"]), _thousands(one["mac_per_frame"])]
        size = one["bytes"]
        cells += [_kilobytes(size["firmware_flash"]), _kilobytes(size["firmware_ram"])]
        cells += [_share(by_board.get(chip.board)) for chip in boards]
        lines.append(cells)
    return _table(head, lines)


def _share(row: Row | None) -> str:
    """Instructions a frame and the share of the board's first chip."""
    if row is None:
        return ""
    chip = row["chips"][0]
    share = f"{100 * chip['cpu_share']:.1f} %" if chip["fits"] else "too large"
    return f"{_thousands(row['instructions_per_frame']['total'])}, {share}"


def _rooms(rooms: Sequence[Row]) -> str:
    head = ["room", "core", "instructions a frame, mean", "worst", "flash", "RAM", "error"]
    return _table(
        head,
        [
            [
                f"{row['seconds']:g} s",
                row["core"],
                _thousands(row["instructions_per_frame"]["mean"]),
                _thousands(row["instructions_per_frame"]["worst"]),
                _kilobytes(row["bytes"]["added_flash"]),
                _kilobytes(row["bytes"]["added_ram"]),
                f"{row['error_dbfs']:.1f} dBFS",
            ]
            for row in rooms
        ],
    )


def _boards(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = ["board", "core", "instructions a block and voice", "CPU share", "note-on to sample"]
    head += ["flash", "RAM, one voice", "RAM, all voices", "live: instructions a block (worst)"]
    lines = []
    for row in rows:
        texts = {
            "cpu_share": _percent,
            "note_on_ms": _milliseconds,
            "flash_bytes": _kilobytes,
            "ram_bytes": _kilobytes,
        }
        line = [f"{row['board']}, {row['clock_hz'] / 1e6:.0f} MHz", row["core"]]
        line.append(_thousands(row["instructions_per_block"]))
        for name, text in texts.items():
            verdict = "of" if row["within"][name] else "**exceeds**"
            line.append(f"{text(row[name])} {verdict} {text(row['limits'][name])}")
        n_voices, more = row["n_voices"], _kilobytes(row["ram_bytes_per_further_voice"])
        line.append(f"{_kilobytes(row['image_ram_bytes'])}: {n_voices}, {more} each")
        line.append(_live(row["live"]))
        lines.append(line)
    told = (
        f"One voice of {rows[0]['run']}. Counted: instructions, in the emulator of the core;\n"
        "flash and RAM by the linker, with the stack; note-on to sample, from the bytes of MIDI,\n"
        "two blocks and the attack's first audible sample; live, analysis and voice. Estimated:\n"
        "the shares of the time, by the cores' timing tables, with the waits of the memory."
    )
    return f"{_table(head, lines)}\n\n{told}"


def _live(live: Row | None) -> str:
    if live is None:
        return "no input"
    mean, worst = live["instructions_per_block"], live["worst_block_instructions"]
    return f"{_thousands(mean)} ({_thousands(worst)}), {_percent(live['cpu_share'])}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _milliseconds(number: float) -> str:
    return f"{number:.1f} ms"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _thousands(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


def _kilobytes(n_bytes: float) -> str:
    return f"{n_bytes / 1000:.1f} kB"


def picture_points(rows: Sequence[Row]) -> list[tuple[Row, float, bool]]:
    """Chooses what is drawn: int8 models of the ``aot`` engine on the Cortex-M4F.

    Returns:
        Row, MSS on the validation split, and whether that is of real recordings; instruments that
        have none are judged by rendered ones, models without metrics are left out.
    """
    points = []
    for row in rows:
        mss = row["mss_valid"]
        is_real = mss.get("real") is not None
        distance = mss.get("real" if is_real else "rendered")
        chosen = (row["board"], row["engine"], row["format"]) == (PICTURE_BOARD, "aot", "int8")
        if chosen and distance is not None:
            points.append((row, float(distance), is_real))
    return points


def draw(rows: Sequence[Row], out: Path) -> None:
    """Draws quality against cost; models of equal cost stand side by side.

    Args:
        rows: Of the JSON file.
        out: Picture; its suffix chooses SVG or PNG.

    Raises:
        UserError: No model has both, or the suffix is of no picture.
    """
    import matplotlib.pyplot as plt  # takes a second, and only pictures need it

    points = picture_points(rows)
    if not points:
        raise UserError(
            "nothing to draw: the file has no int8 model on qemu_m4 with validation figures"
        )
    if out.suffix not in (".svg", ".png"):
        raise UserError(f"{out} has to end with .svg or .png")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
        costs = [row["instructions_per_frame"]["total"] for row, _, _ in points]
        for place, (instrument, colour) in enumerate(COLOURS.items()):
            own = [point for point in points if point[0]["instrument"] == instrument]
            sideways = DODGE ** (place - (len(COLOURS) - 1) / 2)
            drawn = [
                (sideways * row["instructions_per_frame"]["total"], distance)
                for row, distance, _ in own
            ]
            if drawn:  # from the best of the small models to the large one
                best = min(drawn, key=lambda xy: (round(xy[0], -3), xy[1]))
                ends = zip(best, max(drawn), strict=True)
                axes.plot(*ends, linewidth=0.7, color=colour, alpha=0.5)
            for (row, _, is_real), (x, y) in zip(own, drawn, strict=True):
                face = colour if is_real else "white"
                marker = MARKERS.get(row["variant"], "x")
                axes.plot(x, y, marker, markersize=6, color=colour, markerfacecolor=face)
        axes.set_xscale("log")
        ticks = [n for n in TICKS if min(costs) / 1.7 < n < 1.7 * max(costs)]
        axes.set_xticks(ticks, [_thousands(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlim(min(costs) / 1.7, max(costs) * 1.7)
        axes.margins(y=0.12)
        axes.grid(axis="y", linewidth=0.4, color="#dddddd")
        axes.set_axisbelow(True)
        axes.set_xlabel("instructions a frame of 4 ms, int8 on a Cortex-M4F")
        axes.set_ylabel("MSS to validation recordings")

        def key(label: str, colour: str, marker: str = "o", face: str | None = None) -> None:
            axes.plot([], [], marker, color=colour, markerfacecolor=face or colour, label=label)

        for name, colour in COLOURS.items():
            if any(row["instrument"] == name for row, _, _ in points):
                key(name.capitalize(), colour)
        for name, marker in MARKERS.items():
            if any(row["variant"] == name for row, _, _ in points):
                key(VARIANT_NAMES[name], GREY, marker)
        if not all(is_real for _, _, is_real in points):
            key("rendered audio", GREY, face="white")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, handletextpad=0.3)
        undated = {"Date": None} if out.suffix == ".svg" else {}
        with atomic_write(out) as temporary:
            figure.savefig(temporary, dpi=200, metadata=undated)
        plt.close(figure)


def load_figures(path: Path) -> dict[str, Any]:
    """Reads the JSON file of `pipeline.bench`.

    Raises:
        UserError: It is missing, or something else.
    """
    try:
        figures = json.loads(path.read_text())
        found = {name: figures[name] for name in ("rows", "rooms")}
        return found | {"boards": figures.get("boards", [])}
    except OSError:
        raise UserError(f"{path} is missing: run python -m pipeline.bench --json {path}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} is no bench file, or a damaged one: run python -m pipeline.bench --json {path}"
        ) from None
