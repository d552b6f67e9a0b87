"""Compares what a board has measured with what `pipeline.target.cycle_model` estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.constants import FORMATS, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.runs import decoder_name, find_run
from pipeline.evaluation.bench_firmware import (
    bench_frames,
    build_dir,
    cycles_per_instruction,
    flash_bytes,
)
from pipeline.evaluation.selftest_report import SelftestReport
from pipeline.target import firmware, selftest, sources
from pipeline.target.board_types import Board
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.cycle_model import chip_share

Costs = Mapping[str, float]
"""Cycles per block of 4 ms, or instructions on emulated boards, by stage; ``block`` is the sum."""


@dataclass(frozen=True)
class Estimates:
    """Estimates for the models of a report.

    Attributes:
        costs: Costs by name of the model.
        remarks: Why there are none for other models, a line each.
    """

    costs: Mapping[str, Costs]
    remarks: Sequence[str]


def estimate_report(report: SelftestReport, run_dirs: Sequence[Path] = ()) -> Estimates:
    """Estimates what the models of a report take on its board.

    Args:
        report: The report.
        run_dirs: Run folders of the models; those of which the report has the names by default.
    """
    board = ALL_BOARDS.get(report.head["board"])
    if board is None or board.flash is None:
        return Estimates({}, [f"{report.head['board']} is not a board of this project"])
    checksums = {line["model"]: line["tflite"] for line in report.of("model")}
    costs: dict[str, Costs] = {}
    remarks = []
    for name, checksum in checksums.items():
        found = _find_model(name, int(checksum, 16), run_dirs)
        if found is None:
            remarks.append(
                f"no estimate for {name}: its run folder was not found; give it by --run"
            )
        else:
            try:
                costs[name] = estimate_costs(*found, board)
            except (UserError, OSError) as error:  # what was measured is worth more than they are
                remarks.append(f"no estimate for {name}: {error}")
    return Estimates(costs, remarks)


def estimate_costs(run_dir: Path, fmt: str, board: Board) -> Costs:
    """Estimates what a model takes on a board; on an emulated board, counts its instructions.

    Args:
        run_dir: Run folder with a quantized model.
        fmt: Format of the model.
        board: A board with a flash.

    Raises:
        UserError: A tool is missing.
    """
    emulated = board.emulated_by or board.name
    generated = sources.generate(run_dir, fmt=fmt)
    built = firmware.build(emulated, generated, build_dir=build_dir(emulated, "selftest"))
    costs = dict(firmware.render(built, selftest.vector_frames()).instructions)
    if board.emulated_by:
        per_instruction = cycles_per_instruction(built, bench_frames())
        costs = {stage: n * per_instruction[stage] for stage, n in costs.items()}
        model_bytes = flash_bytes(built.parts, "model")
        with_waits = chip_share(board, costs["decoder"], model_bytes)
        costs["decoder"] = float(with_waits["cycles_per_frame"])
    return {**costs, "block": sum(costs.values())}


def _find_model(name: str, checksum: int, run_dirs: Sequence[Path]) -> tuple[Path, str] | None:
    """Returns the run folder and the format of a model in the image, if it is the same model."""
    for run_dir in run_dirs or _named(name):
        for fmt in FORMATS:
            path = run_dir / decoder_name(fmt)
            if path.is_file() and selftest.model_checksum(path) == checksum:
                return run_dir, fmt
    return None


def _named(name: str) -> list[Path]:
    """Returns the run folders whose preset has a name."""
    folders = []
    for variant in VARIANTS:
        if name.endswith(f"_{variant}"):
            try:
                folders.append(find_run(name.removesuffix(f"_{variant}"), variant))
            except UserError:
                continue
    return folders
