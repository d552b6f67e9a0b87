"""Cycles of loops by other models than ours: llvm-mca and rp2040js.

``llvm-mca`` of LLVM simulates how a core's pipeline issues instructions, by the tables with which
the compiler schedules for that core. It has none for the Cortex-M0+; the emulator rp2040js counts
the cycles of that core instead.
"""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.target.boards import FILE_BOARDS
from pipeline.target.build import Program
from pipeline.target.disassembly import Instruction
from pipeline.target.flash_image import read_elf
from pipeline.target.tools import require_tools, run_command, telling_line
from pipeline.target.vendor import fetch_rp2040js

MCA_CPU = {
    "Cortex-M4F": ("thumbv7em-none-eabihf", "cortex-m4"),
    "Cortex-M7F": ("thumbv7em-none-eabihf", "cortex-m7"),
    "Cortex-M33": ("thumbv8m.main-none-eabihf", "cortex-m33"),
}
N_PASSES = 100
_BRANCH = re.compile(r"(b|bl|cbn?z|b(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|lo|hs))(\.[nw])?")

# Executes each instruction of a loop alone, with any flags after which the next one follows, and
# adds up the cycles. All registers point to the flash, so that the sum of two points to the RAM.
_RP2040JS = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [emulator, path] = process.argv.slice(1);
const { RP2040 } = await import(pathToFileURL(`${emulator}/dist/esm/index.js`));
const { code, addresses } = JSON.parse(readFileSync(path, "utf8"));
const BASE = 0x20010000, STACK = 0x20002000, POINTER = 0x10000080;
const chip = new RP2040();
chip.logger = { debug() {}, info() {}, warn() {}, error() {} };
code.forEach((byte, i) => chip.writeUint8(BASE + i, byte));
const { core } = chip;
function cycles(at, next) {
  for (let flags = 0; flags < 16; ++flags) {
    core.registers.fill(POINTER);
    core.SP = STACK;
    [core.N, core.Z, core.C, core.V] = [8, 4, 2, 1].map((bit) => !!(flags & bit));
    core.PC = BASE + at;
    const taken = core.executeInstruction();
    if (core.PC === BASE + next) return taken;
  }
  throw new Error(`${next} does not follow ${at}`);
}
const following = [...addresses.slice(1), addresses[0]];
console.log(addresses.reduce((sum, at, i) => sum + cycles(at, following[i]), 0));
"""


def other_cycles(
    program: Program, loop: Sequence[int], code: dict[int, Instruction]
) -> tuple[str, float]:
    """Returns the name of the second model of a program's core, and the cycles of a pass by it.

    Args:
        program: Program for an emulated board.
        loop: Addresses of a pass, from `pipeline.target.loops.hottest_loop`.
        code: Instructions by address.

    Raises:
        UserError: A tool is missing, or it fails.
    """
    core = FILE_BOARDS[program.board].core
    with tempfile.TemporaryDirectory(prefix="cycles-") as scratch:
        place = Path(scratch) / "loop"
        if core in MCA_CPU:
            return "llvm-mca", _mca_cycles(core, [code[address] for address in loop], place)
        return "rp2040js", _rp2040js_cycles(program, loop, place)


def _mca_cycles(core: str, instructions: Sequence[Instruction], place: Path) -> float:
    require_tools("llvm-mca")
    triple, cpu = MCA_CPU[core]
    place.write_text("".join(map(_assembly, instructions)))
    options = [f"-mtriple={triple}", f"-mcpu={cpu}", f"-iterations={N_PASSES}"]
    done = run_command(["llvm-mca", *options, place])
    found = re.search(r"Total Cycles: +(\d+)", done.stdout)
    if done.returncode or not found:
        raise UserError(f"llvm-mca for {cpu} failed: {telling_line(done.stdout)}")
    return int(found[1]) / N_PASSES


def _assembly(instruction: Instruction) -> str:
    """Returns the line of an instruction; the target of a branch does not matter.

    An address is not written back: llvm-mca 14 crashes where it is, and counts no cycle for it.
    """
    if _BRANCH.fullmatch(instruction.mnemonic):
        return "b #16\n"
    operands = re.sub(r"\](!|, #-?\d+)$", "]", instruction.operands)
    return f"{instruction.mnemonic} {operands}\n"


def _rp2040js_cycles(program: Program, loop: Sequence[int], place: Path) -> float:
    require_tools("node")
    flash = FILE_BOARDS[program.board].flash
    assert flash is not None
    image = read_elf(program.elf, address=flash.address, size=flash.n_bytes)
    first = min(loop)
    begin = first - image.address
    content = image.content[begin : begin + max(loop) - first + 4]
    places = [address - first for address in loop]
    place.write_text(json.dumps({"code": list(content), "addresses": places}))
    command = ["node", "--input-type=module", "--eval", _RP2040JS, fetch_rp2040js(), place]
    done = run_command(command)
    if done.returncode:
        raise UserError(f"rp2040js failed: {telling_line(done.stdout)}")
    return float(done.stdout)
