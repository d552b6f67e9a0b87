"""A fault of an STM32 board mutes its output, which the DMA goes on to play."""

from pathlib import Path

import pytest

from pipeline.core.paths import APP_DIR
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

BOARDS = ("stm32f4_discovery", "nucleo_h743zi")


@pytest.mark.parametrize("board", BOARDS)
def test_mute_clears_both_halves(board, tmp_path):
    program = build_program(
        "host",
        [Path(__file__).parent / "stm32" / "mute.c"],
        out=tmp_path / "build",
        include_dirs=[APP_DIR / "boards" / board, APP_DIR / "boards" / "ports" / "stm32"],
        defines=["FAKE_REGISTERS"],
        sanitize=True,
    )
    assert run_program(program).console.split() == ["2000", "0"]
