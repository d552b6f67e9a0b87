"""Two cores render the samples of one, and share no data while they do."""

from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.performances import play
from support.small_player import bend, control, off, on, program_change

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, application_settings, make

pytestmark = pytest.mark.firmware

N_VOICES = 4
FIFTHS = [48, 55, 62, 69, 76]


def mixed_score() -> list[tuple[int, bytes]]:
    """Returns chords, stolen and waiting notes, several instruments, glides and controllers."""
    score = [(0, control(65, 127) + control(5, 20))]
    for turn in range(9):
        block = 2 + 9 * turn
        score.append((block, program_change(turn % 3)))
        score += [(block, on(note + turn)) for note in FIFTHS[: 1 + turn % 5]]
        score += [(block + 1, on(FIFTHS[turn % 5] + turn)), (block + 2, bend(800 * turn - 3600))]
        score += [(block + 3, control(2, 60 + turn)), (block + 4, off(FIFTHS[0] + turn))]
        score.append((block + 5, program_change((turn + 1) % 3) + on(90 - turn)))
        score.append((block + 7, control(64, 127 * (turn % 2))))
    return score


@pytest.fixture(scope="module")
def two_threads(small_instruments: Path, run_folder: Path) -> Program:
    """A player with a thread for its second core, under the sanitizer for data races."""
    sources = [
        *small_player.SOURCES,
        *sorted(small_instruments.glob("*.c")),
        *(APP_DIR / name for name in ("apps/perform/main.c", "apps/report.c")),
        APP_DIR / "audio" / "pcm_writer.c",
        Path(__file__).with_name("second_core.c"),
    ]
    settings = application_settings() | {
        "PROGRAM_SOURCES": ";".join(map(str, sources)),
        "PROGRAM_INCLUDE_DIRS": small_instruments,
        "PROGRAM_DEFINES": f"PLAYER_N_CORES=2;PLAYER_N_VOICES={N_VOICES}",
        "CMAKE_C_FLAGS": "-fsanitize=thread -pthread",
    }
    return make("host", run_folder / "two-threads", settings, "program")


@pytest.fixture(scope="module")
def two_cores(small_instruments: Path, run_folder: Path) -> Program:
    """A player in the emulator that renders the voices of both cores one after the other."""
    settings = application_settings(small_instruments)
    settings |= {"PLAYER_VOICES": N_VOICES, "PLAYER_CORES": 2}
    return make("qemu_m0", run_folder / "two-cores", settings, "perform")


def test_two_cores_render_the_samples_of_one_without_a_data_race(players, two_threads, two_cores):
    score = mixed_score()
    one = play(players["poly"], score, 120)
    assert one.report["n_stolen"] > 4
    assert set(one.trace["voice"]) == {0, 1, 2, 3} and set(one.trace["preset"]) == {0, 1, 2}
    for program in (two_threads, two_cores):
        two = play(program, score, 120)  # the sanitizer ends the program at a data race
        np.testing.assert_array_equal(one.trace, two.trace)
        np.testing.assert_array_equal(one.pcm, two.pcm)
