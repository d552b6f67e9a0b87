"""Writes a page to compare all systems of all instruments, and a blind listening test.

    python -m pipeline.page --out build/page [--instrument flute ...] [--audio DIR]

The folder works from a disk as well as from a server: ``index.html`` contains the tables of
players, ``listening_test.html`` the blind test, and both play the files beside them. The command
evaluates what is new or has changed, and keeps the rest (``audio/<instrument>``, in the format of
`pipeline.evaluate`). Without recordings, it renders short phrases that were not used in training.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig, load_instrument
from pipeline.core.model_choice import modelled_instruments
from pipeline.core.options import (
    add_board,
    add_out,
    add_runs,
    add_systems,
    list_instruments,
    new_folder,
)
from pipeline.core.parser import Parser, whole
from pipeline.core.paths import REPOSITORY, shown
from pipeline.pages.catalogue import page_systems
from pipeline.pages.listening_page import write_pages
from pipeline.pages.takes import Options, gather
from pipeline.target.boards import FILE_BOARDS


def main(argv: Sequence[str] | None = None) -> None:
    """Writes a page to compare all systems of all instruments, and a blind listening test."""
    args = _parser().parse_args(argv)
    configs = [load_instrument(name) for name in dict.fromkeys(args.instrument or [])]
    configs = configs or _playable(args)
    if args.audio and not any((args.audio / c.instrument).is_dir() for c in configs):
        names = ", ".join(c.instrument for c in configs)
        raise UserError(
            f"{args.audio} holds no folder named {names}: put each instrument's recordings into one"
        )
    variants = [v for v in VARIANTS if v in (*args.variants, *args.mcu)]
    if not variants:
        raise UserError("no systems to compare: give --variants or --mcu")
    systems = page_systems(variants, args.mcu)
    options = Options(args.audio, args.rendered, args.takes, systems, args.board, args.runs)
    instruments = [gather(config, options, args.out) for config in configs]
    write_pages(instruments, systems, args.board, args.out)
    for instrument in instruments:
        for reason in dict.fromkeys(instrument.missing.values()):
            print(f"missing: {reason}")
    n_takes = sum(len(instrument.takes) for instrument in instruments)
    noun = "instrument" if len(instruments) == 1 else "instruments"
    print(f"{shown(args.out)}: {n_takes} takes of {len(instruments)} {noun}; open index.html")
    print("next: python -m pipeline.listening_test CSV... --out FILE.png, with saved ratings")


def _playable(args: argparse.Namespace) -> list[InstrumentConfig]:
    """Returns the instruments that have a model, and recordings or a corpus to play."""
    playable = []
    for config in map(load_instrument, modelled_instruments(args.runs)):
        if config.corpus or (args.audio and (args.audio / config.instrument).is_dir()):
            playable.append(config)
        else:
            print(f"left out: {config.instrument}: its file has no [corpus], and no recordings")
    if not playable:
        raise UserError("no instrument has a model: run python -m pipeline.run first")
    return playable


def _parser() -> Parser:
    parser = Parser("page", main.__doc__)
    add_out(parser, "folder for the page", kind=new_folder, default=REPOSITORY / "build" / "page")
    parser.add_argument(
        "--instrument",
        nargs="+",
        metavar="NAME",
        help=f"instruments to compare: {list_instruments()} (default: all that have a model)",
    )
    parser.add_argument(
        "--audio",
        type=Path,
        metavar="DIR",
        help="folder with a folder of recordings per instrument: DIR/flute, DIR/clarinet, ... "
        "(default: short phrases are composed and rendered)",
    )
    parser.add_argument(
        "--takes",
        type=whole(1, 100),
        default=3,
        metavar="N",
        help="largest number of recordings per instrument (default: %(default)s)",
    )
    parser.add_argument(
        "--rendered",
        action="store_true",
        help="label the files of --audio as rendered (default: as recorded)",
    )
    add_systems(parser)
    add_runs(parser, or_pretrained=True)
    add_board(parser, FILE_BOARDS, default="qemu_m4")
    return parser


if __name__ == "__main__":
    run_main(main, resumes=True)
