"""Builds C for the boards and runs it under an emulator; no other module starts such a tool.

CMake builds ``tflm_app`` for a board; the emulated boards run under QEMU with ``-icount shift=0``,
where one instruction takes one nanosecond of virtual time, so that a timer counts instructions
exactly. CMSIS comes from the package registries, pinned by version and checksum, into
``build/third_party``.
"""

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pipeline.config import REPOSITORY, UserError, run_main

APP_DIR = REPOSITORY / "tflm_app"
BUILD_DIR = REPOSITORY / "build"


@dataclass(frozen=True)
class Board:
    """A folder of ``tflm_app/boards``.

    Attributes:
        core: What its code is compiled for.
        machine: QEMU's name of a machine that runs its programs; None if there is none, or if they
            run on the developer's own.
        reverb_seconds: How much of a learnt room chips with this core have memory for; 0 where
            there is no FPU to play it with.
    """

    name: str
    core: str
    machine: str | None
    reverb_seconds: float


BOARDS = {
    board.name: board
    for board in (
        Board("host", "host", None, 1.0),
        Board("qemu_m4", "Cortex-M4F", "mps2-an386", 0.25),
        Board("qemu_m7", "Cortex-M7F", "mps2-an500", 1.0),
        Board("qemu_m33", "Cortex-M33", "mps2-an505", 0.25),
        Board("qemu_m0", "Cortex-M0+", "mps2-an385", 0.0),
    )
}
"""Boards that have files, with which programs are tested and measured."""
EMULATED_BOARDS = tuple(name for name, board in BOARDS.items() if board.machine)

INSTRUMENT_BOARDS = {
    board.name: board
    for board in (
        Board("stm32f4_discovery", "Cortex-M4F", "netduinoplus2", 0.25),
        Board("nucleo_h743zi", "Cortex-M7F", None, 1.0),
        Board("pico", "Cortex-M0+", None, 0.0),
        Board("pico2", "Cortex-M33", None, 0.25),
    )
}
"""Boards that are flashed and played: what is built for them is ``apps/play``."""
ALL_BOARDS = BOARDS | INSTRUMENT_BOARDS

DEBIAN_PACKAGES = {
    "cmake": "cmake",
    "ninja": "ninja-build",
    "cc": "gcc",
    "clang": "clang libclang-rt-14-dev",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-objdump": "binutils-arm-none-eabi",
    "arm-none-eabi-g++": "libstdc++-arm-none-eabi-newlib",
    "qemu-system-arm": "qemu-system-arm",
    "node": "nodejs",
    "npm": "npm",
}


class OverflowingError(UserError):
    """A program is larger than a memory of its board.

    Attributes:
        regions: The memories, as the linker script calls them.
    """

    def __init__(self, what: str, regions: Sequence[str], remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.regions = regions


def require_tools(*tools: str) -> None:
    """Raises `UserError` naming the Debian package of the first tool that is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            package = DEBIAN_PACKAGES.get(tool, tool)
            raise UserError(f"{tool} is not installed: apt-get install {package}")


_TELLING_SIGNS = ("undefined reference", " error: ", "rror:", "Error")


def _run(command: Sequence[object], *, purpose: str, log: Path | None = None) -> str:
    """Runs a tool and returns its output; its failure is a `UserError` with the telling line."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no message"]
        said = (line for sign in _TELLING_SIGNS for line in lines if sign in line)
        telling = next(said, lines[-1])
        where = f" (all of it in {log})" if log else ""
        raise UserError(f"{purpose} failed: {telling.strip()}{where}")
    return done.stdout


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of `folder` while its content is being made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


_claims: dict[Path, TextIO] = {}


def claim(folder: Path) -> bool:
    """Takes a folder for this process until it ends; returns False where another one has it."""
    if folder not in _claims:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".claim").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        _claims[folder] = lock
    return True


# --- CMSIS ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Archive:
    """A source archive of a package registry."""

    name: str
    version: str
    sha256: str
    content: str  # the folder inside that we keep
    scope: str = ""  # before the name, in the npm registry

    @property
    def folder(self) -> Path:
        """Where its content lies once fetched."""
        return BUILD_DIR / "third_party" / f"{self.name}-{self.version}"


