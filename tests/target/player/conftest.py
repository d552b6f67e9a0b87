"""Players of the small instruments, built once for all tests of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.performances import play

from pipeline.target.build import Program
from pipeline.target.player import Performance, build_player


@pytest.fixture(scope="session")
def model(small_instruments: Path) -> Path:
    """The decoder of the small instruments."""
    return small_instruments / "decoder.tflite"


@pytest.fixture(scope="session")
def players(run_folder: Path, small_instruments: Path) -> dict[str, Program]:
    """Players with one and four voices under sanitizers, and with four in the emulator."""
    return {
        name: build_player(
            board,
            small_instruments,
            n_voices=n_voices,
            build_dir=run_folder / f"player-{name}",
            sanitize=board == "host",
        )
        for name, board, n_voices in (
            ("mono", "host", 1),
            ("poly", "host", 4),
            ("qemu_m4", "qemu_m4", 4),
        )
    }


@pytest.fixture(scope="session")
def mono(players: dict[str, Program]) -> Callable[..., Performance]:
    """Plays events with one voice, until the block `until`."""
    return lambda *events, until=100: play(players["mono"], list(events), until)


@pytest.fixture(scope="session")
def poly(players: dict[str, Program]) -> Callable[..., Performance]:
    """Plays events with four voices, until the block `until`."""
    return lambda *events, until=100: play(players["poly"], list(events), until)
