"""Formats the results of `pipeline.bench` as tables, for the terminal and as Markdown."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.constants import VARIANT_LABELS
from pipeline.core.errors import UserError
from pipeline.core.markdown import table, thousands
from pipeline.evaluation.measured_boards import measured_text
from pipeline.target.boards import ESTIMATED_BOARDS

Row = Mapping[str, Any]
FAR = 0.15  # of the cycles: estimates that differ by more are explained
CYCLE_NOTES = f"""\
Cycles of one pass of the loop, memory without waits. Where the estimates differ by more than
{100 * FAR:.0f} %, the last columns say where ours has more cycles. llvm-mca counts one cycle for a
load or store of several words, where Arm's manual gives one for each word and one more, and none
for refilling the pipeline after a taken branch. The rest on the M7: cycle_model scales the cycles
of the M4 by CoreMark, and llvm-mca pairs instructions. On the M33: cycle_model has a cycle for each
word on the single bus of the RP2350, and llvm-mca takes the core for an M4."""


def load_figures(path: Path) -> dict[str, Any]:
    """Reads the JSON file of `pipeline.bench`.

    Raises:
        UserError: The file is missing, is not a bench file, or has no results.
    """
    remedy = f"run python -m pipeline.bench --json {path}"
    try:
        figures = json.loads(path.read_text())
        found = {name: figures[name] for name in ("rows", "reverbs")}
        found |= {name: figures.get(name, []) for name in ("boards", "cycles")}
        if not all(map(_is_table, found.values())):
            raise ValueError
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is damaged or is not a bench file: {remedy}") from None
    if not any(found.values()):
        raise UserError(f"{path} has no results: {remedy}")
    return found


def _is_table(rows: object) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def print_models(rows: Sequence[Row]) -> None:
    """Prints one line per firmware."""
    print(
        f"{'run':<18}{'format':<9}{'engine':<7}{'core':<11}{'decoder':>9}{'fm/sample':>10}{'total':>9}"
        f"{'code':>7}{'model':>8}{'flash':>8}{'RAM':>7}  CPU share (estimate)"
    )
    for row in rows:
        per_frame, size = row["instructions_per_frame"], row["bytes"]
        estimates = ", ".join(
            f"{100 * chip['cpu_share']:.1f} % of {chip['name']} @ {chip['clock_hz'] / 1e6:.0f} MHz"
            f" ({chip['cycles_per_frame'] / per_frame['total']:.2f} cycles per instruction"
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
    places = "; ".join(f"{b.weight_memory.description} ({b.chip})" for b in ESTIMATED_BOARDS)
    print("Instructions were counted, per frame unless stated otherwise; sizes are in bytes.")
    print(
        "CPU shares are estimates: cycles from the cores' timing tables, code and weights in "
        f"{places}."
    )


def print_reverbs(reverbs: Sequence[Row]) -> None:
    """Prints the cost of each reverb, one line per reverb."""
    print(f"{'reverb':<8}{'core':<12}{'mean':>8}{'worst':>8}{'flash':>9}{'RAM':>9}{'error':>14}")
    for row in reverbs:
        per_frame, size = row["instructions_per_frame"], row["bytes"]
        shares = ", ".join(f"{100 * c['cpu_share']:.1f} % of {c['name']}" for c in row["chips"])
        print(
            f"{row['seconds']:<8g}{row['core']:<12}{per_frame['mean']:>8.0f}{per_frame['worst']:>8}"
            f"{size['added_flash']:>9}{size['added_ram']:>9}{row['error_dbfs']:>9} dBFS"
            f"  with {row['run']} {shares}"
        )


def markdown(figures: Row) -> str:
    """Returns Markdown tables of the models, the reverbs and the boards.

    Args:
        figures: Content of the JSON file.
    """
    sections = {_models: "rows", _reverbs: "reverbs", _boards: "boards", _cycles: "cycles"}
    texts = [section(figures[name]) for section, name in sections.items() if figures.get(name)]
    return "\n".join(texts).rstrip()


def _models(rows: Sequence[Row]) -> str:
    counted = {row["board"] for row in rows}
    boards = [board for board in ESTIMATED_BOARDS if board.emulated_by in counted]
    engines = {row["engine"] for row in rows}
    head = ["model", "format", "parameters", "MAC per frame", "flash", "RAM"]
    head += [f"{board.chip}, {board.clock_hz / 1e6:.0f} MHz" for board in boards]
    groups: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        key = (row["run"], row["format"], row["engine"])
        groups.setdefault(key, {})[row["board"]] = row
    lines = []
    for (run, fmt, engine), by_board in groups.items():
        one = next(iter(by_board.values()))
        instrument, _, variant = run.partition("/")
        name = f"{instrument}, {VARIANT_LABELS.get(variant, variant)}"
        cells = [name, fmt if len(engines) == 1 else f"{fmt}, {engine}"]
        cells += [thousands(one["parameters"]), thousands(one["mac_per_frame"])]
        size = one["bytes"]
        cells += [_kilobytes(size["firmware_flash"]), _kilobytes(size["firmware_ram"])]
        cells += [_share(by_board.get(board.emulated_by)) for board in boards]
        lines.append(cells)
    return table(head, lines)


def _share(row: Row | None) -> str:
    """Returns the instructions per frame and the CPU share of the board's first chip."""
    if row is None:
        return ""
    chip = row["chips"][0]
    share = _percent(chip["cpu_share"]) if chip["fits"] else "too large"
    return f"{thousands(row['instructions_per_frame']['total'])}, {share}"


