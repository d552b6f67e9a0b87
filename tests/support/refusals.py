"""Runs commands that must refuse their input."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pipeline.core.cli import run_main


def refusal(
    capture: pytest.CaptureFixture[str],
    main: Callable[[Sequence[str]], None],
    *words: Any,
    alone: bool = True,
) -> str:
    """Runs a command, which must end with status 2, and returns the line that says why.

    Args:
        capture: The fixture ``capsys`` or ``capfd``.
        main: The command's function.
        words: Its arguments.
        alone: Whether nothing else may be on stderr; otherwise, nothing else that is an error.
    """
    with pytest.raises(SystemExit) as ended:
        run_main(lambda: main([str(word) for word in words]))
    assert ended.value.code == 2
    *before, line = capture.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert not (before if alone else [each for each in before if "rror" in each])
    return line
