"""Writes instruments as a C library for another build system, or as files that it loads.

    python -m pipeline.export --for arduino --run data/models/flute/tiny --out DDX7
    python -m pipeline.export --for ddx7 --run data/models/piano/tiny --out models

The library is self-contained: the sources of the firmware's decoder, FM, noise, instrument, player
and MIDI parser with the chosen models, build files, an example that makes sound, a README, a model
card for each model, and the licence. Its samples are those of the firmware, bit for bit.

``--for ddx7`` writes models alone, as files that a library loads at run time, for each order of the
weights (``tflm_app/ddx7/ddx7_model.h``). Their FM patches and the state of their decoders have to
be in the library, which ``--load`` puts there.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.files import require_writable
from pipeline.core.options import add_format, add_models, add_out, add_voices, new_folder
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.library.ecosystems import ECOSYSTEMS
from pipeline.library.tree import library_sources, library_tree, model_tree
from pipeline.library.writing import read_marker, write_export
from pipeline.target.sources import select_models

N_VOICES = 4
MODELS = "ddx7"
_NEXT_STEP = (
    "give ddx7_load() a file: *.dsp.ddx7 on cores with the DSP extension, else *.armv6m.ddx7"
)


def main(argv: Sequence[str] | None = None) -> None:
    """Writes instruments as a C library for another build system, or as files that it loads."""
    parser = Parser("export", main.__doc__)
    parser.add_argument(
        "--for",
        dest="ecosystem",
        choices=(*ECOSYSTEMS, MODELS),
        required=True,
        help=f"build system that the library is for, or {MODELS}: only models, as files that a "
        "library loads at run time",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    add_models(parser, source, help="a quantized model; the order numbers the instruments")
    add_format(parser, "number format of the models")
    add_voices(parser, f"; DDX7_VOICES sets another number later (default: {N_VOICES})")
    parser.add_argument(
        "--load",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="may be repeated: run folder of a model that is written as a file of the library, "
        "which can load it at run time, instead of being compiled in (default: none)",
    )
    add_out(
        parser,
        "folder for the library: a new or empty one, or that of an earlier export",
        kind=new_folder,
    )
    args = parser.parse_args(argv)
    if args.ecosystem == MODELS and (args.voices or args.load):
        raise UserError(f"--voices and --load belong to a library: leave them out with {MODELS}")
    read_marker(args.out)  # refuses a folder with something else
    for line in select_models(args):
        print(line)
    tree, next_step = _tree(args)
    require_writable(args.out)
    write_export(tree, args.out)
    n_bytes = sum(len(content) for content in tree.values())
    print(f"{shown(args.out)}: {len(tree)} files, {n_bytes / 1000:.0f} kB, for {args.ecosystem}")
    print(f"next: {next_step.format(out=args.out.resolve(), shown=shown(args.out))}")


def _tree(args: argparse.Namespace) -> tuple[dict[str, str | bytes], str]:
    """Returns the files of the export, and what the user does with them."""
    if args.ecosystem == MODELS:
        return model_tree(args.run, fmt=args.format), _NEXT_STEP
    options = {"fmt": args.format, "n_voices": args.voices or N_VOICES, "loadable": args.load}
    sources = library_sources(args.run, **options)
    tree = library_tree(args.ecosystem, sources, args.run, **options)
    return tree, ECOSYSTEMS[args.ecosystem].next_step


if __name__ == "__main__":
    run_main(main)
