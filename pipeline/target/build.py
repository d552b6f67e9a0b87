"""Builds ``tflm_app`` for the boards with CMake.

CMSIS comes from package registries, pinned by version and checksum (`pipeline.target.vendor`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.core.processes import locked
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.tools import require_tools, run_tool
from pipeline.target.vendor import fetch_cmsis

Settings = dict[str, object]
"""CMake cache variables."""


class OverflowingError(UserError):
    """A program is larger than a memory of its board.

    Attributes:
        what: Names the program, the board, and the missing bytes.
        regions: Names of the memories in the linker script.
        n_voices: The largest number of voices that there is memory and time for; 0 if there is
            none, or if it was not looked for.
    """

    def __init__(
        self, what: str, regions: Sequence[str], remedy: str, *, n_voices: int = 0
    ) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.regions = regions
        self.n_voices = n_voices


@dataclass(frozen=True)
class Program:
    """An executable and the board that it runs on."""

    board: str
    elf: Path


def has_reverb(generated_dir: Path) -> bool:
    """Whether generated code contains impulse responses, so that its firmware plays a reverb."""
    return (generated_dir / "reverbs.c").is_file()


def application_settings(
    generated_dir: Path | None = None, *, analyses: bool = False, sanitize: bool = False
) -> Settings:
    """Returns the CMake variables that the applications have in common.

    Args:
        generated_dir: Output of `pipeline.codegen`; None for an application without an instrument.
        analyses: Whether the application analyses sound, for which the host also needs CMSIS-DSP.
        sanitize: Build under AddressSanitizer and UBSan (only on the host).

    Raises:
        UserError: CMSIS-DSP is needed and cannot be fetched.
    """
    settings: Settings = {"SANITIZE": "ON" if sanitize else "OFF"}
    if generated_dir is not None:
        settings["GENERATED_DIR"] = generated_dir.resolve()
        analyses = analyses or has_reverb(generated_dir)
    if analyses:
        settings["CMSIS_DSP_DIR"] = fetch_cmsis()[1]
    return settings


def make(board: str, build_dir: Path, settings: Mapping[str, object], target: str) -> Program:
    """Configures and builds a CMake target of ``tflm_app``.

    Args:
        board: One of `ALL_BOARDS`.
        build_dir: Build folder, created if needed; later builds are incremental.
        settings: CMake cache variables.
        target: Name of an executable.

    Raises:
        UserError: The board is unknown, a tool is missing, the build has no variable of a name in
            `settings`, or the target does not compile.
        OverflowingError: The program does not fit the board.
    """
    if board not in ALL_BOARDS:
        raise UserError(f"unknown board {board!r}: choose one of {', '.join(ALL_BOARDS)}")
    require_tools("cmake", "ninja", *ALL_BOARDS[board].processor.tools)
    definitions: Settings = {"BOARD": board, "NEURAL_FM_WERROR": "ON", **settings}
    if board != "host":
        definitions["CMSIS_CORE_DIR"], definitions["CMSIS_DSP_DIR"] = fetch_cmsis()
    build_dir = build_dir.resolve()
    with locked(build_dir):
        if not ALL_BOARDS[board].weight_memory.copied_bytes:
            _configure(board, build_dir, definitions)
            _compile(board, build_dir, target)
        else:
            _configure(board, build_dir, {"WEIGHTS_IN_FLASH": "OFF", **definitions})
            try:
                _compile(board, build_dir, target)
            except UserError:  # with OFF, the linker does not report how many bytes are missing
                _configure(board, build_dir, {**definitions, "WEIGHTS_IN_FLASH": "ON"})
                _compile(board, build_dir, target)
    return Program(board, build_dir / target)


def _configure(board: str, build_dir: Path, definitions: Settings) -> None:
    options = [f"-D{name}={value}" for name, value in definitions.items()]
    configure = ["cmake", "-S", APP_DIR, "-B", build_dir, "-G", "Ninja", *options]
    purpose = f"configuration for {board}"
    log = build_dir / "configure.log"
    _drop_cache_of_another_folder(build_dir)
    try:
        output = run_tool(configure, purpose=purpose, log=log)
    except UserError:
        (build_dir / "CMakeCache.txt").unlink(missing_ok=True)  # it keeps the wrong value
        if own := re.search(r"^ +error: (.+)", log.read_text(), re.MULTILINE):  # of our CMake files
            raise UserError(own[1]) from None
        raise
    if unused := re.search(r"not used by the project:\n\n((?: +.+\n)+)", output):
        (build_dir / "CMakeCache.txt").unlink()  # with them in it, CMake would not complain again
        names = ", ".join(unused[1].split())
        raise UserError(
            f"the build for {board} has no variable {names}: leave it out, or correct it"
        )


def _compile(board: str, build_dir: Path, target: str) -> None:
    log = build_dir / "build.log"
    try:
        compile_it = ["cmake", "--build", build_dir, "--target", target]
        run_tool(compile_it, purpose=f"build for {board}", log=log)
    except UserError:
        _raise_if_overflowing(log.read_text(), target, board)
        raise


def _drop_cache_of_another_folder(build_dir: Path) -> None:
    """Removes CMake's cache if this folder or the sources were moved, which CMake refuses."""
    cache = build_dir / "CMakeCache.txt"
    if cache.is_file():
        lines = cache.read_text(errors="surrogateescape").splitlines()
        places = {"CMAKE_CACHEFILE_DIR": build_dir, "CMAKE_HOME_DIRECTORY": APP_DIR}
        if not all(f"{name}:INTERNAL={path}" in lines for name, path in places.items()):
            cache.unlink()


def _raise_if_overflowing(log: str, target: str, board: str) -> None:
    """Raises `OverflowingError` with the missing bytes if the linker reports any."""
    overflows = dict(re.findall(r"region `(\w+)' overflowed by (\d+) byte", log))
    if overflows:
        missing = " and ".join(f"{n_bytes} bytes of {name}" for name, n_bytes in overflows.items())
        raise OverflowingError(
            f"{target} does not fit {board}: {missing} are missing",
            tuple(overflows),
            "take a smaller model, fewer models, or fewer voices",
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
        board: One of `ALL_BOARDS`.
        sources: C files, one of which has ``int main(int argc, char **argv)``, including all
            sources of the firmware that they need; includes are relative to ``tflm_app``.
        out: Build folder, created if needed; later builds are incremental.
        include_dirs: Further include folders, such as that of generated code.
        defines: ``NAME`` or ``NAME=VALUE``.
        sanitize: Build under AddressSanitizer and UBSan (only on the host).

    Raises:
        UserError: A tool is missing or the program does not compile.
    """
    settings = application_settings(sanitize=sanitize) | {
        "PROGRAM_SOURCES": _cmake_list(sources),
        "PROGRAM_INCLUDE_DIRS": _cmake_list(include_dirs),
        "PROGRAM_DEFINES": _cmake_list(defines),
    }
    return make(board, out, settings, "program")
