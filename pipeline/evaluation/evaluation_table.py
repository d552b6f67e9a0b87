"""Prints the figures of an evaluation that fit into a table of 120 columns."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.model.harmonic_metrics import BANDS_HZ
from pipeline.model.silence_metrics import ZERO_DBFS

Entry = Mapping[str, Mapping[str, float | None]]
NAME_WIDTH = 22


def print_table(systems: Mapping[str, Any]) -> None:
    """Prints the mean figures: a line per system, and one per source if there are several.

    Args:
        systems: ``systems`` of ``metrics.json``.
    """
    print(_line("", [title for title, _, _ in COLUMNS]))
    print(_line("system", [unit for _, unit, _ in COLUMNS]))
    for name, entry in systems.items():
        print(_line(name, [text(entry) for _, _, text in COLUMNS]))
        if len(entry["by_source"]) > 1:
            for source, part in entry["by_source"].items():
                label = f"  {_shortened(source)} ({part['n_recordings']})"
                print(_line(label, [text(part) for _, _, text in COLUMNS]))
    bands = ", ".join(f"{low / 1000:g} to {high / 1000:g}" for low, high in BANDS_HZ.values())
    print(
        "overtones: mean error, and bias at " + bands + " kHz; noise: bias between overtones at the"
        " same\nfrequencies; hnr: bias of the harmonics-to-noise ratio; MSS: mean and standard "
        "deviation over recordings"
    )


def _shortened(source: str) -> str:
    longest = NAME_WIDTH - len("   (999) ")
    return source if len(source) <= longest else source[: longest - 1] + "…"


def _line(name: str, cells: list[str]) -> str:
    columns = zip(cells, WIDTHS, strict=True)
    return (f"{name:<{NAME_WIDTH}}" + "".join(f"{c:>{width}}" for c, width in columns)).rstrip()


def _number(name: str, digits: int) -> Callable[[Entry], str]:
    def text(entry: Entry) -> str:
        value = entry["mean"].get(name)
        return "" if value is None else f"{value:.{digits}f}"

    return text


def _mss(entry: Entry) -> str:
    mean, spread = entry["mean"]["mss"], entry["spread"]["mss"]
    return f"{mean:.2f}" + ("" if spread is None else f" ±{spread:.2f}")


def _by_band(name: str) -> Callable[[Entry], str]:
    def text(entry: Entry) -> str:
        values = [entry["mean"].get(f"{name}_{band}_db") for band in BANDS_HZ]
        return "/".join("–" if value is None else f"{value:+.0f}" for value in values)

    return text


def _silence(entry: Entry) -> str:
    value = entry["mean"]["silence_dbfs"]
    if value is None:
        return ""
    return "zero" if value <= ZERO_DBFS else f"{value:.0f}"


# Two lines of heading, and the text of the cell.
COLUMNS: list[tuple[str, str, Callable[[Entry], str]]] = [
    ("", "MSS", _mss),
    ("sound", "MSS", _number("mss_sound", 2)),
    ("overtones", "dB", _number("partial_error_db", 1)),
    ("bias", "dB", _by_band("partial_bias")),
    ("noise", "dB", _by_band("noise_bias")),
    ("hnr", "dB", _number("hnr_bias_db", 1)),
    ("loudness", "dB", _number("loudness_error_db", 1)),
    ("f0", "cents", _number("f0_error_cents", 1)),
    ("silence", "dBFS", _silence),
    ("to float", "MSS", _number("mss_to_float", 2)),
    ("level", "dB", _number("level_error_db", 2)),
]
WIDTHS = (12, 6, 10, 12, 12, 6, 9, 6, 8, 9, 6)