CMSIS_DSP = Archive(
    name="cmsisdsp",
    version="1.10.3",
    sha256="307d32298faa7c58db912851027fce35f886fec7eb1a27c4b309ce1a97f47519",
    content="cmsisdsp-1.10.3",
)
CMSIS_CORE = Archive(
    name="arm-cmsis-core",
    version="5.4.0-6",
    sha256="5244fb6e6c357ff3521bedc806c488c168fc5ee947a1e9861386a888247bc2dc",
    content="package/CMSIS/Core/Include",
    scope="@xpack-3rd-party/",
)
RP2040JS = Archive(
    name="rp2040js",
    version="1.4.1",
    sha256="83328017cf7e503477e8d218cb742d3e843782d795edd175a0b81346c194e56f",
    content="package",
)


def fetch_cmsis() -> tuple[Path, Path]:
    """Fetches CMSIS once and returns the folders of CMSIS-Core's headers and of CMSIS-DSP.

    Raises:
        UserError: pip or npm is missing or has no network, or an archive is not the pinned one.
    """
    _fetch(CMSIS_DSP, _pip_download)
    _fetch(CMSIS_CORE, _npm_download)
    return CMSIS_CORE.folder, CMSIS_DSP.folder


def fetch_rp2040js() -> Path:
    """Fetches the emulator of the RP2040 once and returns its folder; ``node`` runs it.

    Raises:
        UserError: node or npm is missing or has no network, or the archive is not the pinned one.
    """
    require_tools("node")
    _fetch(RP2040JS, _npm_download)
    return RP2040JS.folder


def _fetch(archive: Archive, download: Callable[[Archive, Path], None]) -> None:
    third_party = BUILD_DIR / "third_party"
    with _locked(third_party):
        if not archive.folder.is_dir():
            with tempfile.TemporaryDirectory(dir=third_party, prefix=".fetch-") as scratch:
                download(archive, Path(scratch))
                _unpack(archive, Path(scratch))


