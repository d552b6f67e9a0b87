"""Measures what one firmware costs on its emulated core.

Instructions are counted, and sizes are read from the link map. Cycles are estimated from a trace of
the executed instructions (`pipeline.target.cycle_model`). With a chip's clock and the wait states
of its memory, they give the share of its time.
"""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core import paths
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES
from pipeline.core.processes import claim
from pipeline.target import firmware, link_map
from pipeline.target.boards import ESTIMATED_BOARDS, FILE_BOARDS
from pipeline.target.cycle_model import chip_share, count_cycles
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions

STAGES = {  # the function that runs each stage
    "frame": "instrument_set_frame",
    "decoder": "instrument_decode",
    "levels": "instrument_set_levels",
    "fm": "instrument_play",
    "noise": "instrument_add_noise",
}
REVERB_STAGE = {"reverb": "reverb_process"}
N_TRACED_FRAMES, N_TRACED_REVERB_FRAMES = 1, 4  # the reverb takes all of its steps in four


def bench_frames(n_frames: int = 250) -> npt.NDArray[np.float32]:
    """Returns a second of a scale with a swell and vibrato, float32 of shape [n_frames, 2]."""
    t = np.arange(n_frames) / FRAME_RATE
    semitones = np.floor(8 * t) + 0.3 * np.sin(2 * np.pi * 5 * t)
    loudness_db = -30 + 20 * np.sin(2 * np.pi * 0.7 * t)
    return np.stack([440 * 2 ** (semitones / 12), loudness_db], axis=1).astype(np.float32)


def build_dir(board: str, kind: str) -> Path:
    """Returns a build folder that all models share, so that building the next model is quick.

    The folder is reserved for this process. If two processes built there, one would measure the
    model of the other.
    """
    folders = (paths.BUILD_DIR / "firmware" / f"bench{i}-{board}-{kind}" for i in count(1))
    return next(folder for folder in folders if claim(folder))


def cycles_per_instruction(
    built: firmware.Firmware, frames: npt.NDArray[np.float32]
) -> dict[str, float]:
    """Estimates cycles per instruction by stage, from a trace of the first frames."""
    has_reverb = "reverb" in built.parts
    stages = STAGES | (REVERB_STAGE if has_reverb else {})
    n_traced = N_TRACED_REVERB_FRAMES if has_reverb else N_TRACED_FRAMES
    code = disassemble(built.program)
    trace = trace_instructions(
        built.program,
        stages.values(),
        arguments=["frames", "pcm"],
        inputs={"frames": frames[:n_traced].tobytes()},
    )
    core = FILE_BOARDS[built.program.board].core
    counts = {}
    for stage, function in stages.items():
        executed = trace[function]
        n_executed = len(executed) - executed.count(0)
        counts[stage] = count_cycles(core, executed, code) / n_executed
    return counts


def total_cycles(instructions: Mapping[str, float], per_instruction: Mapping[str, float]) -> float:
    """Returns the cycles of all stages, from instructions and cycles per instruction by stage."""
    return sum(instructions[stage] * ratio for stage, ratio in per_instruction.items())


def bench_firmware(
    built: firmware.Firmware,
    frames: npt.NDArray[np.float32] | None = None,
    per_instruction: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Measures one firmware.

    Args:
        built: Firmware for an emulated board.
        frames: Frames to play; `bench_frames` by default.
        per_instruction: Result of `cycles_per_instruction` if it is known from another firmware
            with the same code.

    Returns:
        The firmware's entry in the JSON file.
    """
    board = FILE_BOARDS[built.program.board]
    frames = bench_frames() if frames is None else frames
    rendering = firmware.render(built, frames)
    if per_instruction is None:
        per_instruction = cycles_per_instruction(built, frames)
    instructions = rendering.instructions
    cycles = total_cycles(instructions, per_instruction)
    parts = built.parts
    model_bytes, response_bytes = flash_bytes(parts, "model"), flash_bytes(parts, "response")
    return {
        "board": board.name,
        "core": board.core,
        "engine": built.engine,
        "instructions_per_frame": {stage: round(n, 1) for stage, n in instructions.items()}
        | {"total": round(sum(instructions.values()), 1)},
        "instructions_per_sample": {
            "fm": round(instructions["fm"] / HOP_SAMPLES, 2),
            "total": round(sum(instructions.values()) / HOP_SAMPLES, 2),
        },
        "cycles_per_instruction": {stage: round(n, 3) for stage, n in per_instruction.items()},
        "bytes": {
            "decoder_code": flash_bytes(parts, "decoder") + flash_bytes(parts, "tflm"),
            "decoder_state": rendering.state_bytes["decoder"],
            "fm_code": flash_bytes(parts, "fm") + flash_bytes(parts, "noise"),
            "fm_state": rendering.state_bytes["voice"],
            "model": model_bytes,
            "firmware_flash": built.flash_bytes,
            "firmware_ram": built.ram_bytes,
            "stack_used": rendering.stack_bytes,
        },
        "chips": [
            chip_share(estimated, cycles, model_bytes, response_bytes)
            for estimated in ESTIMATED_BOARDS
            if estimated.emulated_by == board.name
        ],
    }


def flash_bytes(parts: Mapping[str, link_map.PartSize], name: str) -> int:
    """Returns the bytes of flash of a part of the firmware; 0 if there is no such part."""
    return parts[name].flash_bytes if name in parts else 0
