"""Measures every model on every emulated core, and what a reverb adds."""

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import ENGINES, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import RunConfig, load_run
from pipeline.evaluation.bench_firmware import (
    bench_firmware,
    bench_frames,
    build_dir,
    cycles_per_instruction,
    flash_bytes,
)
from pipeline.model import reverb as model_reverb
from pipeline.model.patches import find_patch
from pipeline.model.topology import kernel_shapes
from pipeline.target import firmware, sources
from pipeline.target.boards import EMULATED_BOARDS, FILE_BOARDS

REVERBS = (("qemu_m7", 1.0), ("qemu_m33", 0.25), ("qemu_m4", 0.25), ("qemu_m4", 0.1))
"""Boards and lengths in seconds of the reverbs that are measured."""


def bench_reverb(run_dir: Path, board: str, seconds: float, *, fmt: str = "int8") -> dict[str, Any]:
    """Measures what a reverb adds to a model's firmware, and how exactly it is played.

    Args:
        run_dir: Run folder with a trained and quantized model.
        board: Emulated board with an FPU.
        seconds: Length of the reverb.
        fmt: Format of the model.

    Returns:
        The reverb's entry in the JSON file. ``error_dbfs`` is the root mean square difference from
        convolution in float64; rounding to 16 bits alone gives -101.1.

    Raises:
        UserError: The run folder contains no trained or no quantized model.
    """
    frames = bench_frames()
    generated = sources.generate(run_dir, fmt=fmt, reverb_seconds=seconds)
    built = firmware.build(board, generated, build_dir=build_dir(board, "reverb"))
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
        "core": FILE_BOARDS[board].core,
        "seconds": seconds,
        "instructions_per_frame": {
            "mean": round(played.instructions["reverb"], 1),
            "worst": played.worst_reverb,
            "total": row["instructions_per_frame"]["total"],
        },
        "bytes": {
            "response": flash_bytes(built.parts, "response"),
            "code": flash_bytes(built.parts, "reverb") + flash_bytes(built.parts, "cmsis_dsp"),
            "state": played.state_bytes["reverb"],
            "added_flash": built.flash_bytes - dry_built.flash_bytes,
            "added_ram": built.ram_bytes - dry_built.ram_bytes,
        },
        "error_dbfs": round(20 * math.log10(np.sqrt(np.mean(error**2)) / FULL_SCALE), 1),
        "largest_error": round(float(np.abs(error).max()), 3),
        "cycles_per_instruction": row["cycles_per_instruction"],
        "chips": row["chips"],
    }


def bench_reverbs(
    run_dirs: Sequence[Path], *, boards: Sequence[str], fmt: str = "int8"
) -> list[dict[str, Any]]:
    """Measures the `REVERBS` of `boards` with the smallest quantized model of `run_dirs`."""
    quantized = [folder for folder in run_dirs if _decoder(folder, fmt).is_file()]
    if not quantized:
        return []
    run_dir = min(quantized, key=lambda folder: _n_parameters(load_run(folder)))
    return [bench_reverb(run_dir, b, seconds, fmt=fmt) for b, seconds in REVERBS if b in boards]


def about_model(run_dir: Path, fmt: str) -> dict[str, Any]:
    """Describes a model: its size and, if ``metrics.json`` exists, its quality."""
    config = load_run(run_dir)
    try:
        quality = json.loads((run_dir / "metrics.json").read_text())["mss"]["valid"]
    except (OSError, ValueError, KeyError):
        quality = {}
    return {
        "run": run_name(config),
        "instrument": config.instrument,
        "variant": config.variant,
        "format": fmt,
        "parameters": _n_parameters(config),
        "mac_per_frame": sum(math.prod(shape) for shape in kernel_shapes(config.tcn).values()),
        "tflite_bytes": _decoder(run_dir, fmt).stat().st_size,
        "mss_valid": {
            name: quality[name]
            for name in ("real", "real_dry", "rendered", "rendered_dry")
            if name in quality
        },
    }


def _n_parameters(config: RunConfig) -> int:
    return sum(math.prod(shape) + shape[-1] for shape in kernel_shapes(config.tcn).values())


def _decoder(run_dir: Path, fmt: str) -> Path:
    return run_dir / f"decoder_{fmt}.tflite"


def run_name(config: RunConfig) -> str:
    """Returns the name of a run in reports."""
    return f"{config.instrument}/{config.variant}"


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
        formats: Formats of the models.
        boards: Emulated boards.
        tflm_dir: tflite-micro tree with a built library; the tflm engine is measured as well.

    Returns:
        Rows for the JSON file, and a message for each model that is not quantized and each engine
        that cannot be built.
    """
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    per_instruction: dict[Any, dict[str, float]] = {}  # models of one shape have the same code
    cases = list(product(run_dirs, formats, boards, ENGINES if tflm_dir else ENGINES[:1]))
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
            # A library is built for one core; the tree may lack those for other cores.
            missing.append(f"without the tflm engine on {board}: {error}")
            continue
        code = (board, engine, fmt, config.tcn, find_patch(config))
        if code not in per_instruction:
            per_instruction[code] = cycles_per_instruction(built, bench_frames())
        figures = bench_firmware(built, per_instruction=per_instruction[code])
        rows.append(about_model(run_dir, fmt) | figures)
    return rows, missing


def pretrained_runs() -> list[Path]:
    """Returns the folders of ``data/models``, instrument by instrument, the full model first."""
    folders = [MODEL_DIR / i / v for i, v in product(shipped_instruments(), VARIANTS)]
    return [folder for folder in folders if (folder / "config.toml").is_file()]


def small_runs() -> list[Path]:
    """Returns the folders of ``data/models`` with a reduced model from control distillation.

    Raises:
        UserError: There is none.
    """
    folders = [folder for folder in pretrained_runs() if folder.name == "reduced_cd"]
    if not folders:
        raise UserError(
            f"{MODEL_DIR} contains no reduced_cd model: run python -m pipeline.run, then give --run"
        )
    return folders
