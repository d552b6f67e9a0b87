"""Estimates how many voices a board has time for.

The worst block (`pipeline.target.worst_block`) is counted on the emulated board with the same core,
for two and for four voices per core; more voices take proportionally more. Voices are decoded in
pairs, so that one alone would say too little. Of two cores, the one with more voices counts.
"""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.markdown import counted
from pipeline.core.paths import BUILD_DIR
from pipeline.target.board_types import Board
from pipeline.target.build import OverflowingError
from pipeline.target.cycle_model import chip_share, weight_passes
from pipeline.target.link_map import read_link_map
from pipeline.target.worst_block import measure_worst_block

CYCLES_PER_INSTRUCTION = {
    "Cortex-M4F": 1.53,
    "Cortex-M7F": 1.04,
    "Cortex-M33": 1.47,
    "Cortex-M0+": 1.21,
}
"""The mean over all that a voice of the reduced model does, from ``pipeline.bench --boards``."""
TONE = (np.arange(SAMPLE_RATE) % 64 * 512 - 16_384).astype(np.int16)  # 250 Hz, for live mode


@dataclass(frozen=True)
class ModelCosts:
    """What the costliest model of a firmware costs.

    Attributes:
        n_mac: Multiply-accumulates per frame.
        activation_bytes: Bytes of an activation, 1 or 2.
    """

    n_mac: int
    activation_bytes: int


def read_costs(generated: Path) -> ModelCosts:
    """Reads what models cost from their ``decoder_config.h``.

    Raises:
        UserError: The file is missing, or another version has generated it.
    """
    path = generated / "decoder_config.h"
    text = path.read_text() if path.is_file() else ""
    found = dict(
        re.findall(r"^#define DECODER_(N_MAC|ACTIVATION_BYTES) (\d+)$", text, re.MULTILINE)
    )
    if len(found) < 2:
        raise UserError(f"{path} does not say what its models cost: run python -m pipeline.codegen")
    return ModelCosts(int(found["N_MAC"]), int(found["ACTIVATION_BYTES"]))


def default_voices(board: Board, generated: Path) -> int:
    """Returns how many voices the player has on a board if the user does not say.

    Args:
        board: One of `pipeline.target.boards.INSTRUMENT_BOARDS`.
        generated: Output of `pipeline.codegen`.

    Raises:
        UserError: `read_costs` raises it.
    """
    costs = read_costs(generated)
    return board.voices_for(costs.n_mac * costs.activation_bytes)


@dataclass(frozen=True)
class TimeEstimate:
    """The share of a block's time that some numbers of voices take, by estimate.

    Attributes:
        share: Returns the share for a number of voices.
        limit: The largest share that is allowed.
    """

    share: Callable[[int], float]
    limit: float

    def most_voices(self, n_voices: int) -> int:
        """Returns the largest number of voices that there is time for, up to `n_voices`."""
        return max((n for n in range(n_voices + 1) if self.share(n) <= self.limit), default=0)


def estimate_time(
    board: Board, generated: Path, *, sample_rate_hz: int | None = None
) -> TimeEstimate:
    """Measures two numbers of voices, and estimates the time of others from them.

    Args:
        board: One of `pipeline.target.boards.INSTRUMENT_BOARDS`.
        generated: Output of `pipeline.codegen`.
        sample_rate_hz: Rate of the output; that of the board by default.

    Raises:
        UserError: A tool is missing, or not even one voice per core runs on the emulated board.
    """

    def measure(per_core: int) -> float:
        n_voices = per_core * board.n_cores
        rate = sample_rate_hz or board.sample_rate_hz
        place = hashlib.sha256(f"{generated} {n_voices} {rate}".encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "voices" / f"{board.name}-{place}"
        block = measure_worst_block(
            replace(board, n_voices=n_voices),
            generated,
            TONE,
            sample_rate_hz=rate,
            build_dir=build_dir,
        )
        parts = read_link_map((build_dir / "play.map").read_text())[2]
        n_models = len(list(generated.glob("*_model.c")))
        model_bytes = parts["model"].flash_bytes // n_models
        is_paired = read_costs(generated).activation_bytes == 1
        passes = weight_passes(per_core, n_models, is_paired=is_paired)
        cycles = block.instructions * CYCLES_PER_INSTRUCTION[board.core]
        share = chip_share(
            board,
            cycles,
            model_bytes,
            n_passes=passes,
            n_models=n_models,
            n_busy_cores=board.n_cores,
        )
        return float(share["cpu_share"])

    def busiest(n_voices: int) -> int:
        return math.ceil(n_voices / board.n_cores)

    assert board.limits is not None  # every board that is flashed has limits
    limit = board.limits.worst_share
    try:
        two, four = measure(2), measure(4)
    except OverflowingError:  # a large model; more voices than one per core do not run there
        one = measure(1)
        return TimeEstimate(lambda n_voices: one * busiest(n_voices), limit)
    per_voice = (four - two) / 2
    fixed = two - 2 * per_voice
    return TimeEstimate(lambda n_voices: fixed + per_voice * busiest(n_voices), limit)


def check_time(
    board: Board, generated: Path, n_voices: int, *, sample_rate_hz: int | None = None
) -> float:
    """Returns the share of a block's time that the voices take in the worst case, by estimate.

    Args:
        board: One of `pipeline.target.boards.INSTRUMENT_BOARDS`.
        generated: Output of `pipeline.codegen`.
        n_voices: Number of the player's voices, for which there is memory.
        sample_rate_hz: Rate of the output; that of the board by default.

    Raises:
        UserError: They take longer than the board has, or `estimate_time` raises it.
    """
    estimate = estimate_time(board, generated, sample_rate_hz=sample_rate_hz)
    share = estimate.share(n_voices)
    if share > estimate.limit:
        most = estimate.most_voices(n_voices)
        raise UserError(
            f"{board.name} has no time for {counted(n_voices, 'voice')}: the worst block would "
            f"take {100 * share:.0f} % of it, and {100 * estimate.limit:.0f} % are allowed; "
            + remedy(n_voices, in_memory=n_voices, in_time=most)
        )
    return share


def remedy(n_voices: int, *, in_memory: int, in_time: int) -> str:
    """Returns how many voices fit in memory and in time, and the option that selects them."""
    most = min(in_memory, in_time)
    if not most:
        return "take a smaller model, or fewer models"
    limits = {"memory": in_memory, "time": in_time}
    lacking = [f"{what} for {n}" for what, n in limits.items() if n < n_voices]
    return f"there is {' and '.join(lacking)} of {n_voices} voices: --voices {most}"
