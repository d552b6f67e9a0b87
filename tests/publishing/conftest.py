"""A release of one board, built once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import release as command


@pytest.fixture(scope="session")
def release(generate_once: Callable[..., Path]) -> Path:
    return generate_once(
        "release", lambda out: command.main(["--out", str(out), "--board", "pico"])
    )
