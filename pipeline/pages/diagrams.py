"""Draws the instrument as SVG: its signal path, its two networks and its FM patches.

The drawings take their colours and fonts from the page that contains them (``assets/page.css``).
`picture_text` embeds these style rules into the README's picture of the signal path.
"""

import re
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path

from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, N_OPERATORS, SAMPLE_RATE
from pipeline.core.instrument_config import TcnConfig, load_instrument
from pipeline.core.patch import Patch
from pipeline.core.paths import REPOSITORY

PICTURE = REPOSITORY / "data" / "pictures" / "signal_path.svg"
ASSETS = Path(__file__).parent / "assets"
OPERATOR_SIZE = (54, 30)
OPERATOR_PITCH = (70, 58)  # distance between neighbouring operators, across and down
LAYER_PITCH = 15  # distance between convolutions; the network is 1000 units wide
Point = tuple[float, float]


def _svg(width: float, height: float, label: str, content: str, style: str = "") -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}"'
        f"{style}>{content}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str = "note", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'
    )


def _arrow(*points: Point, kind: str = "wire") -> str:
    """Draws straight segments that end in an arrowhead."""
    (x0, y0), (x1, y1) = points[-2:]
    length = max(abs(x1 - x0), abs(y1 - y0))
    along_x, along_y = (x1 - x0) / length, (y1 - y0) / length
    x, y = x1 - 7 * along_x, y1 - 7 * along_y
    sides = [(x + side * along_y, y + side * along_x) for side in (-4, 4)]
    tip = " ".join(f"{x:g},{y:g}" for x, y in [(x1, y1), *sides])
    return f'{_line(*points, kind=kind)}<polygon class="{kind}-head" points="{tip}"/>'


def _line(*points: Point, kind: str = "wire") -> str:
    places = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline class="{kind}" points="{places}"/>'


def signal_path_svg(full: TcnConfig, reduced: TcnConfig) -> str:
    """Draws the path from a recording to sound, and what training compares."""
    steps = [
        ("recording", f"{SAMPLE_RATE // 1000} kHz", 1, 104, "box"),
        ("features", f"{FRAME_RATE} frames/s", 140, 142, "box"),
        ("TCN decoder", f"{reduced.n_blocks} × {reduced.hidden_channels}", 366, 122, "box device"),
        ("sigmoid", f"{N_OPERATORS} levels", 546, 96, "box device"),
        ("FM patch", f"{N_OPERATORS} operators", 686, 108, "box device"),
        ("reverb", "learnt", 852, 80, "box"),
        ("sound", f"{HOP_SAMPLES} samples/frame", 968, 142, "box"),
    ]
    top, bottom = 46, 104
    middle, noise, teacher, floor = (top + bottom) / 2, 146, 224, 304
    parts = [
        '<rect class="frame" x="346" y="14" width="490" height="166" rx="10"/>',
        _text(591, 34, "on the microcontroller, in blocks of 4 ms"),
    ]
    for name, note, x, width, kind in steps:
        parts.append(_box(x, top, width, bottom - top, kind))
        parts.append(_text(x + width / 2, top + 26, name, "name"))
        parts.append(_text(x + width / 2, top + 44, note))
    for (_, _, x, width, _), (_, _, following, _, _) in pairwise(steps):
        parts.append(_arrow((x + width, middle), (following - 1, middle)))
    parts += [
        _text(315, middle - 8, "f0"),
        _text(315, middle + 18, "loudness"),
        _box(546, noise - 24, 248, 48, "box device"),
        _text(670, noise - 4, "noise", "name"),
        _text(670, noise + 14, "two learnt spectra"),
        _arrow((356, middle), (356, noise), (545, noise)),
        _arrow((594, bottom), (594, noise - 25)),
        _arrow((794, noise), (824, noise), (824, middle + 1)),
        _text(516, middle - 8, "logits"),
        _box(366, teacher, 122, 50),
        _text(427, teacher + 21, "full teacher", "name"),
        _text(427, teacher + 39, f"{full.n_blocks} × {full.hidden_channels}"),
        _arrow((211, bottom), (211, teacher + 25), (365, teacher + 25)),
        _arrow((427, teacher), (427, bottom + 2), kind="teach"),
        _text(440, 202, "teaches the student its sound (AD) or its levels (CD)", anchor="start"),
        _arrow((53, bottom), (53, floor), (1039, floor), (1039, bottom + 2), kind="teach"),
        _text(640, floor - 8, "multi-scale spectral loss between sound and recording"),
    ]
    return _svg(1112, floor + 8, "The signal path, from a recording to sound", "".join(parts))


