"""Estimates clock cycles from the instructions that the firmware executed.

The emulator counts instructions; a core takes one to a few cycles for each. For Cortex-M4 and
Cortex-M0+ Arm publishes how many (Technical Reference Manuals, tables of instruction set timing;
for the M4 the load/store timings that follow it as well), so a trace and these tables give the
cycles in memory without wait states. Of Cortex-M7 and Cortex-M33, which issue some instructions in
pairs, there is no such table; they are put in proportion to the M4 by Arm's CoreMark figures.
"""

import re
from collections.abc import Iterator, Sequence

from pipeline.toolchain import Instruction

PIPELINE_REFILL = (
    2  # cycles of a taken branch of the M4: 1 to 3 in the manual, by its target's alignment
)
COREMARK_PER_MHZ = {
    "Cortex-M4F": 3.42,
    "Cortex-M7F": 5.01,
    "Cortex-M33": 4.02,
}  # Arm's product pages


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
    if "{" in operands and name.startswith(
        ("push", "pop", "ldm", "stm", "vpush", "vpop", "vldm", "vstm")
    ):
        return 1 + _n_registers(operands) + refill
    if name.startswith(("ldrd", "strd")):
        return 3
    if name.startswith(("ldr", "vldr")):
        return (1 if before is not None and _follows_on(before, operands) else 2) + refill
    if name.startswith(("str", "vstr")):
        return 1
    if name.startswith(("sdiv", "udiv")):
        return 7  # 2 to 12 in the manual
    if name.startswith(("vdiv", "vsqrt")):
        return 14
    if name.startswith(("vmla", "vmls", "vfma", "vfms", "vnmla", "vnmls")):
        return 3
    return 1 + refill


def _follows_on(before: Instruction, operands: str) -> bool:
    """Whether a load overlaps with the load or store before it, not needing its result."""
    name = _base(before)
    if not name.startswith(("ldr", "str", "vldr", "vstr")) or name.startswith(("ldrd", "strd")):
        return False
    loaded = before.operands.split(",")[0]
    return name.startswith(("str", "vstr")) or loaded not in re.findall(
        r"\w+", operands.split("[")[-1]
    )
