"""Patches as data: the files of ``data/patches``, and the ``[patch]`` tables of other files.

    routing = "6>5>1 4>3>1 2>1"             # or: algorithm = 16, as the DX7 numbers them
    ratios = [1, 1, 1, 2, 2, "3/2"]         # of operators 1 to 6 to f0; decimals or fractions
    detune_cents = [0, 0, 0, 0, 1, -1]      # optional
    stretch = [1, 7, 64, 48, 512, 192]      # optional, with the inharmonicity of MIDI notes
    inharmonicity = [[36, 8e-5], [96, 5e-3]]

The file's name is the patch's name. A table within an instrument's file may contain ``name``.
"""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.core.constants import N_OPERATORS
from pipeline.core.dx7_algorithms import ALGORITHMS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, read_toml
from pipeline.core.patch import Patch
from pipeline.core.paths import PATCH_DIR
from pipeline.core.schema import Identifier

PatchValue = str | dict[str, Any]  # the name of a patch, or a table that describes one
_NOT_IN_COMMENT = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"  # names of files may have these
ENTRIES = ("routing", "algorithm", "ratios", "detune_cents", "stretch", "inharmonicity")


def known_patches() -> list[str]:
    """Lists the patches of ``data/patches`` by name."""
    names = (path.stem for path in PATCH_DIR.glob("*.toml"))
    return sorted(name for name in names if Identifier().accepts(name))


def load_patch(name: str) -> Patch:
    """Loads a patch from ``data/patches/<name>.toml``.

    Raises:
        UserError: There is no such patch, or an entry of the file is missing or not allowed.
    """
    known = known_patches()
    if name not in known:
        raise UserError(f"unknown patch {name!r}: choose one of {', '.join(known)}")
    return read_patch(PATCH_DIR / f"{name}.toml")


def read_patch(path: Path) -> Patch:
    """Reads a patch's file, whose name is the patch's name.

    Raises:
        UserError: The file is missing or not valid, or an entry is missing or not allowed.
    """
    table = read_toml(path)
    try:
        _check_name(path.stem)
        return _patch(path.stem, table, ENTRIES)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def resolve_patch(value: PatchValue, instrument: str) -> Patch:
    """Returns the patch that the entry ``patch`` of a configuration names or describes.

    Args:
        value: The entry.
        instrument: Name of the instrument, and of a described patch that has no name.

    Raises:
        ValueError: There is no such patch, or an entry of the table is missing or not allowed.
        UserError: The file of the patch is not valid.
    """
    if isinstance(value, str):
        known = known_patches()
        if value not in known:
            raise ValueError(
                f"patch = {value!r}: give one of {', '.join(known)}, or a table [patch] with "
                "routing (or algorithm) and ratios"
            )
        return load_patch(value)
    try:
        name = value.get("name", instrument)
        _check_name(name)
        return _patch(name, value, ("name", *ENTRIES))
    except ValueError as error:
        raise ValueError(f"[patch] {error}") from None


def patch_table(patch: Patch) -> dict[str, Any]:
    """Returns the table that `resolve_patch` turns into the patch again."""
    table: dict[str, Any] = {
        "name": patch.name,
        "routing": patch.routing,
        "ratios": [str(ratio) for ratio in patch.ratios],
    }
    if any(patch.detune_cents):
        table["detune_cents"] = list(patch.detune_cents)
    if patch.is_stretched:
        table["stretch"] = list(patch.stretch)
        table["inharmonicity"] = list(map(list, patch.inharmonicity))
    return table


def patch_text(patch: Patch, comments: Iterable[str] = ()) -> str:
    """Formats the file of a patch; `comments` are lines that precede the entries."""
    lines = [f"# {re.sub(_NOT_IN_COMMENT, '?', comment)}" for comment in comments]
    lines.append(f'routing = "{patch.routing}"')
    lines.append(f"ratios = [{', '.join(map(_shown, patch.ratios))}]")
    if any(patch.detune_cents):
        lines.append(f"detune_cents = [{', '.join(f'{x:g}' for x in patch.detune_cents)}]")
    if patch.is_stretched:
        lines.append(f"stretch = {list(patch.stretch)}")
        pairs = (f"[{note:g}, {value:.3g}]" for note, value in patch.inharmonicity)
        lines.append(f"inharmonicity = [{', '.join(pairs)}]")
    return "\n".join(lines) + "\n"


