"""The STM32's USARTs, run on the host with memory in place of registers."""

from pathlib import Path

import pytest

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

BOARDS = pytest.mark.parametrize("board", ["stm32f4_discovery", "nucleo_h743zi"])
FRAMING, NOISE, OVERRUN, BYTE = 2, 4, 8, 32  # USART_SR, USART_ISR
READ = (0, 0)  # the main loop reads what has arrived
DAMAGED = 0xF5
CAPACITY = 8


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Program]:
    folder = tmp_path_factory.mktemp("stm32_uart")
    ports = APP_DIR / "boards" / "ports" / "stm32"
    return {
        board: build_program(
            "host",
            [Path(__file__).parent / "stm32" / "uart.c", ports / "uart.c"],
            out=folder / board,
            include_dirs=[APP_DIR / "boards" / board, ports],
            defines=["FAKE_REGISTERS"],
            sanitize=True,
        )
        for board in ("stm32f4_discovery", "nucleo_h743zi")
    }


def receive(program: Program, *steps: tuple[int, int]) -> tuple[bytes, int, int]:
    """Returns what the main loop reads, the number of lost bytes, and that of damaged ones."""
    script = b"".join(map(bytes, [*steps, READ]))
    run = run_program(
        program, arguments=["script", "received"], inputs={"script": script}, outputs=["received"]
    )
    assert run.status == 0, run.console
    n_lost, n_errors = map(int, run.console.split())
    return run.files["received"], n_lost, n_errors


@BOARDS
@pytest.mark.parametrize("error", [FRAMING, NOISE, FRAMING | NOISE])
def test_byte_with_a_line_error_is_replaced_and_counted_and_the_next_one_is_whole(
    board, error, programs
):
    received = receive(programs[board], (BYTE, 0x90), (BYTE | error, 0x3C), (BYTE, 0x40))
    assert received == (bytes([0x90, DAMAGED, 0x40]), 0, 1)


@BOARDS
def test_overrun_marks_where_a_byte_is_missing(board, programs):
    received = receive(programs[board], (BYTE | OVERRUN, 0x90), (BYTE, 0x40))
    assert received == (bytes([0x90, DAMAGED, 0x40]), 1, 0)


@BOARDS
def test_full_ring_marks_where_bytes_are_missing(board, programs):
    bytes_in = [(BYTE, n) for n in range(20)]
    received = receive(programs[board], *bytes_in, READ, (BYTE, 77))
    assert received == (bytes([*range(CAPACITY - 1), DAMAGED, 77]), 20 - (CAPACITY - 1), 0)
