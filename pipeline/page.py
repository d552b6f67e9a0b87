"""Page stage: all systems of all instruments side by side, to hear, to see and to judge blindly.

    python -m pipeline.page --out build/page [--instrument flute ...] [--audio DIR]

writes one folder that works from a disk as well as from a server: ``index.html`` with the tables of
players, ``listening_test.html`` with the blind test, and what they play and show. It evaluates what
has not been evaluated yet, or has changed, and keeps what is there (``audio/<instrument>``, as
`pipeline.evaluate` writes it). Without recordings it renders short phrases that training never saw.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.constants import INSTRUMENTS, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import REPOSITORY
from pipeline.pages import listening_page
from pipeline.pages.takes import Options, gather
from pipeline.target import boards


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the listening page and the listening test."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.page", description=main.__doc__)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "build" / "page", help="build/page by default"
    )
    parser.add_argument(
        "--instrument", nargs="+", default=list(INSTRUMENTS), metavar="NAME", help="all by default"
    )
    parser.add_argument(
        "--audio",
        type=Path,
        help="folder with a folder of recordings per instrument (DIR/flute, DIR/trumpet, ...); "
        "without it, or where an instrument has none, short phrases are composed and rendered",
    )
    parser.add_argument(
        "--takes", type=int, default=3, help="recordings per instrument, at most (%(default)s)"
    )
    parser.add_argument(
        "--rendered", action="store_true", help="what --audio holds is rendered, not recorded"
    )
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="float models (all)"
    )
    parser.add_argument(
        "--mcu",
        nargs="*",
        choices=VARIANTS,
        default=["reduced_cd"],
        help="variants that the firmware plays, in int8 and 16x8 (%(default)s)",
    )
    parser.add_argument(
        "--runs", type=Path, help="folder of run folders (default: runs, then the pretrained)"
    )
    parser.add_argument(
        "--board", choices=boards.BOARDS, default="qemu_m4", help="of the firmware (%(default)s)"
    )
    args = parser.parse_args(argv)
    configs = [load_instrument(name) for name in dict.fromkeys(args.instrument)]
    if args.takes < 1:
        raise UserError(f"--takes {args.takes}: give at least 1")
    if args.audio and not any((args.audio / c.instrument).is_dir() for c in configs):
        names = ", ".join(c.instrument for c in configs)
        raise UserError(f"{args.audio} holds no folder named {names}: put recordings into these")
    variants = [v for v in VARIANTS if v in (*args.variants, *args.mcu)]
    options = Options(variants, args.mcu, args.board, args.runs, args.rendered)
    instruments = [gather(c, args.audio, args.takes, options, args.out) for c in configs]
    systems = listening_page.system_labels(args.mcu, variants)
    listening_page.write_pages(instruments, systems, args.board, args.out)
    for instrument in instruments:
        for reason in dict.fromkeys(instrument.missing.values()):
            print(f"missing: {reason}")
    n_takes = sum(len(instrument.takes) for instrument in instruments)
    print(f"{args.out}: {n_takes} takes of {len(instruments)} instruments; open index.html")
    print("next: python -m pipeline.listening_test CSV... --out FILE.png, with ratings of the test")


if __name__ == "__main__":
    run_main(main)
