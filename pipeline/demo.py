"""Plays a melody with the float model and with the firmware on an emulated Cortex-M.

    python -m pipeline.demo

This composes a melody, renders it as a recording of an instrument, brings it to the level of
training, extracts its features, compiles the model into the firmware and plays the features with
it. Instruments that have a pretrained model are played with it, unless ``--run`` or ``--runs``
names another. Writes ``input.wav``, ``float.wav``, ``firmware.wav``, ``index.html`` and
``summary.json`` to ``build/demo``. The firmware is compared with the float model and, bit by bit,
with the tflite-micro package and with the Python simulation of the whole device.
"""

from collections.abc import Sequence

from pipeline.audio import pcm
from pipeline.audio.composition import compose_melody
from pipeline.audio.soundfont import render_excerpt
from pipeline.core.cli import run_main
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument, shipped_instruments
from pipeline.core.model_choice import chosen_model
from pipeline.core.options import add_board, add_model, add_out, new_folder
from pipeline.core.parser import Parser
from pipeline.core.paths import MODEL_DIR, REPOSITORY
from pipeline.core.runs import decoder_name, load_run
from pipeline.evaluation.demo import five_lines, play
from pipeline.model.patches import find_patch
from pipeline.pages.demo_page import write_page
from pipeline.target.boards import EMULATED_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a melody with the float model and with the firmware, and writes a page about it."""
    parser = Parser("demo", main.__doc__)
    add_model(parser, default="flute")
    add_board(
        parser, EMULATED_BOARDS, default="qemu_m4", help="emulated board that runs the firmware"
    )
    add_out(
        parser,
        "folder for the sound and the page",
        kind=new_folder,
        default=REPOSITORY / "build" / "demo",
    )
    args = parser.parse_args(argv)
    if args.run is None and args.runs is None and args.instrument in shipped_instruments():
        args.runs = MODEL_DIR  # the demo plays the same notes whatever has been trained here
    model = chosen_model(args, file=decoder_name("int8"))
    run_dir = model.run_dir
    config = load_instrument(args.instrument)
    variant = load_run(run_dir).variant
    print(f"model: {model}")
    print(
        f"{args.instrument}, {variant}, on {args.board}: composing, building, playing", flush=True
    )
    program = config.require_corpus().gm_program
    render_excerpt(compose_melody(config), program, args.out / "input.wav")
    demo = play(args.out / "input.wav", config, run_dir, variant=variant, target=args.board)
    for name, samples in demo.pcm.items():
        pcm.write_wav(args.out / f"{name}.wav", samples)
    write_page(demo, find_patch(config), args.out)
    write_json(args.out / "summary.json", demo.summary)
    print("\n".join(five_lines(demo, args.out)))


if __name__ == "__main__":
    run_main(main)
