"""What the voices of the player cost on a chip, for a page that shows it while one plays.

The whole player performs one note, two notes and none on the emulated core. The cost of more notes
follows from these, because voices of one instrument are decoded in pairs. A cost depends on the
patch, the shape of the network and its format. Those of the shipped patches and shapes are kept in
`TABLE`, so that the page needs neither the Arm compiler nor an emulator.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.patch_files import known_patches, load_patch
from pipeline.core.paths import BUILD_DIR, MODEL_DIR, shown
from pipeline.core.runs import load_run
from pipeline.evaluation.bench_firmware import (
    bench_frames,
    cycles_per_instruction,
    flash_bytes,
    total_cycles,
)
from pipeline.model.patches import find_patch
from pipeline.target import firmware
from pipeline.target.board_types import Board
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.build import OverflowingError
from pipeline.target.cycle_model import chip_share, weight_passes
from pipeline.target.player import Score, build_player, perform
from pipeline.target.sources import generate
from pipeline.target.tools import require_tools

CHIP_BOARDS = ("stm32f4_discovery", "pico")
TABLE = MODEL_DIR / "voice_costs.json"
N_BLOCKS = 60  # of a measurement
CHORD = (67, 71)


@dataclass(frozen=True)
class PlayedModel:
    """A model of the page: its run folder, and the format of its activations."""

    run_dir: Path
    fmt: str


@dataclass(frozen=True)
class VoiceCost:
    """Estimated shares of a core's time, with one voice and with two of the same instrument."""

    one: float
    two: float


@dataclass(frozen=True)
class ChipCosts:
    """What voices cost on one chip.

    Attributes:
        board: The board with the chip.
        silent: Share of a core's time while nothing sounds.
        voices: Cost by model; None where it is not known or the model does not fit the board.
    """

    board: Board
    silent: float
    voices: Sequence[VoiceCost | None]


def find_costs(
    models: Sequence[PlayedModel], say: Callable[[str], object], *, measure: bool = False
) -> list[ChipCosts]:
    """Returns what models cost on the chips of `CHIP_BOARDS`.

    Args:
        models: The models.
        say: Called with a line before each measurement, and where there can be none.
        measure: Measure all models, and keep in `TABLE` those with a patch of ``data/patches``.
    """
    table = json.loads(TABLE.read_text())
    keys = [_key(model) for model in models]
    costs = []
    for name in CHIP_BOARDS:
        kept = table[name]["voices"]
        known = {key: VoiceCost(*cost) for key, cost in kept.items()}
        for key, model in dict(zip(keys, models, strict=True)).items():
            if key in known and not measure:
                continue
            say(f"measuring {shown(model.run_dir)}, {model.fmt}, on the emulated core of {name}")
            try:
                silent, known[key] = measure_voice(model, name)
            except OverflowingError:
                continue
            except UserError as error:
                say(f"the page lacks the cost of {shown(model.run_dir)} on {name}: {error}")
                continue
            if measure and not Path(key).is_absolute():
                table[name]["silent"] = round(silent, 4)
                kept[key] = [round(known[key].one, 4), round(known[key].two, 4)]
        found = [known.get(key) for key in keys]
        costs.append(ChipCosts(INSTRUMENT_BOARDS[name], table[name]["silent"], found))
    if measure:
        write_json(TABLE, table)
    return costs


def _key(model: PlayedModel) -> str:
    """Returns what the cost of a model depends on, or its path if its patch is its own."""
    config = load_run(model.run_dir)
    patch, shape = find_patch(config), config.tcn
    if patch.name not in known_patches() or load_patch(patch.name) != patch:
        return f"{model.run_dir.resolve()} {model.fmt}"
    return f"{patch.name} {shape.n_blocks}x{shape.hidden_channels}x{shape.kernel_size} {model.fmt}"


def measure_voice(model: PlayedModel, board_name: str) -> tuple[float, VoiceCost]:
    """Measures a model, dry, on the emulated core of a board.

    Args:
        model: The model.
        board_name: One of `pipeline.target.boards.INSTRUMENT_BOARDS`.

    Returns:
        The share of the core's time while nothing sounds, and the cost of voices.

    Raises:
        OverflowingError: The model does not fit the board.
        UserError: A tool is missing, or something does not compile or run.
    """
    board = INSTRUMENT_BOARDS[board_name]
    require_tools(*board.processor.tools)
    generated = generate(model.run_dir, fmt=model.fmt)
    built = firmware.build(board.emulated_by, generated)
    played = firmware.render(built, bench_frames(10)).instructions
    stages = cycles_per_instruction(built, bench_frames(10))
    cycles_each = total_cycles(played, stages) / sum(played.values())
    model_bytes = flash_bytes(built.parts, "model")
    place = BUILD_DIR / "player" / f"costs-{board.emulated_by}-{generated.name}"
    player = build_player(board.emulated_by, generated, n_voices=2, build_dir=place)

    def share(n_notes: int) -> float:
        report: dict[str, Any] = perform(player, _score(n_notes)).report
        cycles = cycles_each * report["instructions"] / report["n_blocks"]
        n_passes = weight_passes(n_notes, 1, is_paired=model.fmt == "int8")
        return float(chip_share(board, cycles, model_bytes, n_passes=n_passes)["cpu_share"])

    return share(0), VoiceCost(share(1), share(2))


def _score(n_notes: int) -> Score:
    notes = [(0, bytes([0x90, note, 100])) for note in CHORD[:n_notes]]
    return [(0, bytes([0xC0, 0])), *notes, (N_BLOCKS, bytes([0xB0, 120, 0]))]
