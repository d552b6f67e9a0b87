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
because the M7 completes a fused multiply-add every cycle. The M33 stands for the RP2350, which
reads code and data in SRAM over one bus (its datasheet, section 2.1; only addresses below
0x20000000 have another), so it takes at least a cycle per word of both.
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
    scaled = round(cycles * _relative_cycles(core))
    return max(scaled, sum(count_words(executed, code))) if core == "Cortex-M33" else scaled


def count_words(executed: Sequence[int], code: dict[int, Instruction]) -> tuple[int, int]:
    """Counts the words of 32 bits that instructions and their data are, for each instruction anew.

    On the RP2040 and the RP2350 both go over one bus, a word per cycle.

    Args:
        executed: As for `count_cycles`.
        code: As for `count_cycles`.

    Returns:
        Words of code, and words of data.
    """
    n_bytes = n_data = 0
    for address in executed:
        if address:
            n_bytes += code[address].size
            n_data += _n_data_words(code[address])
    return n_bytes // 4, n_data


def _n_data_words(instruction: Instruction) -> int:
    name, operands = _base(instruction), instruction.operands
    if "{" in operands and name.startswith(_MULTIPLE):
        return _n_registers(operands) * (2 if "{d" in operands else 1)
    if name.startswith(("ldrd", "strd")):
        return 2
    return int(name.startswith(_MEMORY))


def explain_cycles(
    core: str, executed: Sequence[int], code: dict[int, Instruction]
) -> dict[str, float]:
    """Returns what `count_cycles` adds to one cycle per instruction, for two of the causes.

    Args:
        core: As for `count_cycles`.
        executed: As for `count_cycles`.
        code: As for `count_cycles`.

    Returns:
        ``several_words``, the further cycles of loads and stores of several registers, and
        ``branches``, those of taken branches.
    """
    several_words = branches = 0
    for address, taken, _ in _steps(executed, code):
        name, operands = _base(code[address]), code[address].operands
        words = _n_data_words(code[address])
        is_multiple = "{" in operands and name.startswith(_MULTIPLE)
        several_words += words if is_multiple or words > 1 else 0
        branches += taken * (1 if core == "Cortex-M0+" else PIPELINE_REFILL)
    scale = 1.0 if core == "Cortex-M0+" else _relative_cycles(core)
    return {"several_words": several_words * scale, "branches": branches * scale}


def _relative_cycles(core: str) -> float:
    """Returns the cycles of a core relative to those of the Cortex-M4."""
    return COREMARK_PER_MHZ["Cortex-M4F"] / COREMARK_PER_MHZ[core]


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
    if name.startswith(_MULTIPLE):
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
    if "{" in operands and name.startswith(_MULTIPLE):
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


_MULTIPLE = ("push", "pop", "ldm", "stm", "vpush", "vpop", "vldm", "vstm")
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
        is_arithmetic = not earlier.startswith((*_MEMORY, *_MULTIPLE, "cmp", "tst", "b", "v"))
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
    board: Board,
    cycles_per_frame: float,
    model_bytes: int,
    other_bytes: int = 0,
    *,
    n_passes: int = 1,
    n_models: int = 1,
    n_busy_cores: int = 1,
) -> dict[str, Any]:
    """Estimates the share of a chip's time.

    Args:
        board: One of `pipeline.target.boards.ESTIMATED_BOARDS`.
        cycles_per_frame: Cycles with memory without wait states.
        model_bytes: Bytes of a model.
        other_bytes: Bytes of other tables that are read once per frame, such as those of a reverb
            and an FFT.
        n_passes: How often models are read per frame (see `weight_passes`).
        n_models: Number of models of that size in the firmware. Those that find room are copied to
            memory without waits, and all are assumed to be read equally often.
        n_busy_cores: Number of cores that render at the same time, and share the banks of the RAM.

    Returns:
        The assumptions about the chip, and the estimates ``fits``, ``cycles_per_frame`` and
        ``cpu_share``.
    """
    memory = board.weight_memory
    n_copied = min(memory.copied_bytes // max(model_bytes, 1), n_models)
    read_bytes = model_bytes * n_passes * (1 - n_copied / n_models)
    waits = read_bytes / memory.line_bytes * memory.model_wait_cycles
    waits += other_bytes / memory.line_bytes * memory.wait_cycles
    if n_busy_cores > 1:
        waits += memory.bank_conflicts * cycles_per_frame
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


def weight_passes(n_voices: int, n_models: int, *, is_paired: bool) -> int:
    """Returns how often weights are read per frame in the worst case.

    A pair of voices of a model reads its weights once. The most passes are needed if as many models
    as possible have an odd number of voices.

    Args:
        n_voices: Number of voices of one core that sound.
        n_models: Number of models in the firmware.
        is_paired: Whether voices of a model are decoded in pairs, as those of int8 models are.
    """
    return (n_voices + min(n_models, n_voices)) // 2 if is_paired else n_voices
