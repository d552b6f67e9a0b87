"""Reports what the firmware costs on every emulated core, and what that means on real chips.

    python -m pipeline.bench [--json FILE]

measures every quantized model under ``data/models``, and what the room that it learnt adds.
Instructions are counted, bytes are read from the link map. Cycles are estimated from a trace of
what was executed (`pipeline.cycles`); with a chip's clock and the waits of its flash they give the
share of its time. With ``--boards``, the boards that are flashed are measured instead, with one
instrument (`pipeline.bench_boards`). `pipeline.bench_report` makes tables and a picture of it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core import paths
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, INSTRUMENTS, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import RunConfig, load_run
from pipeline.model import reverb as model_reverb
from pipeline.model.topology import kernel_shapes
from pipeline.target import firmware, link_map, sources
from pipeline.target.boards import BOARDS, EMULATED_BOARDS
from pipeline.target.chips import CHIPS, chip_share
from pipeline.target.cycle_model import count_cycles
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions
from pipeline.target.tools import claim

STAGES = {  # by stage, the function that runs it
    "frame": "instrument_set_frame",
    "decoder": "instrument_decode",
    "levels": "instrument_set_levels",
    "fm": "instrument_play",
    "noise": "instrument_add_noise",
}
ROOM_STAGE = {"reverb": "reverb_process"}
ROOMS = (("qemu_m7", 1.0), ("qemu_m33", 0.25), ("qemu_m4", 0.25), ("qemu_m4", 0.1))  # seconds
TRACED_FRAMES = {False: 1, True: 4}  # of which a trace is made: with a room, all of its steps


def bench_frames(n_frames: int = 250) -> np.ndarray:
    """Returns a second of a scale, swelling and with vibrato, float32 of shape [n_frames, 2]."""
    t = np.arange(n_frames) / FRAME_RATE
    semitones = np.floor(8 * t) + 0.3 * np.sin(2 * np.pi * 5 * t)
    loudness_db = -30 + 20 * np.sin(2 * np.pi * 0.7 * t)
    return np.stack([440 * 2 ** (semitones / 12), loudness_db], axis=1).astype(np.float32)


def cycles_per_instruction(built: firmware.Firmware, frames: np.ndarray) -> dict[str, float]:
    """Estimates cycles per instruction by stage, from a trace of the first frames."""
    has_room = "reverb" in built.parts
    stages = STAGES | (ROOM_STAGE if has_room else {})
    code = disassemble(built.program)
    trace = trace_instructions(
        built.program,
        stages.values(),
        arguments=["frames", "pcm"],
        inputs={"frames": frames[: TRACED_FRAMES[has_room]].tobytes()},
    )
    core = BOARDS[built.program.board].core
    counts = {}
    for stage, function in stages.items():
        executed = trace[function]
        n_executed = len(executed) - executed.count(0)
        counts[stage] = count_cycles(core, executed, code) / n_executed
    return counts


def bench_firmware(
    built: firmware.Firmware,
    frames: np.ndarray | None = None,
    per_instruction: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Measures one firmware.

    Args:
        built: For an emulated board.
        frames: What it plays; `bench_frames` by default.
        per_instruction: From `cycles_per_instruction`, if it is known from another firmware of the
            same code.

    Returns:
        Figures as they go into the JSON file.
    """
    board = BOARDS[built.program.board]
    frames = bench_frames() if frames is None else frames
    rendering = firmware.render(built, frames)
    if per_instruction is None:
        per_instruction = cycles_per_instruction(built, frames)
    instructions = rendering.instructions
    cycles = sum(n * per_instruction[stage] for stage, n in instructions.items())
    parts = built.parts
    model_bytes, room_bytes = _flash(parts, "model"), _flash(parts, "room")
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
            "model": model_bytes,
            "firmware_flash": built.flash_bytes,
            "firmware_ram": built.ram_bytes,
            "stack_used": rendering.stack_bytes,
        },
        "chips": [
            chip_share(chip, cycles, model_bytes, room_bytes)
            for chip in CHIPS
            if chip.board == board.name
        ],
    }


def _flash(parts: Mapping[str, link_map.PartSize], name: str) -> int:
    return parts[name].flash_bytes if name in parts else 0


