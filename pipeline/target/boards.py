"""The boards."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Board:
    """A folder of ``tflm_app/boards``.

    Attributes:
        core: What its code is compiled for.
        machine: QEMU's name of a machine that runs its programs; None if there is none, or if they
            run on the developer's own.
        reverb_seconds: How much of a learnt room chips with this core have memory for; 0 where
            there is no FPU to play it with.
    """

    name: str
    core: str
    machine: str | None
    reverb_seconds: float


BOARDS = {
    board.name: board
    for board in (
        Board("host", "host", None, 1.0),
        Board("qemu_m4", "Cortex-M4F", "mps2-an386", 0.25),
        Board("qemu_m7", "Cortex-M7F", "mps2-an500", 1.0),
        Board("qemu_m33", "Cortex-M33", "mps2-an505", 0.25),
        Board("qemu_m0", "Cortex-M0+", "mps2-an385", 0.0),
    )
}
"""Boards that have files, with which programs are tested and measured."""
EMULATED_BOARDS = tuple(name for name, board in BOARDS.items() if board.machine)
INSTRUMENT_BOARDS = {
    board.name: board
    for board in (
        Board("stm32f4_discovery", "Cortex-M4F", "netduinoplus2", 0.25),
        Board("nucleo_h743zi", "Cortex-M7F", None, 1.0),
        Board("pico", "Cortex-M0+", None, 0.0),
        Board("pico2", "Cortex-M33", None, 0.25),
    )
}
"""Boards that are flashed and played: what is built for them is ``apps/play``."""
ALL_BOARDS = BOARDS | INSTRUMENT_BOARDS
