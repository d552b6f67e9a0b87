"""Checks configuration values: the fields of a dataclass declare what they accept.

A field is annotated with its type and, where the type alone allows too much, with a restriction::

    steps: Annotated[int, Within(1, 10_000_000), "optimizer steps"] = 120_000
    variant: Annotated[str, OneOf(VARIANTS)]

`from_table` checks a TOML table against these declarations; `pipeline.core.training_options` turns
them into command-line options, with the string as help.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pipeline.core.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Within:
    """Accepts numbers from `lowest` to `highest`, both included."""

    lowest: float
    highest: float

    def __str__(self) -> str:
        if self.lowest == self.highest:
            return f"{self.lowest:g}, the only value that is supported"
        return f"from {self.lowest:.10g} to {self.highest:.10g}"

    def accepts(self, value: float) -> bool:
        """Returns whether `value` is in range; NaN never is."""
        return self.lowest <= value <= self.highest


@dataclass(frozen=True)
class OneOf:
    """Accepts one of several strings."""

    choices: Sequence[str]

    def __str__(self) -> str:
        return f"that is one of {', '.join(self.choices)}"

    def accepts(self, value: str) -> bool:
        """Returns whether `value` is one of the choices."""
        return value in self.choices


@dataclass(frozen=True)
class Identifier:
    """Accepts names that can be part of a file name and of a C identifier."""

    def __str__(self) -> str:
        return "of letters, digits and underscores that begins with a letter"

    def accepts(self, value: str) -> bool:
        """Returns whether `value` is such a name."""
        return re.fullmatch("[A-Za-z][A-Za-z0-9_]*", value) is not None


Restriction = Within | OneOf | Identifier

_NOUNS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list[str]: "a list of strings",
    list[float]: "a list of numbers",
    list[list[float]]: "a list of lists of numbers",
    str | dict[str, Any]: "a name or a table",
}


@dataclass(frozen=True)
class Field:
    """What a field of a configuration accepts.

    Attributes:
        name: Its name, also the key in TOML.
        type: bool, int, float, str, a list of these, or a dataclass for a nested table.
        restriction: What it accepts of this type; None for everything.
        default: Its default; None if there is none.
        is_required: Whether a table must contain it.
        help: What it means, for ``--help``.
    """

    name: str
    type: Any
    restriction: Restriction | None
    default: Any
    is_required: bool
    help: str

    @property
    def allowed(self) -> str:
        """What the field accepts, in words, such as "a whole number from 1 to 8"."""
        noun = _NOUNS.get(self.type, "a table")
        return noun if self.restriction is None else f"{noun} {self.restriction}"

    def accepts(self, value: Any) -> bool:
        """Returns whether `value` has the field's type and satisfies its restriction."""
        if not _has_type(value, self.type):
            return False
        return self.restriction is None or self.restriction.accepts(value)


def _has_type(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) is list:
        (item,) = get_args(wanted)
        return isinstance(value, list) and all(_has_type(each, item) for each in value)
    if get_origin(wanted) is UnionType:
        return any(_has_type(value, each) for each in get_args(wanted))
    if is_dataclass(wanted) or get_origin(wanted) is dict:
        return isinstance(value, dict)
    if wanted is float:  # 230 is accepted as 230.0; true, inf and nan are not
        return type(value) in (int, float) and abs(value) < math.inf
    return type(value) is wanted


def fields_of(kind: type) -> dict[str, Field]:
    """Returns the declared fields of a dataclass by name."""
    hints = get_type_hints(kind, include_extras=True)
    declared = {}
    for field in fields(kind):
        hint = hints[field.name]
        base, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if get_origin(base) is UnionType and NoneType in get_args(base):
            base = get_args(base)[0]  # an optional table; TOML has no null
        restriction = next((note for note in notes if isinstance(note, Restriction)), None)
        explanation = next((note for note in notes if isinstance(note, str)), "")
        is_required = field.default is MISSING and field.default_factory is MISSING
        default = None if field.default is MISSING else field.default
        declared[field.name] = Field(
            field.name, base, restriction, default, is_required, explanation
        )
    return declared


def from_table(kind: type[T], table: dict[str, Any], path: Path, *, section: str = "") -> T:
    """Fills a dataclass from a TOML table and checks every entry.

    Args:
        kind: The dataclass.
        table: The entries; nested tables fill nested dataclasses.
        path: The file that the table comes from, for error messages.
        section: Prefix of the keys in error messages, such as ``"data."``.

    Raises:
        UserError: An entry is unknown, missing, of the wrong type or not allowed.
    """
    declared = fields_of(kind)
    if unknown := set(table) - set(declared):
        raise UserError(
            f"{path}: unknown entry {section}{min(unknown)}; allowed: {', '.join(declared)}"
        )
    values = {}
    for name, value in table.items():
        field = declared[name]
        if not field.accepts(value):
            raise UserError(f"{path}: {section}{name} = {value!r}: give {field.allowed}")
        if isinstance(field.type, type) and is_dataclass(field.type):
            value = from_table(field.type, value, path, section=f"{section}{name}.")
        values[name] = value
    for name, field in declared.items():
        if field.is_required and name not in table:
            raise UserError(f"{path}: {section}{name} is missing: give {field.allowed}")
    try:
        return kind(**values)
    except ValueError as error:  # from __post_init__: entries that contradict each other
        raise UserError(f"{path}: {error}") from None
