"""Plays a recording with the float model and the firmware, and compares them.

The firmware is compared with the float model and, bit by bit, with the tflite-micro package and
with the Python simulation of the whole device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio.features import Features, Floats, extract_features
from pipeline.audio.input_level import measure_input
from pipeline.audio.level import calibrate_audio
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import Pcm, from_pcm, to_pcm
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.paths import shown
from pipeline.evaluation.bench_firmware import bench_firmware
from pipeline.evaluation.comparison import Q32
from pipeline.evaluation.rendering import render_float
from pipeline.model.ddx7 import load_model
from pipeline.model.measurement import Figures, measure
from pipeline.model.metrics import level_error_db, mss_distance
from pipeline.model.patches import find_patch
from pipeline.quantization.weights import load_noise
from pipeline.reference import device
from pipeline.target import firmware, sources
from pipeline.target.boards import EMULATED_BOARDS


@dataclass(frozen=True)
class Demo:
    """The results of the demo.

    Attributes:
        summary: Content of ``summary.json``.
        pcm_equal: Whether the firmware's samples equal the Python simulation of the device.
        costs: Result of `bench_firmware` by board.
        features: Features of the input.
        float_levels: Levels of the float model in turns, shape [n_frames, 6].
        device_levels: Levels of the firmware in turns, shape [n_frames, 6].
        figures: Figures of ``float`` and ``firmware`` against the input, from
            `pipeline.model.measurement.measure`.
        pcm: int16 samples by name of the WAV file: ``input``, at the calibrated level, ``float``,
            ``firmware``.
    """

    summary: dict[str, Any]
    pcm_equal: bool
    costs: dict[str, dict[str, Any]]
    features: Features
    float_levels: npt.NDArray[np.floating]
    device_levels: npt.NDArray[np.floating]
    figures: dict[str, Figures]
    pcm: dict[str, Pcm]


def cycles_per_instruction(chip: dict[str, Any], row: dict[str, Any]) -> float:
    """Returns the average cycles per instruction on a chip, including waits for its memory."""
    return float(chip["cycles_per_frame"] / row["instructions_per_frame"]["total"])


NAMED_CHIPS = ("STM32F407", "RP2040")  # chips of the last line


def play(
    recording: Path,
    config: InstrumentConfig,
    run_dir: Path,
    *,
    variant: str,
    target: str,
    boards: Sequence[str] = EMULATED_BOARDS,
) -> Demo:
    """Plays a recording with the float model and with the firmware, at the level of training.

    Args:
        recording: Audio file.
        config: The instrument.
        run_dir: Run folder with a quantized model.
        variant: Variant of the model.
        target: Board that plays; one of `boards`.
        boards: Boards whose cost is measured.

    Raises:
        UserError: A file is missing or damaged, or a tool is missing.
    """
    audio, features = _load(recording, config)
    frames = features.frames
    floating = render_float(load_model(run_dir, instrument=config.instrument), features)
    builds, costs = _build_and_measure(boards, sources.generate(run_dir), frames)
    played = firmware.render(builds[target], frames)
    tflite = run_dir / "decoder_int8.tflite"
    simulated = device.simulate(tflite, find_patch(config), load_noise(run_dir), frames)
    pcm = {"input": to_pcm(audio), "float": to_pcm(floating["dry"]), "firmware": played.pcm}
    pcm = {name: samples[: len(audio)] for name, samples in pcm.items()}
    sound = {name: from_pcm(samples) for name, samples in pcm.items()}
    figures = {
        name: measure(sound["input"], sound[name], features, config.data)
        for name in ("float", "firmware")
    }
    device_levels = played.levels_q32 / Q32
    summary = {
        "instrument": config.instrument,
        "variant": variant,
        "target": target,
        "engine": costs[target]["engine"],
        "audio_seconds": round(len(audio) / SAMPLE_RATE, 3),
        "bit_exact": np.array_equal(played.logits, simulated.logits),
        "mss_to_reference": round(figures["firmware"]["mss"] or 0.0, 4),
        "mss_to_float": round(mss_distance(sound["float"], sound["firmware"]), 4),
        "level_error_db": round(level_error_db(floating["levels"], device_levels), 4),
        **_cost_summary(played, costs[target]),
        "cpu_share": _cpu_shares(costs),
    }
    return Demo(
        summary=summary,
        pcm_equal=np.array_equal(played.pcm, simulated.pcm),
        costs=costs,
        features=features,
        float_levels=floating["levels"],
        device_levels=device_levels,
        figures=figures,
        pcm=pcm,
    )


def _load(recording: Path, config: InstrumentConfig) -> tuple[Floats, Features]:
    """Returns a recording at the level of training, and its features."""
    bounds = config.data.f0_bounds
    recorded = load_audio(recording)
    audio = calibrate_audio(recorded, measure_input(recorded, recording.name, **bounds).gain_db)
    return audio, extract_features(audio, **bounds)


def _build_and_measure(
    boards: Sequence[str], generated: Path, frames: Floats
) -> tuple[dict[str, firmware.Firmware], dict[str, dict[str, Any]]]:
    """Returns the firmware and the result of `bench_firmware`, both by board."""
    builds, costs = {}, {}
    for board in tqdm(boards, desc="boards", unit="board", disable=None):
        builds[board] = firmware.build(board, generated)
        costs[board] = bench_firmware(builds[board], frames)
    return builds, costs


def _cost_summary(played: firmware.Rendering, cost: dict[str, Any]) -> dict[str, Any]:
    """Returns the entries of ``summary.json`` about the cost on the board that plays."""
    size = cost["bytes"]
    return {
        "decoder_instructions_per_frame": round(played.instructions["decoder"], 1),
        "fm_instructions_per_sample": round(played.instructions["fm"] / HOP_SAMPLES, 2),
        "decoder_code_bytes": size["decoder_code"],
        "model_bytes": size["model"],
        "decoder_ram_bytes": size["decoder_state"],
        "firmware_flash_bytes": size["firmware_flash"],
        "firmware_ram_bytes": size["firmware_ram"],
    }


def _cpu_shares(costs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Returns the estimated CPU share by chip."""
    return {chip["name"]: chip["cpu_share"] for row in costs.values() for chip in row["chips"]}


