"""Generates ``tflm_app/boards/boards.cmake``, from which the build reads the facts of a board."""

from collections.abc import Sequence
from typing import Protocol

BANNER = "# Made by python -m pipeline.tables; do not edit."


class BoardFacts(Protocol):
    """The attributes of a board that the build reads."""

    @property
    def name(self) -> str:
        """Folder of ``tflm_app/boards``."""

    @property
    def core(self) -> str:
        """Name of the core, such as ``Cortex-M4F``."""

    @property
    def core_flags(self) -> Sequence[str]:
        """Compiler options for the core and its ABI; none for the host."""

    @property
    def clock_hz(self) -> int | None:
        """Clock of the core, or of SysTick on emulated boards; None for the host."""

    @property
    def has_fpu(self) -> bool:
        """Whether the core has hardware for float32."""

    @property
    def has_input(self) -> bool:
        """Whether the board has a sound input."""

    @property
    def has_data_cache(self) -> bool:
        """Whether weights in flash are read through a data cache."""

    @property
    def n_cores(self) -> int:
        """Number of cores that render voices, 1 or 2."""

    @property
    def n_voices(self) -> int:
        """Default number of voices of the player."""

    @property
    def sample_rate_hz(self) -> int:
        """Default rate of the output, 16000 or 48000."""

    @property
    def tflm_arch(self) -> str | None:
        """``TARGET_ARCH`` of TensorFlow Lite Micro; None if the tflm engine does not run."""


def boards_cmake_text(boards: Sequence[BoardFacts]) -> str:
    """Returns a CMake file that sets the facts of the board that ``BOARD`` names.

    An empty ``BOARD`` sets nothing. An unknown one stops the configuration with the list of boards.

    Args:
        boards: All boards, at least one.
    """
    blocks = []
    for keyword, board in zip(["if", *["elseif"] * (len(boards) - 1)], boards, strict=True):
        facts = "".join(f"  set({name} {value})\n" for name, value in _facts(board).items())
        blocks.append(f'{keyword}(BOARD STREQUAL "{board.name}")\n{facts}')
    names = ", ".join(board.name for board in boards)
    unknown = f'  message(FATAL_ERROR " error: unknown board ${{BOARD}}: choose one of {names}")\n'
    return f"{BANNER}\n{''.join(blocks)}elseif(BOARD)\n{unknown}endif()\n"


def _facts(board: BoardFacts) -> dict[str, str]:
    """Returns the CMake variables of a board; facts that it does not have are empty."""

    def switch(is_on: bool) -> str:
        return "ON" if is_on else "OFF"

    return {
        "BOARD_CORE": f'"{board.core}"',
        "BOARD_CORE_FLAGS": " ".join(board.core_flags) or '""',
        "BOARD_CLOCK_HZ": str(board.clock_hz) if board.clock_hz else '""',
        "BOARD_HAS_FPU": switch(board.has_fpu),
        "BOARD_HAS_INPUT": switch(board.has_input),
        "BOARD_HAS_DATA_CACHE": switch(board.has_data_cache),
        "BOARD_CORES": str(board.n_cores),
        "BOARD_VOICES": str(board.n_voices),
        "BOARD_SAMPLE_RATE": str(board.sample_rate_hz),
        "BOARD_TFLM_ARCH": board.tflm_arch or '""',
    }