def bench_room(run_dir: Path, board: str, seconds: float, *, fmt: str = "int8") -> dict[str, Any]:
    """Measures what a room adds to a model's firmware, and how exactly it plays.

    Args:
        run_dir: Run folder with a trained and quantized model.
        board: Emulated board with an FPU.
        seconds: Length of the room.
        fmt: Format of the model.

    Returns:
        Figures as they go into the JSON file. ``error_dbfs`` is the root mean square difference
        from convolution in float64, where rounding to 16 bits alone has -101.1.

    Raises:
        UserError: The run folder has no trained model, or no quantized one.
    """
    frames = bench_frames()
    generated = sources.generate(run_dir, fmt=fmt, reverb_seconds=seconds)
    built = firmware.build(board, generated, build_dir=build_dir(board, "room"))
    played = firmware.render(built, frames)
    dry_built = firmware.build(
        board, sources.generate(run_dir, fmt=fmt), build_dir=build_dir(board, "aot")
    )
    dry = firmware.render(dry_built, frames)
    response = model_reverb.shorten(model_reverb.learnt_response(run_dir), seconds)
    exact = np.convolve(dry.pcm, response.astype(np.float64))[: len(dry.pcm)]
    error = played.pcm - np.clip(exact, -FULL_SCALE, FULL_SCALE - 1)
    row = bench_firmware(built, frames)
    return {
        "run": run_name(load_run(run_dir)),
        "board": board,
        "core": BOARDS[board].core,
        "seconds": seconds,
        "instructions_per_frame": {
            "mean": round(played.instructions["reverb"], 1),
            "worst": played.worst_reverb,
            "total": row["instructions_per_frame"]["total"],
        },
        "bytes": {
            "room": _flash(built.parts, "room"),
            "code": _flash(built.parts, "reverb") + _flash(built.parts, "cmsis_dsp"),
            "state": played.state_bytes["reverb"],
            "added_flash": built.flash_bytes - dry_built.flash_bytes,
            "added_ram": built.ram_bytes - dry_built.ram_bytes,
        },
        "error_dbfs": round(20 * math.log10(np.sqrt(np.mean(error**2)) / FULL_SCALE), 1),
        "largest_error": round(float(np.abs(error).max()), 3),
        "cycles_per_instruction": row["cycles_per_instruction"],
        "chips": row["chips"],
    }


def about_model(run_dir: Path, fmt: str) -> dict[str, Any]:
    """Describes a model: its size, and how it sounds by ``metrics.json``, if that is there."""
    config = load_run(run_dir)
    shapes = kernel_shapes(config.tcn).values()
    try:
        quality = json.loads((run_dir / "metrics.json").read_text())["mss"]["valid"]
    except (OSError, ValueError, KeyError):
        quality = {}
    return {
        "run": run_name(config),
        "instrument": config.instrument,
        "variant": config.variant,
        "format": fmt,
        "parameters": sum(math.prod(shape) + shape[-1] for shape in shapes),
        "mac_per_frame": sum(math.prod(shape) for shape in shapes),
        "tflite_bytes": _decoder(run_dir, fmt).stat().st_size,
        "mss_valid": {
            name: quality[name]
            for name in ("real", "real_dry", "rendered", "rendered_dry")
            if name in quality
        },
    }


def _decoder(run_dir: Path, fmt: str) -> Path:
    return run_dir / f"decoder_{fmt}.tflite"


def run_name(config: RunConfig) -> str:
    """Returns how reports name a run."""
    return f"{config.instrument}/{config.variant}"


def build_dir(board: str, kind: str) -> Path:
    """Returns one folder for all models, where building the next one is quick.

    It is this process' own: of two that build there, one would measure the other's model.
    """
    folders = (paths.BUILD_DIR / "firmware" / f"bench{i}-{board}-{kind}" for i in count(1))
    return next(folder for folder in folders if claim(folder))


def bench_models(
    run_dirs: Sequence[Path],
    *,
    formats: Sequence[str] = ("int8",),
    boards: Sequence[str] = EMULATED_BOARDS,
    tflm_dir: Path | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Measures models on boards.

    Args:
        run_dirs: Run folders.
        formats: Of the models.
        boards: Emulated ones.
        tflm_dir: A built tflite-micro tree; its engine is measured as well.

    Returns:
        Rows for the JSON file, and a line for each model that is not quantized, or engine that is
        not built.
    """
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    per_instruction: dict[Any, dict[str, float]] = {}  # models of one shape share their code
    cases = list(product(run_dirs, formats, boards, ("aot", "tflm") if tflm_dir else ("aot",)))
    for run_dir, fmt, board, engine in tqdm(cases, desc="bench", unit="firmware", disable=None):
        config = load_run(run_dir)
        if not _decoder(run_dir, fmt).is_file():
            reason = (
                f"{run_dir} has no {fmt} model: run python -m pipeline.quantize --run {run_dir}"
            )
            missing += [] if reason in missing else [reason]
            continue
        generated = sources.generate(run_dir, fmt=fmt)
        try:
            built = firmware.build(
                board,
                generated,
                engine=engine,
                tflm_dir=tflm_dir,
                build_dir=build_dir(board, engine),
            )
        except UserError as error:
            if engine == "aot":
                raise
            missing.append(f"without the tflm engine on {board}: {error}")  # one library a core
            continue
        code = (board, engine, fmt, config.tcn, config.patch)
        if code not in per_instruction:
            per_instruction[code] = cycles_per_instruction(built, bench_frames())
        figures = bench_firmware(built, per_instruction=per_instruction[code])
        rows.append(about_model(run_dir, fmt) | figures)
    return rows, missing


def pretrained_runs() -> list[Path]:
    """Returns the folders of ``data/models``, instrument by instrument, the full model first."""
    folders = [MODEL_DIR / i / v for i, v in product(INSTRUMENTS, VARIANTS)]
    return [folder for folder in folders if (folder / "config.toml").is_file()]


def small_runs() -> list[Path]:
    """Returns the folders of ``data/models`` with a small model that was distilled by control.

    Raises:
        UserError: There is none.
    """
    folders = [folder for folder in pretrained_runs() if folder.name == "reduced_cd"]
    if not folders:
        raise UserError(f"{MODEL_DIR} holds no reduced_cd model: train one first, or give --run")
    return folders
