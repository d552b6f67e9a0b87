"""Demo: a melody goes in as a recording and comes out of the firmware on an emulated Cortex-M.

    python -m pipeline.demo

composes a melody, renders it as the recording of an instrument, extracts its features, compiles the
pretrained model into the firmware, plays the features on it, and leaves ``input.wav``,
``float.wav``, ``firmware.wav``, ``index.html`` and ``summary.json`` in ``build/demo``. The firmware
is held against the float model and, bit by bit, against the tflite-micro package and the Python
simulation of the whole device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio.features import Features, extract_features, load_audio
from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.evaluation.bench_cores import bench_firmware
from pipeline.evaluation.comparison import Q32
from pipeline.evaluation.rendering import render_float
from pipeline.model.ddx7 import load_model
from pipeline.model.metrics import level_error_db, mss_distance
from pipeline.model.patches import PATCHES
from pipeline.quantization.weights import load_noise
from pipeline.reference import device
from pipeline.target import boards, firmware, sources


@dataclass(frozen=True)
class Demo:
    """What was played and measured.

    Attributes:
        summary: As ``summary.json`` holds it.
        pcm_equal: Whether the firmware's samples equal the Python simulation of the device.
        costs: By board, from `pipeline.bench.bench_firmware`.
        features: Of the input.
        float_levels: Levels of the float model in turns, shape [n_frames, 6].
        device_levels: Levels of the firmware, same unit and shape.
        pcm: int16 samples by name of the WAV file: ``input``, ``float``, ``firmware``.
    """

    summary: dict[str, Any]
    pcm_equal: bool
    costs: dict[str, dict[str, Any]]
    features: Features
    float_levels: npt.NDArray[np.floating]
    device_levels: npt.NDArray[np.floating]
    pcm: dict[str, npt.NDArray[np.int16]]


def cycles_per_instruction(chip: dict[str, Any], row: dict[str, Any]) -> float:
    """Returns the cycles that `pipeline.bench` assumes on average, waits of the flash included."""
    return float(chip["cycles_per_frame"] / row["instructions_per_frame"]["total"])


NAMED_CHIPS = ("STM32F407", "RP2040")  # of which the last line speaks


def play(
    recording: Path,
    config: InstrumentConfig,
    run_dir: Path,
    *,
    variant: str,
    target: str,
    boards: Sequence[str] = boards.EMULATED_BOARDS,
) -> Demo:
    """Plays a recording with the float model and with the firmware.

    Args:
        recording: Audio file.
        config: Instrument.
        run_dir: Run folder with a quantized model.
        variant: Its variant.
        target: Board that plays; one of `boards`.
        boards: Boards whose cost is measured.

    Raises:
        UserError: A file is missing or damaged, or a tool is missing.
    """
    audio = load_audio(recording)
    features = extract_features(
        audio, f0_min_hz=config.data.f0_min_hz, f0_max_hz=config.data.f0_max_hz
    )
    frames = np.stack([features.f0_hz, features.loudness_db], axis=1)
    floating = render_float(load_model(run_dir, instrument=config.instrument), features)

    generated = sources.generate(run_dir)
    costs = {}
    for board in tqdm(boards, desc="boards", unit="board", disable=None):
        built = firmware.build(board, generated)
        costs[board] = bench_firmware(built, frames)
        if board == target:
            played = firmware.render(built, frames)
    simulated = device.simulate(
        run_dir / "decoder_int8.tflite",
        PATCHES[config.patch],
        load_noise(run_dir),
        frames,
    )
    device_levels = played.levels_q32 / Q32

    pcm = {"input": audio, "float": floating["dry"], "firmware": from_pcm(played.pcm)}
    samples = {name: to_pcm(values)[: len(audio)] for name, values in pcm.items()}
    sound = {name: from_pcm(values) for name, values in samples.items()}
    cost, size = costs[target], costs[target]["bytes"]
    summary = {
        "instrument": config.instrument,
        "variant": variant,
        "target": target,
        "engine": cost["engine"],
        "audio_seconds": round(len(audio) / SAMPLE_RATE, 3),
        "bit_exact": np.array_equal(played.logits, simulated.logits),
        "mss_to_reference": round(mss_distance(sound["input"], sound["firmware"]), 4),
        "mss_to_float": round(mss_distance(sound["float"], sound["firmware"]), 4),
        "level_error_db": round(level_error_db(floating["levels"], device_levels), 4),
        "decoder_instructions_per_frame": round(played.instructions["decoder"], 1),
        "fm_instructions_per_sample": round(played.instructions["fm"] / HOP_SAMPLES, 2),
        "decoder_code_bytes": size["decoder_code"],
        "model_bytes": size["model"],
        "decoder_ram_bytes": size["decoder_state"],
        "firmware_flash_bytes": size["firmware_flash"],
        "firmware_ram_bytes": size["firmware_ram"],
        "cpu_share": {
            chip["name"]: chip["cpu_share"] for row in costs.values() for chip in row["chips"]
        },
    }
    return Demo(
        summary=summary,
        pcm_equal=np.array_equal(played.pcm, simulated.pcm),
        costs=costs,
        features=features,
        float_levels=floating["levels"],
        device_levels=device_levels,
        pcm=samples,
    )


def five_lines(demo: Demo, out: Path) -> list[str]:
    """Says what was made, whether it is exact, and what it costs."""
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
        f"{out}: {summary['audio_seconds']:.1f} s of {summary['instrument']} by the "
        f"{summary['variant']} model on {summary['target']} ({core}); open index.html",
        f"bit for bit: the decoder {_equal(summary['bit_exact'])} the tflite-micro package, the "
        f"PCM {_equal(demo.pcm_equal)} the Python simulation of the device",
        f"instructions: decoder {summary['decoder_instructions_per_frame']:,.0f} a frame, FM "
        f"{summary['fm_instructions_per_sample']:.1f} a sample, all {total:,.0f} a frame",
        f"memory: flash {summary['firmware_flash_bytes']:,} bytes (model "
        f"{summary['model_bytes']:,}, decoder {summary['decoder_code_bytes']:,}), RAM "
        f"{summary['firmware_ram_bytes']:,} bytes (decoder {summary['decoder_ram_bytes']:,})",
        f"estimated share: {', '.join(shares) or 'none of the chips has a board that was run'}",
    ]


def _equal(equal: bool) -> str:
    return "equals" if equal else "DIFFERS FROM"
