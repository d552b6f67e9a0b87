"""What the tests of the firmware generate once for all workers of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import small_player

from pipeline.target.build import Program, build_program, make

PROGRAM = """
#include "board.h"
static volatile int value = 42;
int main(void) { board_print("x"); return value; }
"""


@pytest.fixture(scope="session")
def small_instruments(generate_once: Callable[..., Path]) -> Path:
    """Generated code of three small instruments, which share ``decoder.tflite``."""
    return generate_once("small_instruments", small_player.generate)


@pytest.fixture(scope="session")
def play_on_host(run_folder: Path, small_instruments: Path) -> Program:
    """The player with the small instruments and two voices, on the host."""
    settings = {"GENERATED_DIR": small_instruments, "PLAYER_VOICES": 2, "SANITIZE": "ON"}
    return make("host", run_folder / "play-on-host", settings, "play")


@pytest.fixture(scope="module")
def pico_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small program for the Pico."""
    folder = tmp_path_factory.mktemp("flash")
    source = folder / "program.c"
    source.write_text(PROGRAM)
    return build_program("pico", [source], out=folder / "build").elf
