"""Plays an instrument by another sound: what a microphone hears, as the firmware renders it live.

    python -m pipeline.transfer --audio voice.wav --instrument flute --out flute.wav

Blocks of 64 samples go through the firmware's own code (``tflm_app/apps/transfer``): analysis,
decoder, voice, and the learnt room if there is one; under QEMU or compiled for this machine, which
gives the same samples.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.paths import BUILD_DIR
from pipeline.target.build import Program, make
from pipeline.target.emulator import run_program
from pipeline.target.vendor import fetch_cmsis

ENGINES = ("host", "qemu_m4", "qemu_m7", "qemu_m33")
F0_RANGE_HZ = (100.0, 1500.0)  # of voices and most instruments


@dataclass(frozen=True)
class Transfer:
    """What the firmware made of a sound.

    Attributes:
        pcm: int16, shape [64 * n_blocks]; a block answers the block of the same number, and is
            played 8 ms later.
        frames: f0_hz and loudness_db that were heard, float32, shape [n_blocks, 2].
        report: Counts of the application: ``analysis_instructions`` and ``sound_instructions`` in
            all, ``worst_block_instructions``, ``stack_bytes``.
    """

    pcm: np.ndarray
    frames: np.ndarray
    report: dict[str, int]


def build_transfer(
    board: str, generated_dir: Path, *, build_dir: Path | None = None, sanitize: bool = False
) -> Program:
    """Builds the application around generated models.

    Args:
        board: With an FPU, one of `ENGINES`.
        generated_dir: Output of `pipeline.codegen`.
        build_dir: Where to build, below ``build/transfer`` by default.
        sanitize: Under AddressSanitizer and UBSan (host alone).

    Raises:
        UserError: A tool is missing, or it does not compile or fit.
    """
    if build_dir is None:
        place = hashlib.sha256(str(generated_dir.resolve()).encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "transfer" / f"{board}-{place}"
    settings = {
        "GENERATED_DIR": generated_dir.resolve(),
        "CMSIS_DSP_DIR": fetch_cmsis()[1],
        "SANITIZE": "ON" if sanitize else "OFF",
    }
    return make(board, build_dir, settings, "transfer")


def transfer(
    program: Program, pcm: np.ndarray, *, f0_min_hz: float, f0_max_hz: float, preset: int = 0
) -> Transfer:
    """Plays samples on the program's board.

    Args:
        program: From `build_transfer`.
        pcm: int16, shape [n]; what is left over after whole blocks is passed over.
        f0_min_hz: Lowest pitch to listen for.
        f0_max_hz: Highest pitch.
        preset: Index of the instrument in this firmware.

    Raises:
        UserError: The emulator is missing, or the program ended with an error.
    """
    bounds = [f"{f0_min_hz:.0f}", f"{f0_max_hz:.0f}"]
    run = run_program(
        program,
        arguments=["in", "out", "frames", *bounds, str(preset)],
        inputs={"in": np.asarray(pcm, "<i2").tobytes()},
        outputs=["out", "frames"],
        timeout_s=60 + len(pcm) / HOP_SAMPLES,
    )
    if run.status != 0:
        telling = next(iter(run.console.strip().splitlines()), "no message")
        raise UserError(f"transfer on {program.board} ended with status {run.status}: {telling}")
    frames = np.frombuffer(run.files["frames"], "<f4").reshape(-1, 2)
    return Transfer(np.frombuffer(run.files["out"], "<i2"), frames, json.loads(run.console))
