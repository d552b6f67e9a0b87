"""Runs the image of a board in Unicorn: the core and memories, but no peripherals."""

from pathlib import Path

import numpy as np
import unicorn
from support.elf_files import segments, symbols
from unicorn import arm_const

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.flash_image import stored_parts

BOARDS = {  # the core, and the function that starts
    "pico2": (arm_const.UC_CPU_ARM_CORTEX_M33, "boot_load"),
    "stm32f4_discovery": (arm_const.UC_CPU_ARM_CORTEX_M4, "board_start"),
    "nucleo_h743zi": (arm_const.UC_CPU_ARM_CORTEX_M7, "board_start"),
}
MEMORIES = {  # those that the linker fills, beside the flash: address and bytes
    "pico2": {"RAM": (0x20000000, 520 << 10)},
    "stm32f4_discovery": {"RAM": (0x20000000, 128 << 10), "CCM": (0x10000000, 64 << 10)},
    "nucleo_h743zi": {
        "RAM": (0x20000000, 128 << 10),
        "AXI_SRAM": (0x24000000, 512 << 10),
        "DMA_SRAM": (0x30000000, 32 << 10),
        "ITCM": (0, 64 << 10),
    },
}
PERIPHERALS = (0x40000000, 0x20000000), (0xE0000000, 1 << 20)  # memory; the second: SCB, SysTick
LONGEST_S = 60


class BoardImage:
    """An image that has started, as far as `board_run`.

    Its functions then run in the memories that the linker has given them, on the first core.
    """

    def __init__(self, board: str, elf: Path) -> None:
        """Starts the image.

        Args:
            board: One of `BOARDS`.
            elf: Firmware, all of whose parts are stored in the flash.
        """
        flash = INSTRUMENT_BOARDS[board].flash
        assert flash is not None
        self._elf = elf
        self._end = flash.address + flash.n_bytes - 4  # where functions return; nothing is there
        self._names = {name: address for name, (address, _) in symbols(elf).items()}
        core, start = BOARDS[board]
        memories = MEMORIES[board].values()
        self._core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._core.ctl_set_cpu_model(core)
        for address, n_bytes in ((flash.address, flash.n_bytes), *memories, *PERIPHERALS):
            self._core.mem_map(address, n_bytes)
        for address, n_bytes in memories:
            self._core.mem_write(address, b"\xcc" * n_bytes)
        for address, content in stored_parts(elf.read_bytes()):
            self._core.mem_write(address, content)
        self._core.reg_write(arm_const.UC_ARM_REG_SP, self._names["link_stack_end"])
        self._run(start, until=self._names["board_run"])

    def misplaced(self) -> list[int]:
        """Returns the parts that start has not filled with what the linker has put there."""
        stored = dict(stored_parts(self._elf.read_bytes()))
        parts = [(at, stored[where]) for at, where, n_bytes, _ in segments(self._elf) if n_bytes]
        return [at for at, content in parts if self._read(at, len(content)) != content]

    def cleared(self) -> bytes:
        """Returns the variables that reset fills with 0."""
        start, end = (self._names[f"link_bss_{which}"] for which in ("start", "end"))
        return self._read(start, end - start)

    def play(self, score: dict[int, bytes], n_blocks: int) -> np.ndarray:
        """Renders with the player of ``apps/play``.

        Args:
            score: Channel messages by block.
            n_blocks: Number of blocks.

        Returns:
            Samples, int16, shape [n_blocks * 64].
        """
        player, scratch = self._names["player"], self._names["link_unused_ram"] + 7 & ~7
        self._call("player_init", player)
        blocks = []
        for block in range(n_blocks):
            if block in score:
                status, *data = score[block]
                message = bytes([status & 0xF0, status & 0x0F, *data, 0])[:4]  # midi_message_t
                self._core.mem_write(scratch, message)
                self._call("player_receive", player, scratch)
            self._call("player_render", player, scratch)
            blocks.append(np.frombuffer(self._read(scratch, 2 * HOP_SAMPLES), "<i2"))
        return np.concatenate(blocks)

    def _read(self, address: int, n_bytes: int) -> bytes:
        return bytes(self._core.mem_read(address, n_bytes))

    def _call(self, name: str, first: int, second: int = 0) -> None:
        self._core.reg_write(arm_const.UC_ARM_REG_R0, first)
        self._core.reg_write(arm_const.UC_ARM_REG_R1, second)
        self._core.reg_write(arm_const.UC_ARM_REG_SP, self._names["link_stack_end"])
        self._core.reg_write(arm_const.UC_ARM_REG_LR, self._end | 1)
        self._run(name, until=self._end)

    def _run(self, name: str, *, until: int) -> None:
        self._core.emu_start(self._names[name] | 1, until, timeout=LONGEST_S * 1_000_000)
        assert self._core.reg_read(arm_const.UC_ARM_REG_PC) == until, f"{name} has not ended"