def _reverbs(reverbs: Sequence[Row]) -> str:
    head = ["reverb", "core", "instructions per frame, mean", "worst", "flash", "RAM", "error"]
    return table(
        head,
        [
            [
                f"{row['seconds']:g} s",
                row["core"],
                thousands(row["instructions_per_frame"]["mean"]),
                thousands(row["instructions_per_frame"]["worst"]),
                _kilobytes(row["bytes"]["added_flash"]),
                _kilobytes(row["bytes"]["added_ram"]),
                f"{row['error_dbfs']:.1f} dBFS",
            ]
            for row in reverbs
        ],
    )


def _boards(rows: Sequence[Row]) -> str:
    head = ["board", "core", "instructions per block and voice", "CPU share", "note-on to sample"]
    head += ["flash", "RAM, one voice", "worst block, all voices", "RAM, all voices"]
    head += ["live: instructions per block (worst)", "measured on a board"]
    notes = (
        f"One voice of {rows[0]['run']}. Instructions are counted in an emulator of the core.\n"
        "Flash and RAM come from the linker and include the stack. Note-on to sample is the time\n"
        "for the MIDI bytes, two blocks and the attack up to its first audible sample. Live is\n"
        "analysis and voice together. In the worst block, all voices start with another\n"
        "instrument, are stolen, or play different ones, with output at 48 kHz.\n"
        "CPU shares are estimates: cycles from the cores' timing tables, with the wait states of\n"
        "the memory."
    )
    return f"{table(head, [_board_cells(row) for row in rows])}\n{notes}"


def _cycles(rows: Sequence[Row]) -> str:
    head = ["loop", "core", "of its stage", "instructions", "cycles by cycle_model", "by", "cycles"]
    head += ["difference", "loads of several words", "taken branches", "rest"]
    lines = []
    for row in rows:
        difference = row["ours"] - row["theirs"]
        rest = difference - row["several_words"] - row["branches"]
        relative = f"{100 * difference / row['theirs']:+.0f} %"
        is_far = abs(difference) > FAR * row["theirs"]
        cells = [row["loop"], row["core"], f"{100 * row['share']:.0f} %", str(row["instructions"])]
        cells += [f"{row['ours']:.0f}", row["by"], f"{row['theirs']:.0f}"]
        cells.append(f"**{relative}**" if is_far else relative)
        parts = (row["several_words"], row["branches"], rest)
        cells += [f"{part:+.0f}" for part in parts] if is_far else [""] * len(parts)
        lines.append(cells)
    return f"{table(head, lines, n_numeric=4)}\n{CYCLE_NOTES}"


def _board_cells(row: Row) -> list[str]:
    formats = {
        "cpu_share": _percent,
        "note_on_ms": lambda number: f"{number:.1f} ms",
        "flash_bytes": _kilobytes,
        "ram_bytes": _kilobytes,
        "worst_share": _percent,
    }
    cells = [f"{row['board']}, {row['clock_hz'] / 1e6:.0f} MHz", row["core"]]
    cells.append(thousands(row["instructions_per_block"]))
    for name, text in formats.items():
        verdict = "of" if row["within"][name] else "**exceeds**"
        cells.append(f"{text(row[name])} {verdict} {text(row['limits'][name])}")
    n_voices, more = row["n_voices"], _kilobytes(row["ram_bytes_per_further_voice"])
    cells.append(f"{_kilobytes(row['image_ram_bytes'])}: {n_voices}, {more} each")
    cells += [_live(row["live"]), measured_text(row["board"])]
    return cells


def _live(live: Row | None) -> str:
    if live is None:
        return "no input"
    mean, worst = live["instructions_per_block"], live["worst_block_instructions"]
    return f"{thousands(mean)} ({thousands(worst)}), {_percent(live['cpu_share'])}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _kilobytes(n_bytes: float) -> str:
    return f"{n_bytes / 1000:.1f} kB"
