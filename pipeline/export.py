"""Writes instruments as a C library for another build system.

    python -m pipeline.export --for arduino --run data/models/flute/tiny --out DDX7

The library is self-contained: the sources of the firmware's decoder, FM, noise, instrument, player
and MIDI parser with the chosen models, build files, an example that makes sound, a README, a model
card for each model, and the licence. Its samples are those of the firmware, bit for bit.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.files import require_writable
from pipeline.core.options import add_format, add_models, add_out, add_voices
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.library.ecosystems import ECOSYSTEMS
from pipeline.library.tree import library_sources, library_tree
from pipeline.library.writing import read_marker, write_export
from pipeline.target.sources import select_models

N_VOICES = 4


def main(argv: Sequence[str] | None = None) -> None:
    """Writes instruments as a C library for another build system."""
    parser = Parser("export", main.__doc__)
    parser.add_argument(
        "--for",
        dest="ecosystem",
        choices=tuple(ECOSYSTEMS),
        required=True,
        help="build system that the library is for",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    add_models(parser, source, help="a quantized model; the order numbers the instruments")
    add_format(parser, "number format of the models")
    add_voices(parser, f"; DDX7_VOICES sets another number later (default: {N_VOICES})")
    add_out(parser, "folder for the library: a new or empty one, or that of an earlier export")
    args = parser.parse_args(argv)
    read_marker(args.out)  # refuses a folder with something else
    for line in select_models(args):
        print(line)
    n_voices = args.voices or N_VOICES
    sources = library_sources(args.run, fmt=args.format, n_voices=n_voices)
    tree = library_tree(args.ecosystem, sources, args.run, fmt=args.format, n_voices=n_voices)
    require_writable(args.out)
    write_export(tree, args.out)
    n_bytes = sum(len(text) for text in tree.values())
    print(f"{shown(args.out)}: {len(tree)} files, {n_bytes / 1e6:.1f} MB, for {args.ecosystem}")
    print(f"next: {ECOSYSTEMS[args.ecosystem].next_step.format(out=args.out.resolve())}")


if __name__ == "__main__":
    run_main(main)
