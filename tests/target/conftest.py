"""What the tests of the firmware generate once for all workers of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import small_player


@pytest.fixture(scope="session")
def small_instruments(generate_once: Callable[..., Path]) -> Path:
    """Generated code of three small instruments, which share ``decoder.tflite``."""
    return generate_once("small_instruments", small_player.generate)
