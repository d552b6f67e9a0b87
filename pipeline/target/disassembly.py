"""Disassembles programs for the cycle model."""

import re
from dataclasses import dataclass

from pipeline.target.build import Program
from pipeline.target.tools import require_tools, run_tool


@dataclass(frozen=True)
class Instruction:
    """A machine instruction.

    Attributes:
        size: Length in bytes.
        mnemonic: Name, such as ``ldr.w``.
        operands: Operands as the assembler writes them.
    """

    size: int
    mnemonic: str
    operands: str


def disassemble(program: Program) -> dict[int, Instruction]:
    """Returns the instructions of a program for an emulated board, by address."""
    require_tools("arm-none-eabi-objdump")
    dump = run_tool(["arm-none-eabi-objdump", "-d", program.elf], purpose="disassembly")
    line = re.compile(
        r"^\s*([0-9a-f]+):\s+((?:[0-9a-f]{4} ?){1,2})\s+(\S+)[ \t]*([^\n;@]*)", re.MULTILINE
    )
    return {
        int(address, 16): Instruction(len(code.replace(" ", "")) // 2, mnemonic, operands.strip())
        for address, code, mnemonic, operands in line.findall(dump)
    }
