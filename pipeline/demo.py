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

from pipeline.audio import pcm
from pipeline.audio.corpus import compose_melody, render_excerpt
from pipeline.core.cli import run_main
from pipeline.core.constants import VARIANTS
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import MODEL_DIR, REPOSITORY
from pipeline.core.runs import load_run
from pipeline.evaluation.demo import five_lines, play
from pipeline.model.patches import PATCHES
from pipeline.pages.demo_page import write_page
from pipeline.target import boards


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a melody on the firmware and writes a page about it."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.demo", description=main.__doc__)
    parser.add_argument("--instrument", default="flute", help="%(default)s by default")
    parser.add_argument(
        "--variant", choices=VARIANTS, default="reduced_cd", help="%(default)s by default"
    )
    parser.add_argument(
        "--target",
        choices=boards.EMULATED_BOARDS,
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
        pcm.write_wav(args.out / f"{name}.wav", demo.pcm[name])
    write_page(demo, PATCHES[config.patch], args.out)
    write_json(args.out / "summary.json", demo.summary)
    print("\n".join(five_lines(demo, args.out)))


if __name__ == "__main__":
    run_main(main)
