"""Plays a melody with the float model and with the firmware on an emulated Cortex-M.

    python -m pipeline.demo

This composes a melody, renders it as a recording of an instrument, extracts its features, compiles
the pretrained model into the firmware and plays the features with it. Writes ``input.wav``,
``float.wav``, ``firmware.wav``, ``index.html`` and ``summary.json`` to ``build/demo``. The firmware
is compared with the float model and, bit by bit, with the tflite-micro package and with the Python
simulation of the whole device.
"""

from collections.abc import Sequence

from pipeline.audio import pcm
from pipeline.audio.composition import compose_melody
from pipeline.audio.soundfont import render_excerpt
from pipeline.core.cli import run_main
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_board, add_instrument, add_out, add_run, add_variant
from pipeline.core.parser import Parser, renamed_option
from pipeline.core.paths import MODEL_DIR, REPOSITORY
from pipeline.core.runs import load_run
from pipeline.evaluation.demo import five_lines, play
from pipeline.model.patches import find_patch
from pipeline.pages.demo_page import write_page
from pipeline.target.boards import EMULATED_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a melody with the float model and with the firmware, and writes a page about it."""
    parser = Parser("demo", main.__doc__)
    add_instrument(parser, default="flute")
    add_variant(parser, help="pretrained variant that is played")
    add_board(
        parser, EMULATED_BOARDS, default="qemu_m4", help="emulated board that runs the firmware"
    )
    renamed_option(parser, "--target", "--board")
    add_run(parser)
    add_out(parser, "folder for the sound and the page", default=REPOSITORY / "build" / "demo")
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    run_dir = args.run or MODEL_DIR / args.instrument / args.variant
    variant = load_run(run_dir, instrument=args.instrument).variant
    print(
        f"{args.instrument}, {variant}, on {args.board}: composing, building, playing", flush=True
    )
    render_excerpt(compose_melody(config), config.corpus.gm_program, args.out / "input.wav")
    demo = play(args.out / "input.wav", config, run_dir, variant=variant, target=args.board)
    for name in ("float", "firmware"):
        pcm.write_wav(args.out / f"{name}.wav", demo.pcm[name])
    write_page(demo, find_patch(config), args.out)
    write_json(args.out / "summary.json", demo.summary)
    print("\n".join(five_lines(demo, args.out)))


if __name__ == "__main__":
    run_main(main)
