"""Estimates clock cycles and the share of a chip's time from executed instructions.

The emulator counts instructions; a core takes one to a few cycles for each. For two cores, Arm
publishes how many, assuming memory without wait states:

- Cortex-M4: Technical Reference Manual r0p1 (Arm 100166_0001_00), table 3-1 of section 3.3.1 for
  integers and section 3.3.2 for load/store timings and overlap; the floating-point table of
  chapter 7, reprinted as table 3-27 of Texas Instruments SWCU192.
- Cortex-M0+: Technical Reference Manual (Arm DDI 0484C), table 3.1 of section 3.3; with the fast
  multiplier, which the RP2040 has.

There is no such table for Cortex-M7 and Cortex-M33, which issue some instructions in pairs. Their
cycles are those of the M4, scaled by the ratio of the CoreMark scores. CoreMark contains no
floating-point arithmetic, so this estimate is the roughest. For the reverb it is conservative,
because the M7 completes a fused multiply-add every cycle.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.core.constants import FRAME_RATE
from pipeline.target.board_types import Board
from pipeline.target.disassembly import Instruction

# Cycles of a taken branch of the M4, which are 1 to 3, depending on the target's alignment.
PIPELINE_REFILL = 2
COREMARK_PER_MHZ = {
    "Cortex-M4F": 3.40,  # NXP AN12284, section 1: "official"
    "Cortex-M33": 4.02,  # likewise
    "Cortex-M7F": 5.01,  # Ibrahim, ARM-Based Microcontroller Projects Using mbed, table 3.2
}


def count_cycles(core: str, executed: Sequence[int], code: dict[int, Instruction]) -> int:
    """Counts the cycles of a trace.

    Args:
        core: One of Cortex-M4F, Cortex-M7F, Cortex-M33, Cortex-M0+.
        executed: Addresses in order, 0 after each call, from
            `pipeline.target.emulator.trace_instructions`.
        code: Instructions by address.

    Returns:
        Cycles with memory without wait states.
    """
    if core == "Cortex-M0+":
        return sum(_m0_cycles(code[address], taken) for address, taken, _ in _steps(executed, code))
    cycles = 0
    for address, taken, before in _steps(executed, code):
        cycles += _m4_cycles(code[address], taken, code.get(before))
    return round(cycles * COREMARK_PER_MHZ["Cortex-M4F"] / COREMARK_PER_MHZ[core])


def _steps(
    executed: Sequence[int], code: dict[int, Instruction]
) -> Iterator[tuple[int, bool, int]]:
    """Yields each address, whether a branch is taken after it, and the previous address."""
    before = 0
    for address, following in zip(executed, [*executed[1:], 0], strict=True):
        if address:
            yield address, following != address + code[address].size, before
        before = address


def _base(instruction: Instruction) -> str:
    """Returns the mnemonic without its width suffix."""
    return instruction.mnemonic.removesuffix(".n").removesuffix(".w")


def _n_registers(operands: str) -> int:
    """Counts the registers in a list such as ``{r4, r6-r8, lr}``."""
    listed = operands[operands.index("{") + 1 : operands.index("}")]
    number = 0
    for item in listed.split(","):
        first, _, last = (_REGISTERS.get(r.strip(), r.strip()) for r in item.partition("-"))
        number += int(last[1:]) - int(first[1:]) + 1 if last else 1
    return number


_REGISTERS = {"sl": "r10", "fp": "r11", "ip": "r12", "sp": "r13", "lr": "r14", "pc": "r15"}


def _m0_cycles(instruction: Instruction, taken: bool) -> int:
    name, operands = _base(instruction), instruction.operands
    if name in ("push", "pop", "ldmia", "stmia", "ldm", "stm"):
        return _n_registers(operands) + (3 if name == "pop" and "pc" in operands else 1)
    if name.startswith(("ldr", "str")):
        return 2
    if name == "bl":
        return 3
    return 2 if taken else 1  # the RP2040 multiplies in one cycle, too


def _m4_cycles(instruction: Instruction, taken: bool, before: Instruction | None) -> int:
    name, operands = _base(instruction), instruction.operands
    refill = PIPELINE_REFILL if taken else 0
    stall = 0 if before is None else _m4_stall(before, instruction)
    if "{" in operands and name.startswith(_M4_MULTIPLE):
        words = 2 if "{d" in operands else 1
        return 1 + words * _n_registers(operands) + refill + stall
    if name.startswith(("ldrd", "strd")):
        return 3 + stall
    if name.startswith(("vldr", "vstr")):
        return (3 if operands.startswith("d") else 2) + stall
    if name.startswith("str"):
        return 1 + stall  # a second cycle overlaps with the next instruction
    if name.startswith("ldr"):
        return (1 if before is not None and _overlaps(before, operands) else 2) + refill + stall
    if name.startswith("tb"):
        return 2 + refill
    if name.startswith(("sdiv", "udiv")):
        return 7  # the mean of 2 to 12
    if name.startswith(("vdiv", "vsqrt")):
        return 14 + stall
    if name.startswith(_M4_ACCUMULATE):
        return 3 + stall
    return 1 + refill + stall


_M4_MULTIPLE = ("push", "pop", "ldm", "stm", "vpush", "vpop", "vldm", "vstm")
_M4_ACCUMULATE = ("vmla", "vmls", "vfma", "vfms", "vnmla", "vnmls", "vfnma", "vfnms")
_M4_FLOAT_ARITHMETIC = (*_M4_ACCUMULATE, "vadd", "vsub", "vmul", "vnmul", "vdiv", "vsqrt", "vcvt")
_MEMORY = ("ldr", "str", "vldr", "vstr")


def _overlaps(before: Instruction, operands: str) -> bool:
    """Whether a load overlaps with a preceding load, whose result its address does not need."""
    name = _base(before)
    if not name.startswith("ldr") or name.startswith("ldrd"):
        return False
    return _first(before.operands) not in _address(operands)


def _m4_stall(before: Instruction, instruction: Instruction) -> int:
    """Returns the cycles for which an instruction waits for the result of the preceding one."""
    name, earlier = _base(instruction), _base(before)
    result = _first(before.operands)
    if name.startswith(_MEMORY):
        is_arithmetic = not earlier.startswith((*_MEMORY, *_M4_MULTIPLE, "cmp", "tst", "b", "v"))
        if is_arithmetic and result in _address(instruction.operands):
            return 1  # the address needs the result of an integer operation
    if earlier.startswith(_M4_FLOAT_ARITHMETIC):
        reads_first = name.startswith((*_M4_ACCUMULATE, "vstr", "vcmp"))
        operands = re.findall(r"\w+", instruction.operands)
        return int(name.startswith("v") and result in operands[0 if reads_first else 1 :])
    return 0


def _first(operands: str) -> str:
    return operands.split(",")[0].strip()


def _address(operands: str) -> list[str]:
    return re.findall(r"\w+", operands[operands.index("[") :]) if "[" in operands else []


def chip_share(
    board: Board, cycles_per_frame: float, model_bytes: int, other_bytes: int = 0
) -> dict[str, Any]:
    """Estimates the share of a chip's time.

    Args:
        board: One of `pipeline.target.boards.ESTIMATED_BOARDS`.
        cycles_per_frame: Cycles with memory without wait states.
        model_bytes: Bytes of the model, which are read once per frame.
        other_bytes: Bytes of other tables that are read once per frame, such as those of a reverb
            and an FFT.

    Returns:
        The assumptions about the chip, and the estimates ``fits``, ``cycles_per_frame`` and
        ``cpu_share``.
    """
    memory = board.weight_memory
    model_lines, other_lines = (n / memory.line_bytes for n in (model_bytes, other_bytes))
    waits = model_lines * memory.model_wait_cycles + other_lines * memory.wait_cycles
    return {
        "name": board.chip,
        "board": board.emulated_by,
        "instrument_board": board.name,
        "clock_hz": board.clock_hz,
        "flash_line_bytes": memory.line_bytes,
        "flash_wait_cycles": memory.wait_cycles,
        "model_wait_cycles": memory.model_wait_cycles,
        "weight_bytes": memory.n_bytes,
        "memory": memory.description,
        "estimate": True,
        "fits": model_bytes + other_bytes <= memory.n_bytes,
        "cycles_per_frame": round(cycles_per_frame + waits),
        "cpu_share": round((cycles_per_frame + waits) * FRAME_RATE / board.clock_hz, 4),
    }
