"""Builds a page on which one plays the instruments in a browser.

    python -m pipeline.web [--run DIR ...] [--out build/web]

The firmware's own C (player, decoder, FM, noise, reverb, analysis) is compiled to WebAssembly and
becomes part of ``index.html``, one file that opens from the disk and loads nothing. It is played
with the mouse, fingers, the computer's keys, a MIDI keyboard, a MIDI file, or by singing. The
samples are those of the firmware, bit for bit.
"""

import math
from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.files import require_writable
from pipeline.core.instrument_config import (
    known_instruments,
    load_instrument,
    shipped_instruments,
)
from pipeline.core.instrument_names import instrument_label
from pipeline.core.model_choice import chosen_models
from pipeline.core.options import add_format, add_models, add_out
from pipeline.core.parser import Parser, real
from pipeline.core.paths import REPOSITORY, shown
from pipeline.core.runs import decoder_name, load_run
from pipeline.evaluation.voice_costs import CHIP_BOARDS, measure_voices
from pipeline.model.patches import find_patch
from pipeline.pages.web_page import PlayedPreset, write_web_page
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.sources import generate
from pipeline.target.web_module import build_web_module

MAX_REVERB_SECONDS = ALL_BOARDS["wasm"].reverb_seconds


def main(argv: Sequence[str] | None = None) -> None:
    """Builds a page on which one plays the instruments in a browser."""
    args = _parser().parse_args(argv)
    require_writable(args.out)
    if not args.run and not args.instrument:
        args.instrument = shipped_instruments()
    models = chosen_models(args, file=decoder_name(args.format))
    for number, model in enumerate(models):
        print(f"program {number}: {model}", flush=True)
    run_dirs = [model.run_dir for model in models]
    configs = [load_run(run_dir) for run_dir in run_dirs]
    labels = [instrument_label(config.instrument) for config in configs]
    presets = [
        PlayedPreset(
            label if labels.count(label) == 1 else f"{label}, {config.variant}",
            find_patch(config),
            _middle(config.instrument),
        )
        for label, config in zip(labels, configs, strict=True)
    ]
    module = build_web_module(generate(*run_dirs, fmt=args.format, reverb_seconds=args.reverb))
    dry = generate(*run_dirs, fmt=args.format)
    costs = [measure_voices(dry, len(run_dirs), board) for board in CHIP_BOARDS]
    page = write_web_page(module, presets, costs, args.out, has_reverb=args.reverb > 0)
    noun = "instrument" if len(presets) == 1 else "instruments"
    print(
        f"{shown(page)}: {page.stat().st_size / 1e6:.2f} MB, {len(presets)} {noun}, of which "
        f"{module.stat().st_size / 1e6:.2f} MB are the firmware"
    )
    print("next: open it in a browser; it needs no server")


def _middle(instrument: str) -> int:
    """Returns the C below the middle of an instrument's range; C4 if its file is elsewhere."""
    if instrument not in known_instruments():
        return 60
    config = load_instrument(instrument)
    if config.corpus:
        middle = (config.corpus.lowest_note + config.corpus.highest_note) / 2
    else:
        middle = 69 + 6 * math.log2(config.data.f0_min_hz * config.data.f0_max_hz / 440**2)
    return 12 * int(middle // 12)


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
        "--reverb",
        type=real(0, MAX_REVERB_SECONDS),
        default=MAX_REVERB_SECONDS,
        metavar="SECONDS",
        help="length of the learnt reverbs in seconds, 0 to leave them out (default: %(default)s)",
    )
    add_out(parser, "folder for the page", default=REPOSITORY / "build" / "web")
    return parser


if __name__ == "__main__":
    run_main(main)
