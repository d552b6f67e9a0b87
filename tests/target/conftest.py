"""What the tests of the firmware generate once for all workers of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import small_player

from pipeline.target.build import Program, make


@pytest.fixture(scope="session")
def small_instruments(generate_once: Callable[..., Path]) -> Path:
    """Generated code of three small instruments, which share ``decoder.tflite``."""
    return generate_once("small_instruments", small_player.generate)


@pytest.fixture(scope="session")
def play_on_host(run_folder: Path, small_instruments: Path) -> Program:
    """The player with the small instruments and two voices, on the host."""
    settings = {"GENERATED_DIR": small_instruments, "PLAYER_VOICES": 2, "SANITIZE": "ON"}
    return make("host", run_folder / "play-on-host", settings, "play")
