"""Demo: a melody goes in as a recording and comes out of the firmware on an emulated Cortex-M.

    python -m pipeline.demo

composes a melody, renders it as the recording of an instrument, extracts its features, compiles the
pretrained model into the firmware, plays the features on it, and leaves ``input.wav``,
``float.wav``, ``firmware.wav``, ``index.html`` and ``summary.json`` in ``build/demo``. The firmware
is held against the float model and, bit by bit, against the tflite-micro package and the Python
simulation of the whole device.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline import device, firmware
from pipeline.bench import bench_firmware
from pipeline.config import (
    HOP_SAMPLES,
    MODEL_DIR,
    REPOSITORY,
    SAMPLE_RATE,
    VARIANTS,
    InstrumentConfig,
    load_instrument,
    load_run,
    run_main,
    write_json,
)
from pipeline.corpus import compose_melody, render_excerpt
from pipeline.ddx7 import load_model
from pipeline.demo_page import Demo, cycles_per_instruction, write_page
from pipeline.evaluate import Q32, render_float
from pipeline.features import extract_features, load_audio
from pipeline.metrics import level_error_db, mss_distance
from pipeline.network import load_breath
from pipeline.patches import PATCHES
from pipeline.pcm import from_pcm, to_pcm

NAMED_CHIPS = ("STM32F407", "RP2040")  # of which the last line speaks


def play(
    recording: Path,
    config: InstrumentConfig,
    run_dir: Path,
    *,
    variant: str,
    target: str,
    boards: Sequence[str] = firmware.EMULATED_BOARDS,
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

    generated = firmware.generate(run_dir)
    costs = {}
    for board in tqdm(boards, desc="boards", unit="board", disable=None):
        built = firmware.build(board, generated)
        costs[board] = bench_firmware(built, frames)
        if board == target:
            played = firmware.render(built, frames)
    simulated = device.simulate(
        run_dir / "decoder_int8.tflite",
        PATCHES[config.patch],
        load_breath(run_dir),
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


# --- words ----------------------------------------------------------------------------------------


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


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a melody on the firmware and writes a page about it."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.demo", description=main.__doc__)
    parser.add_argument("--instrument", default="flute", help="%(default)s by default")
    parser.add_argument(
        "--variant", choices=VARIANTS, default="reduced_cd", help="%(default)s by default"
    )
    parser.add_argument(
        "--target",
        choices=firmware.EMULATED_BOARDS,
        default="qemu_m4",
        help="%(default)s by default",
    )
    parser.add_argument(
        "--run", type=Path, help="run folder of a model of your own, instead of the pretrained one"
    )
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "build" / "demo", help="build/demo by default"
    )
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    run_dir = args.run or MODEL_DIR / args.instrument / args.variant
    variant = load_run(run_dir, instrument=args.instrument).variant
    print(
        f"{args.instrument}, {variant}, on {args.target}: composing, building, playing", flush=True
    )
    render_excerpt(compose_melody(config), config.corpus.gm_program, args.out / "input.wav")
    demo = play(args.out / "input.wav", config, run_dir, variant=variant, target=args.target)
    for name in ("float", "firmware"):
        firmware.write_wav(args.out / f"{name}.wav", demo.pcm[name])
    write_page(demo, PATCHES[config.patch], args.out)
    write_json(args.out / "summary.json", demo.summary)
    print("\n".join(five_lines(demo, args.out)))


if __name__ == "__main__":
    run_main(main)