def _pip_download(archive: Archive, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    source_only = ["--no-binary", archive.name, f"{archive.name}=={archive.version}"]
    _run([*pip, "--dest", folder, *source_only], purpose=f"download of {archive.name} with pip")


def _npm_download(archive: Archive, folder: Path) -> None:
    require_tools("npm")
    package = f"{archive.scope}{archive.name}@{archive.version}"
    _run(
        ["npm", "pack", "--silent", "--pack-destination", folder, package],
        purpose=f"download of {archive.name} with npm",
    )


def _unpack(archive: Archive, scratch: Path) -> None:
    """Checks the one archive in `scratch` and renames its content to its final place."""
    (packed,) = [path for path in scratch.iterdir() if path.suffix in (".gz", ".tgz")]
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    if digest != archive.sha256:
        raise UserError(
            f"{packed.name} has SHA-256 {digest} instead of {archive.sha256}: "
            "the registry serves another file than the pinned one; do not use it"
        )
    with tarfile.open(packed) as tar:
        tar.extractall(scratch / "unpacked")  # its checksum vouches for its paths
    (scratch / "unpacked" / archive.content).rename(archive.folder)


# --- building -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Program:
    """An executable and the board that it runs on."""

    board: str
    elf: Path


def make(board: str, build_dir: Path, settings: Mapping[str, object], target: str) -> Program:
    """Configures and builds a CMake target of ``tflm_app``.

    Args:
        board: One of `ALL_BOARDS`.
        build_dir: Made if needed; a second build there is incremental.
        settings: CMake cache variables.
        target: An executable.

    Raises:
        UserError: A tool is missing, or the target does not compile.
        OverflowingError: It does not fit.
    """
    if board not in ALL_BOARDS:
        raise UserError(f"unknown board {board!r}: choose one of {', '.join(ALL_BOARDS)}")
    require_tools("cmake", "ninja", "cc" if board == "host" else "arm-none-eabi-gcc")
    if board != "host":
        core, dsp = fetch_cmsis()
        settings = {**settings, "CMSIS_CORE_DIR": core, "CMSIS_DSP_DIR": dsp}
    build_dir = build_dir.resolve()
    definitions = [f"-D{key}={value}" for key, value in {"BOARD": board, **settings}.items()]
    with _locked(build_dir):
        configure = ["cmake", "-S", APP_DIR, "-B", build_dir, "-G", "Ninja", *definitions]
        _run(configure, purpose=f"configuration for {board}", log=build_dir / "configure.log")
        compile_it = ["cmake", "--build", build_dir, "--target", target]
        log = build_dir / "build.log"
        try:
            _run(compile_it, purpose=f"build for {board}", log=log)
        except UserError:
            _refuse_overflow(log.read_text(), target, board)
            raise
    return Program(board, build_dir / target)


def _refuse_overflow(log: str, target: str, board: str) -> None:
    """Raises `OverflowingError` with the bytes that are missing, if the linker says so."""
    overflows = dict(re.findall(r"region `(\w+)' overflowed by (\d+) byte", log))
    if overflows:
        missing = " and ".join(f"{n_bytes} bytes of {name}" for name, n_bytes in overflows.items())
        raise OverflowingError(
            f"{target} does not fit {board}: {missing} are missing",
            tuple(overflows),
            "take a smaller model, fewer of them, or fewer voices",
        )


def _cmake_list(items: Sequence[str | Path]) -> str:
    return ";".join(str(item.resolve() if isinstance(item, Path) else item) for item in items)


def build_program(
    board: str,
    sources: Sequence[Path],
    *,
    out: Path,
    include_dirs: Sequence[Path] = (),
    defines: Sequence[str] = (),
    sanitize: bool = False,
) -> Program:
    """Builds a small C program for a board, with the firmware's flags and ``board.h``.

    Args:
        board: One of `BOARDS`.
        sources: C files, one with ``int main(int argc, char **argv)``. Every source of the firmware
            that it needs is named too; includes are relative to ``tflm_app``.
        out: Build folder, made if needed; a second build there is incremental.
        include_dirs: More include folders, such as that of generated code.
        defines: ``NAME`` or ``NAME=VALUE``.
        sanitize: Build under AddressSanitizer and UBSan (host alone).

    Raises:
        UserError: A tool is missing or the program does not compile.
    """
    settings = {
        "PROGRAM_SOURCES": _cmake_list(sources),
        "PROGRAM_INCLUDE_DIRS": _cmake_list(include_dirs),
        "PROGRAM_DEFINES": _cmake_list(defines),
        "SANITIZE": "ON" if sanitize else "OFF",
    }
    return make(board, out, settings, "program")


# --- running --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProgramRun:
    """What a program did: its exit status, its console, and the files that it was asked for."""

    status: int
    console: str
    files: dict[str, bytes] = field(repr=False)


def _command_line(program: Program, arguments: Sequence[str]) -> list[str]:
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
    command = _command_line(program, arguments)
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


# --- looking inside -------------------------------------------------------------------------------


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
    command = _command_line(program, arguments)
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


@dataclass(frozen=True)
class Instruction:
    """A machine instruction: its length in bytes, and how it is written."""

    size: int
    mnemonic: str
    operands: str


def disassemble(program: Program) -> dict[int, Instruction]:
    """Returns the instructions of a program for an emulated board by address."""
    require_tools("arm-none-eabi-objdump")
    dump = _run(["arm-none-eabi-objdump", "-d", program.elf], purpose="disassembly")
    line = re.compile(
        r"^\s*([0-9a-f]+):\s+((?:[0-9a-f]{4} ?){1,2})\s+(\S+)[ \t]*([^\n;@]*)", re.MULTILINE
    )
    return {
        int(address, 16): Instruction(len(code.replace(" ", "")) // 2, mnemonic, operands.strip())
        for address, code, mnemonic, operands in line.findall(dump)
    }


def main() -> None:
    """Checks that every tool is there and fetches what the firmware is built with."""
    require_tools(
        "cmake", "ninja", "cc", "arm-none-eabi-gcc", "arm-none-eabi-objdump", "qemu-system-arm"
    )
    for folder in (*fetch_cmsis(), fetch_rp2040js()):
        print(folder.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_main(main)
