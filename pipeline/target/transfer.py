"""Plays an instrument live from sound, with the firmware (``tflm_app/apps/transfer``).

Blocks of 64 samples pass through the firmware's own code: analysis, decoder, voice, and the learnt
reverb if there is one. The emulated boards and the host produce the same samples.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.paths import BUILD_DIR
from pipeline.target.build import Program, application_settings, make
from pipeline.target.emulator import run_checked


@dataclass(frozen=True)
class Transfer:
    """What the firmware played from a sound.

    Attributes:
        pcm: int16, shape [64 * n_blocks]; each block results from the input block of the same
            number and is played 8 ms later.
        frames: Measured f0_hz and loudness_db after the gain, float32, shape [n_blocks, 2].
        gain_db: Input gain of every block, float32, shape [n_blocks].
        report: Figures of the application: ``analysis_instructions`` and ``sound_instructions`` in
            total, ``worst_block_instructions``, ``stack_bytes``.
    """

    pcm: npt.NDArray[np.int16]
    frames: npt.NDArray[np.float32]
    gain_db: npt.NDArray[np.float32]
    report: dict[str, int]


def build_transfer(
    board: str, generated_dir: Path, *, build_dir: Path | None = None, sanitize: bool = False
) -> Program:
    """Builds the application around generated models.

    Args:
        board: One of `pipeline.target.boards.LIVE_BOARDS`.
        generated_dir: Output of `pipeline.codegen`.
        build_dir: Build folder; below ``build/transfer`` by default.
        sanitize: Build under AddressSanitizer and UBSan (only on the host).

    Raises:
        UserError: A tool is missing, or the program does not compile or fit.
    """
    if build_dir is None:
        place = hashlib.sha256(str(generated_dir.resolve()).encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "transfer" / f"{board}-{place}"
    settings = application_settings(generated_dir, analyses=True, sanitize=sanitize)
    return make(board, build_dir, settings, "transfer")


def transfer(
    program: Program,
    pcm: npt.NDArray[np.int16],
    *,
    f0_min_hz: float,
    f0_max_hz: float,
    gain_db: float | Literal["live"] = 0.0,
    preset: int = 0,
) -> Transfer:
    """Plays an instrument from samples on the program's board.

    Args:
        program: Program from `build_transfer`.
        pcm: int16, shape [n]; samples after the last whole block are ignored.
        f0_min_hz: Lowest pitch to detect.
        f0_max_hz: Highest pitch to detect.
        gain_db: Input gain, rounded to 0.01 dB; ``"live"`` to follow the input as the boards do
            after ``gain auto``.
        preset: Number of the instrument in the firmware.

    Raises:
        UserError: The emulator is missing, or the program failed.
    """
    bounds = [f"{f0_min_hz:.0f}", f"{f0_max_hz:.0f}"]
    gain = "auto" if gain_db == "live" else f"{100 * gain_db:.0f}"
    run = run_checked(
        program,
        what="transfer",
        arguments=["in", "out", "frames", *bounds, gain, str(preset)],
        inputs={"in": np.asarray(pcm, "<i2").tobytes()},
        outputs=["out", "frames"],
        timeout_s=60 + len(pcm) / HOP_SAMPLES,
    )
    records = np.frombuffer(run.files["frames"], "<f4").reshape(-1, 3)
    pcm = np.frombuffer(run.files["out"], "<i2")
    return Transfer(pcm, records[:, :2], records[:, 2], json.loads(run.console))
