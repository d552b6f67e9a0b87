"""Chips that the counted code could run on, and the share of their time that it takes."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.core.constants import FRAME_RATE


@dataclass(frozen=True)
class Chip:
    """A chip that the counted code could run on.

    Attributes:
        board: The emulated board with its core.
        instrument_board: The board that has it and is flashed.
        clock_hz: At which it is run.
        flash_line_bytes: What a read of the flash brings, where the weights stay in flash.
        flash_wait_cycles: Cycles that a read waits; loops run from the instruction cache.
        model_wait_cycles: The same for a read of the model, which may have been asked for ahead.
        weight_bytes: Room for weights in that memory.
        memory: Where code and weights are assumed to lie.
    """

    name: str
    board: str
    instrument_board: str
    clock_hz: float
    flash_line_bytes: int
    flash_wait_cycles: int
    model_wait_cycles: int
    weight_bytes: int
    memory: str


# A line of the H743's data cache from flash, in cycles of the core, of which its bus takes two: 4
# waits and a read (RM0433, section 4.3.8), 4 transfers of 64 bits, and 9 put for the way there and
# back through the core's interface and the interconnect.
H743_FILL = 2 * (4 + 1 + 4 + 9)
# The decoder asks for a line of weights 54 instructions before it needs it, longer than a fill
# lasts. Nothing asks for the rest of a model, one line in eight: 36 / 8 = 4.5 in the mean. Put at
# more than twice that, for the tables of FM and breath that the weights push out of the cache; were
# nothing hidden, a voice would take 2.5 % of the chip more.
H743_PREFETCHED_FILL = 10
CHIPS = (
    Chip(
        "STM32F407",
        "qemu_m4",
        "stm32f4_discovery",
        168e6,
        16,
        5,
        5,
        960_000,
        "flash, 5 waits per 16 bytes of weights",
    ),
    Chip(
        "STM32H743",
        "qemu_m7",
        "nucleo_h743zi",
        480e6,
        32,
        H743_FILL,
        H743_PREFETCHED_FILL,
        1_900_000,
        "flash behind the data cache, 10 waits per 32 bytes of weights",
    ),
    Chip("RP2350", "qemu_m33", "pico2", 150e6, 1, 0, 0, 480_000, "SRAM, no waits"),
    Chip("RP2040", "qemu_m0", "pico", 125e6, 1, 0, 0, 220_000, "SRAM, no waits"),
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


def chip_share(
    chip: Chip, cycles_per_frame: float, model_bytes: int, other_bytes: int = 0
) -> dict[str, Any]:
    """Estimates the share of a chip's time.

    Args:
        chip: One of `CHIPS`.
        cycles_per_frame: With memory that never waits.
        model_bytes: Of the model, read once a frame.
        other_bytes: Of other tables that are, such as those of a room and of an FFT.
    """
    model_lines, other_lines = (n / chip.flash_line_bytes for n in (model_bytes, other_bytes))
    waits = model_lines * chip.model_wait_cycles + other_lines * chip.flash_wait_cycles
    share = (cycles_per_frame + waits) * FRAME_RATE / chip.clock_hz
    return {
        **asdict(chip),
        "estimate": True,
        "fits": model_bytes + other_bytes <= chip.weight_bytes,
        "cycles_per_frame": round(cycles_per_frame + waits),
        "cpu_share": round(share, 4),
    }
