"""Builds a page on which one plays the instruments in a browser.

    python -m pipeline.web [--run DIR ...] [--out build/web]

The firmware's own C (player, decoder, FM, noise, reverb, analysis) is compiled to WebAssembly and
becomes part of ``index.html``, one file that opens from the disk and loads nothing. It is played
with the mouse, fingers, the computer's keys, a MIDI keyboard, a MIDI file, or by singing. The
samples are those of the firmware, bit for bit.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.files import require_writable
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.model_choice import chosen_models
from pipeline.core.options import add_format, add_models, add_out, new_folder
from pipeline.core.parser import Parser, real
from pipeline.core.paths import REPOSITORY, shown
from pipeline.core.runs import decoder_name
from pipeline.pages.web_build import KINDS, MAX_REVERB_SECONDS, SHIPPED_KINDS, build_web_page


def main(argv: Sequence[str] | None = None) -> None:
    """Builds a page on which one plays the instruments in a browser."""
    args = _parser().parse_args(argv)
    require_writable(args.out)
    if not args.run and not args.instrument:
        args.instrument = shipped_instruments()
        if args.models is None and args.variant is None and args.format == "int8":
            args.models = SHIPPED_KINDS
    models = chosen_models(args, file=decoder_name(args.format))
    for number, model in enumerate(models):
        say(f"program {number}: {model}")
    page = build_web_page(
        [model.run_dir for model in models],
        args.out,
        say,
        fmt=args.format,
        kinds=args.models or (),
        reverb_seconds=args.reverb,
        measure=args.measure,
    )
    noun = "instrument" if len(models) == 1 else "instruments"
    print(f"{shown(page)}: {page.stat().st_size / 1e6:.2f} MB, {len(models)} {noun}")
    print("next: open it in a browser; it needs no server")


def say(text: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(text, flush=True)


def _parser() -> Parser:
    parser = Parser("web", main.__doc__)
    add_models(
        parser,
        parser.add_mutually_exclusive_group(),
        help="a quantized model that is played",
        default="the pretrained instruments",
    )
    add_format(parser, "number format of the models")
    parser.add_argument(
        "--models",
        nargs="*",
        choices=KINDS,
        metavar="KIND",
        help=f"kinds of model to switch to while playing, where they lie beside the others: "
        f"{', '.join(KINDS)} (default: {' '.join(SHIPPED_KINDS)} for the pretrained instruments, "
        "none for others)",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="count what every voice costs in emulators, and keep the figures of the shipped "
        "patches (default: only what is not known yet)",
    )
    parser.add_argument(
        "--reverb",
        type=real(0, MAX_REVERB_SECONDS),
        default=MAX_REVERB_SECONDS,
        metavar="SECONDS",
        help="length of the learnt reverbs in seconds, 0 to leave them out (default: %(default)s)",
    )
    add_out(parser, "folder for the page", kind=new_folder, default=REPOSITORY / "build" / "web")
    return parser


if __name__ == "__main__":
    run_main(main)
