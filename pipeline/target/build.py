"""Builds C for the boards and runs it under an emulator; no other module starts such a tool.

CMake builds ``tflm_app`` for a board; the emulated boards run under QEMU with ``-icount shift=0``,
where one instruction takes one nanosecond of virtual time, so that a timer counts instructions
exactly. CMSIS comes from the package registries, pinned by version and checksum, into
``build/third_party``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.tools import locked, require_tools, run_tool
from pipeline.target.vendor import fetch_cmsis


class OverflowingError(UserError):
    """A program is larger than a memory of its board.

    Attributes:
        regions: The memories, as the linker script calls them.
    """

    def __init__(self, what: str, regions: Sequence[str], remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.regions = regions


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
    with locked(build_dir):
        configure = ["cmake", "-S", APP_DIR, "-B", build_dir, "-G", "Ninja", *definitions]
        run_tool(configure, purpose=f"configuration for {board}", log=build_dir / "configure.log")
        compile_it = ["cmake", "--build", build_dir, "--target", target]
        log = build_dir / "build.log"
        try:
            run_tool(compile_it, purpose=f"build for {board}", log=log)
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
