"""Runs programs on the host or in the emulator, and traces their instructions.

Emulated boards run under QEMU with ``-icount shift=0``: one instruction takes one nanosecond of
virtual time, so a timer of the board counts instructions exactly.
"""

import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target.boards import FILE_BOARDS, WASM
from pipeline.target.build import Program
from pipeline.target.tools import require_tools, run_command, telling_line

EMULATOR = "qemu-system-arm"
# Node.js 18, which Debian 12 has, asks for the second option; later releases accept it.
_NODE = ("node", "--no-warnings", "--experimental-wasi-unstable-preview1")


@dataclass(frozen=True)
class ProgramRun:
    """The result of a program.

    Attributes:
        status: Exit status.
        console: Everything that it printed.
        files: Content by name of the requested files that it wrote.
    """

    status: int
    console: str
    files: dict[str, bytes] = field(repr=False)


def command_line(program: Program, arguments: Sequence[str]) -> list[str]:
    """Returns the command that starts a program: itself, or what emulates or runs its board."""
    elf = str(program.elf.resolve())
    board = FILE_BOARDS[program.board]
    if board.processor is WASM:
        require_tools("node")
        return [*_NODE, str(APP_DIR / "boards" / "wasm" / "run.mjs"), elf, *arguments]
    machine = board.machine
    if machine is None:
        return [elf, *arguments]
    require_tools(EMULATOR)
    words = ",".join(f"arg={word}" for word in ("firmware", *arguments))
    command = [EMULATOR, "-machine", machine, "-kernel", elf, "-icount", "shift=0"]
    command += ["-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-chardev", "stdio,id=console"]
    return [*command, "-semihosting-config", f"enable=on,target=native,chardev=console,{words}"]


def _write_files(folder: Path, files: Mapping[str, bytes | memoryview] | None) -> None:
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)


def run_program(
    program: Program,
    *,
    arguments: Sequence[str] = (),
    inputs: Mapping[str, bytes | memoryview] | None = None,
    outputs: Sequence[str] = (),
    timeout_s: float = 300.0,
) -> ProgramRun:
    """Runs a program on its board, in its own temporary folder.

    Args:
        program: Program for one of `FILE_BOARDS`.
        arguments: Arguments from ``argv[1]`` on; words without blanks or commas.
        inputs: Files that are put into the folder first.
        outputs: Names of files to read afterwards; files that were not written are left out.
        timeout_s: Seconds of wall-clock time after which the program is killed.

    Raises:
        UserError: The emulator is missing, or the program ran too long.
    """
    command = command_line(program, arguments)
    with tempfile.TemporaryDirectory(prefix="firmware-") as scratch:
        _write_files(Path(scratch), inputs)
        try:
            done = run_command(command, folder=Path(scratch), timeout_s=timeout_s)
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{program.elf.name} on {program.board} took over {timeout_s:g} s"
            ) from None
        paths = {name: Path(scratch) / name for name in outputs}
        files = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    return ProgramRun(done.returncode, done.stdout, files)


def run_checked(
    program: Program,
    *,
    what: str,
    arguments: Sequence[str] = (),
    inputs: Mapping[str, bytes | memoryview] | None = None,
    outputs: Sequence[str] = (),
    timeout_s: float = 300.0,
) -> ProgramRun:
    """Runs a program like `run_program`, and treats an exit status other than 0 as an error.

    Args:
        program: Program for one of `FILE_BOARDS`.
        what: Name of the program; the subject of the message about its failure.
        arguments: As for `run_program`.
        inputs: As for `run_program`.
        outputs: As for `run_program`.
        timeout_s: As for `run_program`.

    Raises:
        UserError: The emulator is missing, or the program failed; the message contains the line of
            its output that states why.
    """
    run = run_program(
        program, arguments=arguments, inputs=inputs, outputs=outputs, timeout_s=timeout_s
    )
    if run.status != 0:
        reason = telling_line(run.console).removeprefix("error: ")
        raise UserError(f"{what} on {program.board} ended with status {run.status}: {reason}")
    return run


def trace_instructions(
    program: Program,
    functions: Collection[str],
    *,
    arguments: Sequence[str] = (),
    inputs: Mapping[str, bytes | memoryview] | None = None,
) -> dict[str, list[int]]:
    """Lists every instruction that some functions, and the functions that they call, execute.

    Args:
        program: Program for an emulated board. Every instruction writes a line to a log, so the
            run should be short.
        functions: Names of functions that `main` calls.
        arguments: As for `run_program`.
        inputs: As for `run_program`.

    Returns:
        Addresses in the order of execution by function; a 0 ends every call.

    Raises:
        UserError: The emulator is missing.
    """
    command = command_line(program, arguments)
    executed: dict[str, list[int]] = {function: [] for function in functions}
    current: list[int] | None = None
    with tempfile.TemporaryDirectory(prefix="firmware-") as scratch:
        _write_files(Path(scratch), inputs)
        with subprocess.Popen(
            [*command, "-singlestep", "-d", "exec,nochain"],
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as emulator:
            assert emulator.stderr is not None
            for line in emulator.stderr:
                # Trace 0: <host address> [<...>/<pc>/<flags>/<...>] <function>
                words = line.split("/")
                if len(words) != 4:
                    continue  # the emulator printed another message
                function = words[3].split()[-1]
                if function == "main":
                    if current:
                        current.append(0)
                    current = None
                elif function in executed:
                    current = executed[function]
                if current is not None:
                    current.append(int(words[1], 16))
    return executed
