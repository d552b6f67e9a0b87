"""Command-line options about recordings that commands share."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.constants import MAX_GAIN_DB
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import F0Bounds, InstrumentConfig
from pipeline.core.parser import real
from pipeline.core.sound_sets import DEFAULT_SOUND_SET, SOUND_SETS


def add_audio(parser: argparse.ArgumentParser, help: str, *, required: bool = False) -> None:
    """Adds ``--audio DIR ...``, folders of recordings or single files, which may be repeated."""
    parser.add_argument(
        "--audio",
        type=Path,
        nargs="+",
        action="extend",
        required=required,
        default=[],
        metavar="DIR",
        help=help,
    )


def check_out(out: Path, audio: Sequence[Path]) -> None:
    """Checks that a folder of results is in no folder of recordings.

    Raises:
        UserError: It is, so the results would be recordings, too.
    """
    for folder in audio:
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{out} lies within {folder}: give --out another folder")


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Adds the options that select recordings: ``--audio``, ``--corpus`` and ``--hold-out``.

    `chosen_sound_sets` reads ``--corpus`` and ``--no-corpus``.
    """
    add_audio(
        parser,
        "folders of recordings, or single files; each is a source (default: only the corpus)",
    )
    corpus = parser.add_mutually_exclusive_group()
    corpus.add_argument(
        "--corpus",
        nargs="*",
        action="extend",
        choices=tuple(SOUND_SETS),
        metavar="SOUND_SET",
        help="compose music and render it with these sound sets, each a source: "
        f"{', '.join(SOUND_SETS)} (default: only without --audio; without a name, those of "
        f"sound_sets in the instrument's [corpus], or {DEFAULT_SOUND_SET})",
    )
    corpus.add_argument(
        "--no-corpus",
        dest="corpus",
        action="store_false",
        default=None,
        help="use recordings alone (default: also a corpus where --corpus says so)",
    )
    add_hold_out(
        parser,
        "sources that are kept for the test: names of folders given to --audio, or of sound sets",
    )


def add_hold_out(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds ``--hold-out SOURCE ...``, which may be repeated."""
    parser.add_argument(
        "--hold-out",
        nargs="+",
        action="extend",
        default=[],
        metavar="SOURCE",
        help=f"{help} (default: none)",
    )


def chosen_sound_sets(args: argparse.Namespace, config: InstrumentConfig) -> list[str]:
    """Returns the sound sets that render the corpus, by ``--corpus``; empty without a corpus.

    Raises:
        UserError: There are neither recordings nor a corpus, or the instrument has no ``[corpus]``.
    """
    if args.corpus is False or (args.corpus is None and args.audio):
        if not args.audio:
            raise UserError("no recordings: give --audio DIR, or leave out --no-corpus")
        return []
    return list(dict.fromkeys(args.corpus or config.require_corpus().sound_sets))


def add_f0(parser: argparse.ArgumentParser, default: tuple[float, float]) -> None:
    """Adds ``--f0 MIN MAX``, the bounds of the live analysis; `f0_bounds` checks their order."""
    parser.add_argument(
        "--f0",
        type=real(100, 4000),
        nargs=2,
        default=default,
        metavar=("MIN", "MAX"),
        help="lowest and highest pitch in the recording, in Hz, from 100 to 4000 "
        f"(default: {default[0]:g} {default[1]:g})",
    )


def f0_bounds(args: argparse.Namespace) -> F0Bounds:
    """Returns the bounds that ``--f0`` gives, as ``f0_min_hz`` and ``f0_max_hz``.

    Raises:
        UserError: The lower bound is not the lower one.
    """
    f0_min_hz, f0_max_hz = args.f0
    if f0_min_hz >= f0_max_hz:
        raise UserError(f"--f0 {f0_min_hz:g} {f0_max_hz:g}: give the lower bound first")
    return {"f0_min_hz": f0_min_hz, "f0_max_hz": f0_max_hz}


def add_gain(parser: argparse.ArgumentParser, help: str, *, words: Sequence[str] = ()) -> None:
    """Adds ``--gain DB`` or ``--gain auto``, which is the default and gives None.

    Args:
        parser: The parser.
        help: What ``auto`` does.
        words: Other words that the option accepts.
    """
    parser.add_argument(
        "--gain",
        type=_gain(words),
        default=None,
        metavar="DB",
        help=f"gain in dB, from {-MAX_GAIN_DB:g} to {MAX_GAIN_DB:g}; auto {help} (default: auto)",
    )


def _gain(words: Sequence[str]) -> Callable[[str], Any]:
    parse = real(-MAX_GAIN_DB, MAX_GAIN_DB)
    return lambda text: None if text == "auto" else text if text in words else parse(text)
