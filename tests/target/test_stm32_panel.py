"""The potentiometers of the Nucleo, run on the host with memory in place of registers."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

FLOATING = -1
EXPRESSION, MODULATION = 11, 1


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    board, port = (APP_DIR / "boards" / name for name in ("nucleo_h743zi", "ports/stm32"))
    sources = [Path(__file__).parent / "stm32" / "panel.c", port / "button.c"]
    return build_program(
        "host",
        [*sources, board / "panel.c", board / "adc.c"],
        out=tmp_path_factory.mktemp("panel") / "build",
        include_dirs=[board, port],
        defines=["FAKE_REGISTERS"],
        sanitize=True,
    )


def reports(program: Program, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns block, controller and value of every report; positions: 0 to 1, or `FLOATING`."""
    positions = np.stack([first, second], axis=1)
    voltages = np.where(positions == FLOATING, FLOATING, np.round(65535 * positions))
    inputs = {"positions": voltages.astype("<i4").tobytes()}
    lines = run_program(program, arguments=["positions"], inputs=inputs).console.splitlines()
    return np.array([line.split() for line in lines], int).reshape(-1, 3)


def test_board_without_potentiometers_reports_none(program):
    floating = np.full(500, float(FLOATING))
    assert len(reports(program, floating, floating)) == 0


def test_potentiometer_that_rests_is_not_used_and_one_that_moves_is(program):
    noise = 0.005 * np.random.default_rng(0).standard_normal(1000)
    moved = np.concatenate([np.full(300, 0.2), np.linspace(0.2, 0.9, 200), np.full(500, 0.9)])
    found = reports(program, moved, 0.6 + noise)
    assert set(found[:, 1]) == {EXPRESSION} and found[0, 0] > 300
    assert (np.diff(found[:, 2]) > 0).all() and abs(found[-1, 2] - 0.9 * 127) <= 1


def test_floating_pin_beside_a_potentiometer_is_not_read(program):
    moved = np.linspace(0, 1, 400)
    found = reports(program, np.full(400, float(FLOATING)), moved)
    assert set(found[:, 1]) == {MODULATION} and found[-1, 2] >= 120
