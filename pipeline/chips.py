"""Chips that the counted code could run on, and the share of their time that it takes."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.config import FRAME_RATE


@dataclass(frozen=True)
class Chip:
    """A chip that the counted code could run on.

    Attributes:
        board: The emulated board with its core.
        instrument_board: The board that has it and is flashed.
        clock_hz: At which it is run.
        flash_line_bytes: What a read of the flash brings, where the weights stay in flash.
        flash_wait_cycles: Cycles that a read waits; loops run from the instruction cache.
        weight_bytes: Room for weights in that memory.
        memory: Where code and weights are assumed to lie.
    """

    name: str
    board: str
    instrument_board: str
    clock_hz: float
    flash_line_bytes: int
    flash_wait_cycles: int
    weight_bytes: int
    memory: str


CHIPS = (
    Chip(
        "STM32F407",
        "qemu_m4",
        "stm32f4_discovery",
        168e6,
        16,
        5,
        960_000,
        "flash, 5 waits per 16 bytes of weights",
    ),
    Chip(
        "STM32H743",
        "qemu_m7",
        "nucleo_h743zi",
        480e6,
        1,
        0,
        480_000,
        "RAM behind the data cache, no waits",
    ),
    Chip("RP2350", "qemu_m33", "pico2", 150e6, 1, 0, 480_000, "SRAM, no waits"),
    Chip("RP2040", "qemu_m0", "pico", 125e6, 1, 0, 220_000, "SRAM, no waits"),
)

_SIZES = {"note_on_ms": 10.0, "flash_bytes": 128_000, "ram_bytes": 32_000}
BOARD_LIMITS: dict[str, dict[str, float]] = {
    board: {"cpu_share": share, **_SIZES}
    for board, share in (
        ("stm32f4_discovery", 0.2),
        ("nucleo_h743zi", 0.05),
        ("pico", 0.6),
        ("pico2", 0.2),
    )
}
"""What is asked of a voice on each board, and of a firmware with one instrument and no room."""


def chip_share(chip: Chip, cycles_per_frame: float, constant_bytes: int) -> dict[str, Any]:
    """Estimates the share of a chip's time, every weight and bin of a room read once a frame."""
    waits = constant_bytes / chip.flash_line_bytes * chip.flash_wait_cycles
    share = (cycles_per_frame + waits) * FRAME_RATE / chip.clock_hz
    return {
        **asdict(chip),
        "estimate": True,
        "fits": constant_bytes <= chip.weight_bytes,
        "cycles_per_frame": round(cycles_per_frame + waits),
        "cpu_share": round(share, 4),
    }
