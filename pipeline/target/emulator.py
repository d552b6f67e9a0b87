"""Runs programs on the host or in the emulator, and traces their instructions."""

import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.target.boards import BOARDS
from pipeline.target.build import Program
from pipeline.target.tools import require_tools


@dataclass(frozen=True)
class ProgramRun:
    """What a program did: its exit status, its console, and the files that it was asked for."""

    status: int
    console: str
    files: dict[str, bytes] = field(repr=False)


def command_line(program: Program, arguments: Sequence[str]) -> list[str]:
    """What starts a program on its board: itself, or the emulator."""
    elf = str(program.elf.resolve())
    machine = BOARDS[program.board].machine
    if machine is None:
        return [elf, *arguments]
    require_tools("qemu-system-arm")
    words = ",".join(f"arg={word}" for word in ("firmware", *arguments))
    command = ["qemu-system-arm", "-machine", machine, "-kernel", elf, "-icount", "shift=0"]
    command += ["-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-chardev", "stdio,id=console"]
    return [*command, "-semihosting-config", f"enable=on,target=native,chardev=console,{words}"]


def _write_files(folder: Path, files: Mapping[str, bytes] | None) -> None:
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)


def run_program(
    program: Program,
    *,
    arguments: Sequence[str] = (),
    inputs: Mapping[str, bytes] | None = None,
    outputs: Sequence[str] = (),
    timeout_s: float = 300.0,
) -> ProgramRun:
    """Runs a program on its board, in a temporary folder of its own.

    Args:
        program: From `build_program` or `build`.
        arguments: What main finds from ``argv[1]`` on; words without blanks or commas.
        inputs: Files that lie in the folder before it starts.
        outputs: Names of files to bring back; one that the program did not write is left out.
        timeout_s: Seconds of wall-clock time after which it is ended.

    Raises:
        UserError: The emulator is missing, or the time is over.
    """
    command = command_line(program, arguments)
    with tempfile.TemporaryDirectory(prefix="firmware-") as scratch:
        _write_files(Path(scratch), inputs)
        try:
            done = subprocess.run(
                command,
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{program.elf.name} on {program.board} took over {timeout_s:g} s"
            ) from None
        paths = {name: Path(scratch) / name for name in outputs}
        files = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    return ProgramRun(done.returncode, done.stdout, files)


def trace_instructions(
    program: Program,
    functions: Collection[str],
    *,
    arguments: Sequence[str] = (),
    inputs: Mapping[str, bytes] | None = None,
) -> dict[str, list[int]]:
    """Lists every instruction that some functions execute, and what they call.

    Args:
        program: For an emulated board. Every instruction makes a line of log: keep it short.
        functions: Names of functions that `main` calls.
        arguments: As for `run_program`.
        inputs: Likewise.

    Returns:
        By function, addresses in the order of execution; a 0 ends every call.

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
                    continue  # the emulator's remarks
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
