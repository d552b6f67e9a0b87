"""Reports what the firmware costs on every emulated core, and what that means on real chips.

Instructions are counted, bytes are read from the link map. Cycles are estimated from a trace of
what was executed (`pipeline.cycles`); with a chip's clock and the waits of its flash they give the
share of its time.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import firmware
from pipeline.config import (
    FRAME_RATE,
    HOP_SAMPLES,
    UserError,
    find_run,
    load_run,
    run_main,
    write_json,
)
from pipeline.cycles import count_cycles
from pipeline.toolchain import BOARDS, EMULATED_BOARDS, disassemble, trace_instructions

STAGES = {  # by stage, the function that runs it
    "frame": "instrument_set_frame",
    "decoder": "instrument_decode",
    "levels": "instrument_set_levels",
    "fm": "instrument_play",
}


@dataclass(frozen=True)
class Chip:
    """A chip that the counted code could run on.

    Attributes:
        board: The emulated board with its core.
        clock_hz: At which it is run.
        flash_line_bytes: What a read of the flash brings, where the weights stay in flash.
        flash_wait_cycles: Cycles that a read waits; loops run from the instruction cache.
        weight_bytes: Room for weights in that memory.
        memory: Where code and weights are assumed to lie.
    """

    name: str
    board: str
    clock_hz: float
    flash_line_bytes: int
    flash_wait_cycles: int
    weight_bytes: int
    memory: str


CHIPS = (
    Chip("STM32F407", "qemu_m4", 168e6, 16, 5, 960_000, "flash, 5 waits per 16 bytes of weights"),
    Chip("STM32H743", "qemu_m7", 480e6, 1, 0, 480_000, "RAM behind the data cache, no waits"),
    Chip("RP2350", "qemu_m33", 150e6, 1, 0, 480_000, "SRAM, no waits"),
    Chip("RP2040", "qemu_m0", 125e6, 1, 0, 220_000, "SRAM, no waits"),
)


def bench_frames(n_frames: int = 250) -> np.ndarray:
    """Returns a second of a scale, swelling and with vibrato, float32 of shape [n_frames, 2]."""
    t = np.arange(n_frames) / FRAME_RATE
    semitones = np.floor(8 * t) + 0.3 * np.sin(2 * np.pi * 5 * t)
    loudness_db = -30 + 20 * np.sin(2 * np.pi * 0.7 * t)
    return np.stack([440 * 2 ** (semitones / 12), loudness_db], axis=1).astype(np.float32)


def bench_firmware(built: firmware.Firmware, frames: np.ndarray | None = None) -> dict[str, Any]:
    """Measures one firmware.

    Args:
        built: For an emulated board.
        frames: What it plays; `bench_frames` by default.

    Returns:
        Figures as they go into the JSON file.
    """
    board = BOARDS[built.program.board]
    frames = bench_frames() if frames is None else frames
    rendering = firmware.render(built, frames)
    # The trace is long; two frames show the mix of instructions.
    code = disassemble(built.program)
    trace = trace_instructions(
        built.program,
        STAGES.values(),
        arguments=["frames", "pcm"],
        inputs={"frames": frames[:2].tobytes()},
    )
    per_instruction = {}
    for stage, function in STAGES.items():
        executed = trace[function]
        n_executed = len(executed) - executed.count(0)
        per_instruction[stage] = count_cycles(board.core, executed, code) / n_executed
    instructions = rendering.instructions
    cycles = sum(instructions[stage] * per_instruction[stage] for stage in STAGES)
    parts = built.parts
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
            "decoder_code": _flash(parts, "decoder") + _flash(parts, "tflm"),
            "decoder_state": rendering.state_bytes["decoder"],
            "fm_code": _flash(parts, "fm"),
            "fm_state": rendering.state_bytes["voice"],
            "model": _flash(parts, "model"),
            "firmware_flash": built.flash_bytes,
            "firmware_ram": built.ram_bytes,
            "stack_used": rendering.stack_bytes,
        },
        "chips": [
            chip_share(chip, cycles, _flash(parts, "model"))
            for chip in CHIPS
            if chip.board == board.name
        ],
    }


def _flash(parts: Mapping[str, firmware.PartSize], name: str) -> int:
    return parts[name].flash_bytes if name in parts else 0


def chip_share(chip: Chip, cycles_per_frame: float, model_bytes: int) -> dict[str, Any]:
    """Estimates the share of a chip's time, every weight being read once a frame."""
    waits = model_bytes / chip.flash_line_bytes * chip.flash_wait_cycles
    share = (cycles_per_frame + waits) * FRAME_RATE / chip.clock_hz
    return {
        **asdict(chip),
        "estimate": True,
        "fits": model_bytes <= chip.weight_bytes,
        "cycles_per_frame": round(cycles_per_frame + waits),
        "cpu_share": round(share, 4),
    }


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints one line per firmware."""
    print(
        f"{'run':<18}{'format':<9}{'engine':<7}{'core':<11}{'decoder':>9}{'fm/sample':>10}{'total':>9}"
        f"{'code':>7}{'model':>8}{'flash':>8}{'RAM':>7}  CPU share (estimate)"
    )
    for row in rows:
        per_frame, size = row["instructions_per_frame"], row["bytes"]
        estimates = ", ".join(
            f"{100 * chip['cpu_share']:.1f} % of {chip['name']} @ {chip['clock_hz'] / 1e6:.0f} MHz"
            f" ({chip['cycles_per_frame'] / per_frame['total']:.2f} cycles an instruction"
            f"{'' if chip['fits'] else '; its memory is too small'})"
            for chip in row["chips"]
        )
        print(
            f"{row['run']:<18}{row['format']:<9}{row['engine']:<7}{row['core']:<11}"
            f"{per_frame['decoder']:>9.0f}"
            f"{row['instructions_per_sample']['fm']:>10.1f}{per_frame['total']:>9.0f}"
            f"{size['decoder_code']:>7}{size['model']:>8}{size['firmware_flash']:>8}"
            f"{size['firmware_ram']:>7}  {estimates}"
        )
    places = "; ".join(f"{chip.memory} ({chip.name})" for chip in CHIPS)
    print("Instructions are counted, a frame's where nothing else is said; bytes are the linker's.")
    print(
        f"Shares are estimates: cycles by the cores' timing tables, code and weights in {places}."
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.bench",
        description="Counts what the firmware costs on every emulated core.",
    )
    parser.add_argument("--json", type=Path, required=True, help="file for the figures")
    parser.add_argument(
        "--run", type=Path, action="append", help="run folder; may be repeated (flute, reduced_cd)"
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=("int8", "int16x8"),
        help="of the model; may be repeated (int8)",
    )
    parser.add_argument("--board", action="append", choices=EMULATED_BOARDS, help="only this one")
    parser.add_argument(
        "--tflm-dir", type=Path, help="built tflite-micro tree: bench its engine too"
    )
    arguments = parser.parse_args(argv)
    rows = []
    for run_dir, fmt, board in product(
        arguments.run or [find_run("flute", "reduced_cd")],
        arguments.format or ["int8"],
        arguments.board or EMULATED_BOARDS,
    ):
        config = load_run(run_dir)
        generated = firmware.generate(run_dir, fmt=fmt)
        for engine in ("aot", "tflm") if arguments.tflm_dir else ("aot",):
            try:
                built = firmware.build(board, generated, engine=engine, tflm_dir=arguments.tflm_dir)
            except UserError as error:
                if engine == "aot":
                    raise
                print(f"without the tflm engine on {board}: {error}")  # one library a core
                continue
            run = f"{config.instrument}/{config.variant}"
            rows.append({"run": run, "format": fmt, **bench_firmware(built)})
    print_table(rows)
    write_json(
        arguments.json, {"frame_rate_hz": FRAME_RATE, "hop_samples": HOP_SAMPLES, "rows": rows}
    )
    print(f"{arguments.json} written; next: python -m pipeline.evaluate")


if __name__ == "__main__":
    run_main(main)
