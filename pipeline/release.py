"""Writes what a maintainer publishes and a player downloads.

    python -m pipeline.release [--out build/release]

The folder receives the firmware of every board with all pretrained instruments (UF2, HEX and
binary), the instrument page, all quantized models with a card each, C libraries, release notes,
and the checksums of all files. The same sources give the same bytes. Flashing needs no Python
then: a Pico's UF2 file is copied to the drive that the board appears as.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.options import add_out, new_folder
from pipeline.core.parser import Parser
from pipeline.core.paths import BUILD_DIR, shown
from pipeline.publishing.release import SUMS, write_release
from pipeline.target.boards import INSTRUMENT_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Writes a release: firmware, instrument page, C libraries, models, notes and checksums."""
    parser = Parser("release", main.__doc__)
    add_out(parser, "folder of the release", kind=new_folder, default=BUILD_DIR / "release")
    parser.add_argument(
        "--board",
        nargs="+",
        choices=tuple(INSTRUMENT_BOARDS),
        default=list(INSTRUMENT_BOARDS),
        help="boards to build the firmware for (default: all)",
    )
    args = parser.parse_args(argv)
    files = write_release(args.out, args.board, _say)
    size = sum(path.stat().st_size for path in files)
    print(f"{shown(args.out)}: {len(files)} files, {size / 1e6:.1f} MB, listed in {SUMS}")
    print("next: make site, or publish the files")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    run_main(main)
