"""Estimates clock cycles from the instructions that the firmware executed.

The emulator counts instructions; a core takes one to a few cycles for each. For two cores Arm
publishes how many, with memory that never waits:

- Cortex-M4: Technical Reference Manual r0p1 (Arm 100166_0001_00), table 3-1 of section 3.3.1 for
  integers and section 3.3.2, load/store timings, for what overlaps; the floating-point table of
  chapter 7, reprinted as table 3-27 of Texas Instruments SWCU192.
- Cortex-M0+: Technical Reference Manual (Arm DDI 0484C), table 3.1 of section 3.3; with the fast
  multiplier, which the RP2040 has.

Of Cortex-M7 and Cortex-M33, which issue some instructions in pairs, there is no such table; they
are put in proportion to the M4 by CoreMark, which knows no floating point. That is the roughest
estimate here, and a cautious one for the room: the M7 takes a fused multiplication every cycle.
"""

import re
from collections.abc import Iterator, Sequence

from pipeline.target.disassembly import Instruction

PIPELINE_REFILL = 2  # cycles of a taken branch of the M4: 1 to 3, by its target's alignment
COREMARK_PER_MHZ = {
    "Cortex-M4F": 3.40,  # NXP AN12284, section 1: "official"
    "Cortex-M33": 4.02,  # likewise
    "Cortex-M7F": 5.01,  # Ibrahim, ARM-Based Microcontroller Projects Using mbed, table 3.2
}


def count_cycles(core: str, executed: Sequence[int], code: dict[int, Instruction]) -> int:
    """Adds up the cycles of a trace.

    Args:
        core: One of Cortex-M4F, Cortex-M7F, Cortex-M33, Cortex-M0+.
        executed: Addresses in order, 0 after each call (`pipeline.toolchain.trace_instructions`).
        code: Instructions by address.

    Returns:
        Cycles with memory that never waits.
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
    """Yields each address, whether the next one is elsewhere than behind it, and the one before."""
    before = 0
    for address, following in zip(executed, [*executed[1:], 0], strict=True):
        if address:
            yield address, following != address + code[address].size, before
        before = address


def _base(instruction: Instruction) -> str:
    """The mnemonic without its width."""
    return instruction.mnemonic.removesuffix(".n").removesuffix(".w")


def _n_registers(operands: str) -> int:
    """Number of registers in a list such as ``{r4, r6-r8, lr}``."""
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
    return 2 if taken else 1  # branches, and writes to pc; multiplication takes one on the RP2040


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
        return 1 + stall  # its second cycle, if it needs one, is the next instruction's first
    if name.startswith("ldr"):
        return (1 if before is not None and _overlaps(before, operands) else 2) + refill + stall
    if name.startswith("tb"):
        return 2 + refill
    if name.startswith(("sdiv", "udiv")):
        return 7  # 2 to 12
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
    """Whether a load overlaps with a load before it, not needing its result for the address."""
    name = _base(before)
    if not name.startswith("ldr") or name.startswith("ldrd"):
        return False
    return _first(before.operands) not in _address(operands)


def _m4_stall(before: Instruction, instruction: Instruction) -> int:
    """The cycle for which an instruction waits for the result of the one before it."""
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
