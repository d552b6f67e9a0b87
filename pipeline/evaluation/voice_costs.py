"""Measures what the voices of the player cost on a chip, for a page that shows it while one plays.

The whole player performs one note, two notes and none on the emulated core. The cost of more notes
follows from these, because voices of one instrument are decoded in pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.paths import BUILD_DIR
from pipeline.evaluation.bench_firmware import bench_frames, cycles_per_instruction, flash_bytes
from pipeline.target import firmware
from pipeline.target.board_types import Board
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.cycle_model import chip_share
from pipeline.target.player import Score, build_player, perform

CHIP_BOARDS = ("stm32f4_discovery", "pico")
N_BLOCKS = 60  # of a measurement
CHORD = (67, 71)


@dataclass(frozen=True)
class ChipCosts:
    """Estimated shares of a core's time.

    Attributes:
        board: The board with the chip.
        silent: Share while nothing sounds.
        one: Share with one voice, by preset.
        two: Share with two voices on one core, by preset.
    """

    board: Board
    silent: float
    one: Sequence[float]
    two: Sequence[float]


def measure_voices(generated: Path, n_presets: int, board_name: str) -> ChipCosts:
    """Measures the voices of a firmware, dry, on the emulated core of a board.

    Args:
        generated: Output of `pipeline.codegen`, without a reverb.
        n_presets: Number of its presets.
        board_name: One of `pipeline.target.boards.INSTRUMENT_BOARDS`.

    Raises:
        UserError: A tool is missing, or something does not compile, fit or run.
    """
    board = INSTRUMENT_BOARDS[board_name]
    built = firmware.build(board.emulated_by, generated)
    played = firmware.render(built, bench_frames(10)).instructions
    stages = cycles_per_instruction(built, bench_frames(10))
    cycles_each = sum(n * stages[stage] for stage, n in played.items()) / sum(played.values())
    model_bytes = flash_bytes(built.parts, "model") // n_presets
    place = BUILD_DIR / "player" / f"costs-{board.emulated_by}"
    player = build_player(board.emulated_by, generated, n_voices=2, build_dir=place)

    def share(preset: int, n_notes: int) -> float:
        report = perform(player, _score(preset, n_notes)).report
        cycles = cycles_each * report["instructions"] / report["n_blocks"]
        return float(chip_share(board, cycles, n_notes * model_bytes)["cpu_share"])

    return ChipCosts(
        board,
        silent=share(0, 0),
        one=[share(preset, 1) for preset in range(n_presets)],
        two=[share(preset, 2) for preset in range(n_presets)],
    )


def _score(preset: int, n_notes: int) -> Score:
    notes = [(0, bytes([0x90, note, 100])) for note in CHORD[:n_notes]]
    return [(0, bytes([0xC0, preset])), *notes, (N_BLOCKS, bytes([0xB0, 120, 0]))]
