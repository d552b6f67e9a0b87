"""What the lines of a self-test's report contain (``tflm_app/apps/selftest/report.h``)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Line = Mapping[str, Any]

STALLS = ("cpi", "exc", "sleep", "lsu", "fold")
"""Entries of a line about stalls that are those of a counter, such as ``DWT_CPICNT``."""


@dataclass(frozen=True)
class _Number:
    """Accepts whole numbers that the firmware can print, which are unsigned words."""

    lowest: int = 0

    def accepts(self, value: object) -> bool:
        return type(value) is int and self.lowest <= value < 1 << 32


@dataclass(frozen=True)
class _Text:
    """Accepts strings that match a pattern."""

    pattern: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class _Flag:
    """Accepts true and false."""

    def accepts(self, value: object) -> bool:
        return type(value) is bool


_NUMBER = _Number()
_POSITIVE = _Number(1)
_FLAG = _Flag()
_TEXT = _Text(r"[ !#-\[\]-{}~]{1,100}")  # what neither JSON nor a table of Markdown escapes
_NAME = _Text("[A-Za-z0-9_]{1,100}")
_HEX = _Text("0x[0-9a-f]{1,8}")

_Entries = dict[str, _Number | _Text | _Flag]
_REQUIRED: dict[str, _Entries] = {
    "begin": {
        **{"format": _NUMBER, "board": _NAME, "chip": _TEXT, "counter": _TEXT, "section": _TEXT},
        **{"unit": _Text("cycles|instructions"), "counter_hz": _POSITIVE},
        **{"counts_per_block": _NUMBER, "models": _POSITIVE, "voices": _POSITIVE},
        "cores": _POSITIVE,
    },
    "register": {"name": _TEXT, "section": _TEXT, "value": _HEX},
    "flash": {"bytes": _NUMBER, "expected": _HEX, "found": _HEX, "ok": _FLAG},
    "memory": {"name": _TEXT, "address": _HEX, "bytes": _POSITIVE, "ok": _FLAG},
    "cost": {
        **{"model": _NAME, "stage": _NAME, "caches": _Text("warm|cold")},
        **{"min": _POSITIVE, "median": _POSITIVE, "max": _POSITIVE},
    },
    "model": {"model": _NAME, "tflite": _HEX, "stage": _NAME, "frames": _POSITIVE, "ok": _FLAG},
    "counter": {"name": _NAME, "section": _TEXT, "present": _FLAG},
    "stalls": {
        **{"model": _NAME, "stage": _NAME, "cycles": _POSITIVE},
        **{"stretches": _POSITIVE, "long": _NUMBER},
        **dict.fromkeys(STALLS, _NUMBER),
    },
    "progress": {"block": _NUMBER, "blocks": _NUMBER},
    "worst_block": {
        **{"blocks": _POSITIVE, "voices": _POSITIVE, "mean": _POSITIVE, "max": _POSITIVE},
        **{"at_block": _NUMBER, "late": _NUMBER, "ok": _FLAG},
    },
    "stack": {"bytes": _NUMBER},
    "latency": {
        **{"notes": _POSITIVE, "sounded": _NUMBER},
        **{"min": _NUMBER, "median": _NUMBER, "max": _NUMBER, "ok": _FLAG},
    },
    "clock": {
        **{"name": _TEXT, "section": _TEXT, "hz": _POSITIVE},
        **{"expected": _POSITIVE, "found": _NUMBER, "ok": _FLAG},
    },
    "end": {"lines": _NUMBER, "checks": _NUMBER, "failed": _NUMBER},
}
_OPTIONAL: dict[str, _Entries] = {  # where a fault is
    "memory": {"fault": _HEX},
    "model": {"first_wrong_frame": _NUMBER},
}


def part_of(text: str) -> str:
    """Returns which part of a report a line is; nothing if it is none."""
    part = parse_object(text).get("part")
    return part if isinstance(part, str) else ""


def format_of(text: str) -> int | None:
    """Returns the format of the report that a line begins; None if it begins none."""
    found = parse_object(text).get("format") if part_of(text) == "begin" else None
    return found if _NUMBER.accepts(found) else None


def parse_line(text: str) -> Line:
    """Reads a line of a report.

    Raises:
        ValueError: It is damaged: it is no JSON, or an entry is missing, unknown or impossible.
    """
    line = parse_object(text)
    part = part_of(text)
    required = _REQUIRED.get(part, {})
    known = required | _OPTIONAL.get(part, {})
    entries = {name: value for name, value in line.items() if name != "part"}
    if part not in _REQUIRED or not required.keys() <= entries.keys() <= known.keys():
        raise ValueError(text)
    if not all(known[name].accepts(value) for name, value in entries.items()):
        raise ValueError(text)
    return line


def parse_object(text: str) -> dict[str, Any]:
    """Returns the JSON object in a text; an empty one if there is none or an entry is repeated."""
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError(pairs)
    return entries
