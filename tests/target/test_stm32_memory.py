"""The memory protection of the Nucleo, run on the host with memory in place of registers."""

from pathlib import Path

import pytest

from pipeline.core.paths import APP_DIR
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

ENABLE, VALID = 1, 1 << 4
DMA_REGION_BITS = 15


def is_inside(address: int, base: int, rasr: int) -> bool:
    """Returns whether an MPU region has an address (Armv7-M, section B3.5.9)."""
    bits = (rasr >> 1 & 31) + 1
    subregion = (address % (1 << bits)) >> (bits - 3)
    return bool(
        rasr & ENABLE and address >> bits == base >> bits and not rasr >> 8 & 1 << subregion
    )


def test_core_reads_ahead_from_no_external_memory(tmp_path):
    board = APP_DIR / "boards" / "nucleo_h743zi"
    program = build_program(
        "host",
        [Path(__file__).parent / "stm32" / "memory.c", board / "memory.c"],
        out=tmp_path / "build",
        include_dirs=[board, APP_DIR / "boards" / "ports" / "stm32"],
        defines=["FAKE_REGISTERS"],
    )
    lines = run_program(program).console.splitlines()
    (closed, closed_rasr), (_, dma_rasr) = (map(int, line.split()) for line in lines)
    assert closed == VALID  # region 0, from address 0
    assert closed_rasr >> 24 & 7 == 0 and closed_rasr >> 28 & 1  # no access, no execution
    for address in (0x60000000, 0x7FFFFFFF, 0x90000000, 0xC0000000, 0xDFFFFFFF):
        assert is_inside(address, 0, closed_rasr)
    for address in (0, 0x08000000, 0x20000000, 0x30000000, 0x5C001000, 0xE000ED00, 0xE0000000):
        assert not is_inside(address, 0, closed_rasr)
    assert (dma_rasr >> 1 & 31) + 1 == DMA_REGION_BITS and dma_rasr >> 19 & 7 == 1  # normal
    assert dma_rasr >> 16 & 3 == 0  # neither cached nor buffered