def five_lines(demo: Demo, out: Path) -> list[str]:
    """Returns five lines of text: what was written, whether it is exact, and what it costs."""
    summary, cost = demo.summary, demo.costs[demo.summary["target"]]
    core, total = cost["core"], cost["instructions_per_frame"]["total"]
    chips = {chip["name"]: (chip, row) for row in demo.costs.values() for chip in row["chips"]}
    shares = [
        f"{100 * chip['cpu_share']:.1f} % of an {name} at {chip['clock_hz'] / 1e6:.0f} MHz "
        f"({cycles_per_instruction(chip, row):.2f} cycles per instruction)"
        for name, (chip, row) in chips.items()
        if name in NAMED_CHIPS
    ]
    return [
        f"{shown(out)}: {summary['audio_seconds']:.1f} s of {summary['instrument']} by the "
        f"{summary['variant']} model on {summary['target']} ({core}); open index.html",
        f"bit for bit: the decoder {_equal(summary['bit_exact'])} the tflite-micro package, the "
        f"PCM {_equal(demo.pcm_equal)} the Python simulation of the device",
        f"instructions: decoder {summary['decoder_instructions_per_frame']:,.0f} per frame, FM "
        f"{summary['fm_instructions_per_sample']:.1f} per sample, all {total:,.0f} per frame",
        f"memory: flash {summary['firmware_flash_bytes']:,} bytes (model "
        f"{summary['model_bytes']:,}, decoder {summary['decoder_code_bytes']:,}), RAM "
        f"{summary['firmware_ram_bytes']:,} bytes (decoder {summary['decoder_ram_bytes']:,})",
        f"estimated share: {', '.join(shares) or 'none of the chips has a board that was run'}",
    ]


def _equal(equal: bool) -> str:
    return "equals" if equal else "DIFFERS FROM"