def save_patch(patch: Patch, path: Path, comments: Iterable[str] = ()) -> None:
    """Writes a patch's file.

    Raises:
        UserError: The file exists, or its name cannot be the patch's name.
    """
    if path.suffix != ".toml" or not Identifier().accepts(path.stem):
        raise UserError(f"{path}: give a file name NAME.toml, NAME {Identifier()}")
    if path.exists():
        raise UserError(f"{path} exists: give another name, or remove it first")
    with atomic_write(path) as temporary:
        temporary.write_text(patch_text(patch, comments))


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not Identifier().accepts(name):
        raise ValueError(f"name = {name!r}: give a string {Identifier()}")


def _patch(name: str, table: dict[str, Any], allowed: Iterable[str]) -> Patch:
    if unknown := sorted(set(table) - set(allowed)):
        raise ValueError(f"unknown entry {unknown[0]}; allowed: {', '.join(allowed)}")
    ratios = table.get("ratios")
    if isinstance(ratios, str):
        ratios = ratios.split()
    if not isinstance(ratios, list):
        given = "is missing" if ratios is None else f"= {ratios!r}"
        raise ValueError(f'ratios {given}: give six numbers, such as [1, 1, 1, 2, 2, "3/2"]')
    cents = table.get("detune_cents", [0] * N_OPERATORS)
    if not isinstance(cents, list) or not all(type(x) in (int, float) for x in cents):
        raise ValueError(f"detune_cents = {cents!r}: give six numbers, in cents")
    detune = tuple(float(x) for x in cents)
    stretch = table.get("stretch", [0] * N_OPERATORS)
    if not isinstance(stretch, list) or not all(type(x) is int for x in stretch):
        raise ValueError(f"stretch = {stretch!r}: give six whole numbers, such as n^3 of partial n")
    curve = _curve(table.get("inharmonicity", []))
    routing = _routing(table)
    return Patch(name, routing, tuple(map(_fraction, ratios)), detune, tuple(stretch), curve)


def _curve(pairs: Any) -> tuple[tuple[float, float], ...]:
    """Reads pairs of a MIDI note and its inharmonicity."""
    is_list = isinstance(pairs, list) and all(isinstance(pair, list) for pair in pairs)
    if not is_list or any([type(x) in (int, float) for x in pair] != [True] * 2 for pair in pairs):
        raise ValueError(
            f"inharmonicity = {pairs!r}: give pairs of a MIDI note and its inharmonicity, such as "
            "[[36, 0.0001], [96, 0.005]]"
        )
    return tuple((float(note), float(value)) for note, value in pairs)


def _routing(table: dict[str, Any]) -> str:
    """Returns the routing, given as such or by the number of the DX7's algorithm."""
    routing, number = table.get("routing"), table.get("algorithm")
    if (routing is None) == (number is None):
        given = "neither is" if routing is None else "both are"
        raise ValueError(f"routing and algorithm: {given} given; give one of the two")
    if number is not None:
        if type(number) is not int or number not in ALGORITHMS:
            raise ValueError(f"algorithm = {number!r}: give a whole number from 1 to 32")
        return ALGORITHMS[number]
    if not isinstance(routing, str):
        raise ValueError(f"routing = {routing!r}: give a string")
    return routing


def _fraction(value: Any) -> Fraction:
    """Reads a ratio exactly: 1.5 and "3/2" are the same."""
    text = str(value).strip()
    is_number = type(value) in (int, float, str)
    if not is_number or not re.fullmatch(r"\d{1,9}(\.\d{1,9}|/0*[1-9]\d{0,8})?", text, re.ASCII):
        raise ValueError(f'ratios: {value!r} is not a decimal such as 1.5 or a fraction "3/2"')
    return Fraction(text)


def _shown(ratio: Fraction) -> str:
    """Formats a ratio as a decimal if that is exact, else as a fraction in quotes."""
    decimal = f"{float(ratio):.9g}"
    return decimal if Fraction(decimal) == ratio else f'"{ratio}"'