def network_svg(config: TcnConfig, n_frames: int) -> str:
    """Draws the frames that one output depends on, convolution by convolution.

    Args:
        config: Shape of the network.
        n_frames: Number of frames that the picture shows, the current frame being the last.
    """
    n_layers = 2 * config.n_blocks

    def place(layer: int, frame: int) -> Point:
        return 1000 * (1 - (frame + 0.5) / n_frames), 6 + LAYER_PITCH * (n_layers - layer)

    threads, dots = [], [(n_layers, 0)]
    reached = {0}  # frames of the layer below, counted backwards from the current one
    for layer in reversed(range(n_layers)):
        taps = [tap * 2 ** (layer // 2) for tap in range(config.kernel_size)]
        for frame in sorted(reached):
            x, y = place(layer + 1, frame)
            ends = [place(layer, frame + tap) for tap in taps]
            threads += [f"M{x:.1f} {y}L{end_x:.1f} {end_y}" for end_x, end_y in ends]
        reached = {frame + tap for frame in reached for tap in taps}
        dots += [(layer, frame) for frame in sorted(reached)]
    circles = "".join(
        '<circle class="wire-head" cx="{:.1f}" cy="{}" r="1.6"/>'.format(*place(*dot))
        for dot in dots
    )
    (x, y), (_, bottom) = place(n_layers, 0), place(0, 0)
    content = (
        f'<path class="thread" d="{"".join(threads)}"/>{circles}'
        f'<circle class="teach-head" cx="{x:.1f}" cy="{y}" r="4"/>'
    )
    return _svg(1000, bottom + 6, f"Receptive field of {config.receptive_field} frames", content)


def patch_svg(patch: Patch) -> str:
    """Draws an FM patch like a DX7 algorithm: carriers at the bottom, modulators above them."""
    places = _place_operators(patch)
    (width, height), (across, down) = OPERATOR_SIZE, OPERATOR_PITCH
    rows = max(row for _, row in places.values()) + 1
    total = (max(column for column, _ in places.values()) + 1) * across
    floor = rows * down - (down - height) + 14

    def centre(operator: int) -> Point:
        column, row = places[operator]
        return (column + 0.5) * across, (rows - 1 - row) * down + height / 2 + 1

    parts = []
    for target, sources in enumerate(patch.modulators):
        x1, y1 = centre(target)
        for source in sources:
            x0, y0 = centre(source)
            bend = y1 - height / 2 - 14
            parts.append(_arrow((x0, y0), (x0, bend), (x1, bend), (x1, y1 - height / 2)))
    ends = [centre(carrier) for carrier in patch.carriers]
    parts += [_line((x, y), (x, floor)) for x, y in ends]
    parts.append(_arrow((min(x for x, _ in ends), floor), (total - 2, floor)))
    for operator in range(N_OPERATORS):
        x, y = centre(operator)
        kind = "box carrier" if operator in patch.carriers else "box"
        parts.append(_box(x - width / 2, y - height / 2, width, height, f"{kind} ground"))
        parts.append(_box(x - width / 2, y - height / 2, width, height, kind))
        parts.append(_text(x - 14, y + 5, str(operator + 1), "name"))
        parts.append(_text(x + 9, y + 4.5, f"{float(patch.ratios[operator]):g}"))
    style = f' style="max-width:{total}px"'
    return _svg(total, floor + 5, f"FM patch {patch.routing}", "".join(parts), style)


def _place_operators(patch: Patch) -> dict[int, tuple[float, int]]:
    """Assigns every operator a column and a row, centred above the operators it modulates."""
    rows: dict[int, int] = {}
    columns: dict[int, float] = {}
    for operator in reversed(patch.order):  # every operator comes after those that it modulates
        targets = [i for i in range(N_OPERATORS) if operator in patch.modulators[i]]
        rows[operator] = max((rows[target] + 1 for target in targets), default=0)
    n_columns = 0
    for operator in patch.order:  # every operator comes after its modulators
        own = [i for i in patch.modulators[operator] if rows[i] == rows[operator] + 1]
        sole = [i for i in own if sum(i in sources for sources in patch.modulators) == 1]
        if sole:
            columns[operator] = sum(columns[i] for i in sole) / len(sole)
        else:
            columns[operator] = n_columns
            n_columns += 1
    for operator in patch.order:  # a modulator of several operators stands between them
        targets = [i for i in range(N_OPERATORS) if operator in patch.modulators[i]]
        if len(targets) > 1:
            columns[operator] = sum(columns[i] for i in targets) / len(targets)
    used = sorted(columns.values())
    return {operator: (columns[operator] - used[0], rows[operator]) for operator in columns}


def operator_rows(patch: Patch) -> list[str]:
    """Places the operators as `patch_svg` does, in lines of text, the carriers in the last."""
    places = _place_operators(patch)
    n_rows = max(row for _, row in places.values()) + 1
    lines = [[" "] * 24 for _ in range(n_rows)]
    for operator, (column, row) in places.items():
        lines[n_rows - 1 - row][round(4 * column)] = str(operator + 1)
    return ["".join(line).rstrip() for line in lines]


def roles(patch: Patch) -> Iterator[str]:
    """Yields the role of each operator in words, operator 1 first."""
    for operator in range(N_OPERATORS):
        targets = [str(i + 1) for i in range(N_OPERATORS) if operator in patch.modulators[i]]
        yield f"modulates operator {' and '.join(targets)}" if targets else "carrier"


def picture_text() -> str:
    """Returns the content of `PICTURE`: the signal path as an SVG file with its own styles."""
    config = load_instrument("flute")  # the network has the same shape for all instruments
    return _standalone(signal_path_svg(config.full, config.reduced))


def _standalone(drawing: str) -> str:
    """Turns a drawing into an SVG file: adds the page's rules and a background."""
    variables = re.findall(r"^(?::root|@media \(prefers).*?^}", _asset("style.css"), re.S | re.M)
    rules = re.findall(r"^\.drawing (?!svg|{)(.*)$", _asset("page.css"), re.M)
    rules.append("svg { background: var(--paper); }")
    head, content = drawing.split(">", 1)
    style = "\n".join([*variables, *rules]).replace(".drawing ", "")
    return f'{head} xmlns="http://www.w3.org/2000/svg">\n<style>\n{style}\n</style>\n{content}\n'


def _asset(name: str) -> str:
    return (ASSETS / name).read_text()
