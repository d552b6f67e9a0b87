"""The parser of all commands: one-line errors, and numbers with ranges."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from pipeline.core.errors import UserError
from pipeline.core.schema import Restriction, Within


class Parser(argparse.ArgumentParser):
    """An argument parser that reports errors as a `UserError`: one line, exit status 2."""

    def __init__(self, command: str, description: str | None) -> None:
        """Creates the parser of ``python -m pipeline.<command>``.

        Args:
            command: Name of the module.
            description: First line of ``--help``.
        """
        super().__init__(
            prog=f"python -m pipeline.{command}", description=description, allow_abbrev=False
        )

    def error(self, message: str) -> NoReturn:
        """Raises the error that argparse reports as a `UserError`."""
        raise UserError(f"{message.removeprefix('argument ')} (see {self.prog} --help)")


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Returns an option's ``type`` for whole numbers from `lowest` to `highest`."""
    return number(int, Within(lowest, highest))


def real(lowest: float, highest: float) -> Callable[[str], float]:
    """Returns an option's ``type`` for numbers from `lowest` to `highest`; NaN is refused."""
    return number(float, Within(lowest, highest))


def number(kind: Any, restriction: Restriction) -> Callable[[str], Any]:
    """Returns an option's ``type`` for numbers of `kind` (int or float) within `restriction`."""
    noun = "a whole number" if kind is int else "a number"

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not restriction.accepts(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {noun} {restriction}")
        return value

    return parse
