"""Command-line options that commands share: one name for one thing, values checked once.

Those about recordings and training are in `recording_options` and `training_options`.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.constants import ENGINES, FORMATS, VARIANTS
from pipeline.core.instrument_config import known_instruments, shipped_instruments
from pipeline.core.model_choice import PREFERRED
from pipeline.core.parser import real, whole
from pipeline.core.paths import MODEL_DIR, REPOSITORY, RUN_DIR

MAX_VOICES = 128


def add_instrument(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Adds ``--instrument NAME``, required if there is no default."""
    parser.add_argument(
        "--instrument",
        required=default is None,
        default=default,
        metavar="NAME",
        help=_help(f"instrument: {list_instruments()}", default),
    )


def list_instruments() -> str:
    """Lists the instruments that there are, for ``--help``."""
    shipped = shipped_instruments()
    own = [name for name in known_instruments() if name not in shipped]
    listed = ", ".join(shipped)
    return f"{listed}; your own: {', '.join(own)}" if own else f"{listed}, or your own"


def add_model(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Adds the options that select the model that plays.

    These are ``--instrument``, which may be left out with ``--run``, ``--variant``, and one of
    ``--run``, ``--runs`` and ``--pretrained``; `pipeline.core.model_choice.chosen_model` reads
    them.
    """
    parser.add_argument(
        "--instrument",
        default=default,
        metavar="NAME",
        help=_help(f"instrument: {list_instruments()}", default or "that of --run"),
    )
    place = parser.add_mutually_exclusive_group()
    add_run(place, "run folder of the model that plays (default: choose by --instrument)")
    _add_places(place)
    _add_preferred_variant(parser)


def add_models(
    parser: argparse.ArgumentParser, source: Any, *, help: str, default: str | None = None
) -> None:
    """Adds the options that select several models: as `add_model`, but two take several.

    Args:
        parser: The parser.
        source: A group of it of which one option may be given; gets ``--run`` and
            ``--instrument``.
        help: What the models are for.
        default: What the command does without any of them.
    """
    otherwise = f" (default: {default})" if default else ""
    add_run(source, f"run folder of {help}{otherwise}", several=True)
    source.add_argument(
        "--instrument",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"instruments whose models are used instead of --run: {list_instruments()} "
        "(default: none)",
    )
    _add_places(parser.add_mutually_exclusive_group())
    _add_preferred_variant(parser)


def _add_preferred_variant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        help=f"variant of the model (default: the first of {', '.join(PREFERRED)} that is there)",
    )


def _add_places(group: Any) -> None:
    """Adds ``--runs`` and ``--pretrained``, where a command looks for the models it reads."""
    group.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder with the run folders, as DIR/<instrument>/<variant> (default: "
        f"{_shown(RUN_DIR)}, then the pretrained models)",
    )
    group.add_argument(
        "--pretrained",
        dest="runs",
        action="store_const",
        const=MODEL_DIR,
        help="use only pretrained models (default: your own models come first)",
    )


def add_run(parser: Any, help: str, *, required: bool = False, several: bool = False) -> None:
    """Adds ``--run DIR``, a run folder; with `several`, it may be repeated and gives a list.

    Args:
        parser: The parser, or a group of it.
        help: What the folder is for, with its default if it is not required.
        required: Whether it must be given.
        several: Whether it may be repeated.
    """
    parser.add_argument(
        "--run",
        type=Path,
        required=required,
        action="append" if several else "store",
        metavar="DIR",
        help=("may be repeated: " if several else "") + help,
    )


def add_runs(parser: argparse.ArgumentParser, *, or_pretrained: bool = False) -> None:
    """Adds ``--runs DIR``, the folder of run folders.

    Args:
        parser: The parser.
        or_pretrained: Whether the command only reads models, and uses pretrained ones for those
            that the folder does not contain. The default is then None, as
            `pipeline.core.runs.find_run` expects, and ``--pretrained`` is added.
    """
    if or_pretrained:
        _add_places(parser.add_mutually_exclusive_group())
        return
    parser.add_argument(
        "--runs",
        type=Path,
        default=RUN_DIR,
        metavar="DIR",
        help=_help("folder with the run folders, as DIR/<instrument>/<variant>", RUN_DIR),
    )


def add_out(
    parser: Any,
    help: str,
    *,
    kind: Callable[[str], Path],
    default: Path | None = None,
    required: bool = True,
) -> None:
    """Adds ``--out PATH``, where the command writes; required if there is no default.

    What cannot be written is refused at once, because the results may take minutes.

    Args:
        parser: The parser, or a group of it.
        help: What is written.
        kind: What may be given: `new_folder`, `new_file` or `new_wav`; or `Path` if that
            depends on other options.
        default: Where it is written without the option.
        required: False if the option may be missing even without a default.
    """
    parser.add_argument(
        "--out",
        type=kind,
        default=default,
        required=required and default is None,
        metavar="PATH",
        help=_help(help, default),
    )


def add_folder(parser: Any, option: str, help: str, *, default: Path) -> None:
    """Adds an option with a folder of the build, such as ``--work DIR``.

    Args:
        parser: The parser, or a group of it.
        option: The option.
        help: What the folder holds.
        default: The folder without the option.
    """
    parser.add_argument(
        option, type=Path, default=default, metavar="DIR", help=_help(help, default)
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds ``--json FILE``, to which a command also writes what it prints.

    A name that cannot be written is refused at once, because the results may take minutes.
    """
    parser.add_argument(
        "--json",
        type=new_file,
        metavar="FILE",
        help=f"also write {what} to this JSON file (default: only print them)",
    )


def new_file(text: str) -> Path:
    """Returns the path of a file that can be written; folders on the way to it may be missing."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: give the name of a file")
    _check_place(text, path.absolute().parent)
    return path


def new_wav(text: str) -> Path:
    """Returns the path of a WAV file that can be written."""
    path = new_file(text)
    if path.suffix.lower() != ".wav":
        raise argparse.ArgumentTypeError(
            f"{text!r} would be a WAV file: give a name that ends with .wav"
        )
    return path


def new_folder(text: str) -> Path:
    """Returns the path of a folder in which files can be written; it need not exist."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file: give a folder")
    _check_place(text, path.absolute())
    return path


def _check_place(text: str, folder: Path) -> None:
    """Checks that files can be written in a folder, or in the nearest one on the way to it."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: {folder} is a file: give another folder")
    if not os.access(folder, os.W_OK, effective_ids=True):
        raise argparse.ArgumentTypeError(f"{text!r}: {folder} cannot be written to")


def add_board(
    parser: Any,
    boards: Iterable[str],
    *,
    default: str | None = None,
    help: str = "board whose firmware is built and run",
) -> None:
    """Adds ``--board NAME``, the board that runs the firmware; required if there is no default.

    Args:
        parser: The parser, or a group of it.
        boards: Names of the boards to choose from.
        default: One of them.
        help: What the board is for.
    """
    parser.add_argument(
        "--board",
        choices=tuple(boards),
        default=default,
        required=default is None,
        help=_help(help, default),
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Adds ``--engine aot|tflm`` and ``--tflm-dir DIR``: what runs the decoder in the firmware."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help=_help("decoder of the firmware: generated C, or the TFLM interpreter"),
    )
    add_tflm_dir(parser, "built tflite-micro tree for --engine tflm")


def add_tflm_dir(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds ``--tflm-dir DIR``, whose default is the environment variable TFLM_DIR."""
    parser.add_argument(
        "--tflm-dir",
        type=Path,
        default=os.environ.get("TFLM_DIR") or None,
        metavar="DIR",
        help=f"{help} (default: the environment variable TFLM_DIR)",
    )


def add_format(parser: argparse.ArgumentParser, help: str = "format of the activations") -> None:
    """Adds ``--format int8|int16x8``, the number format of the quantized model."""
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help=_help(help))


def add_variant(
    parser: argparse.ArgumentParser,
    *,
    choices: Sequence[str] = VARIANTS,
    default: str = "reduced_cd",
    help: str = "variant of the model",
) -> None:
    """Adds ``--variant NAME``."""
    parser.add_argument("--variant", choices=choices, default=default, help=_help(help))


def add_systems(parser: argparse.ArgumentParser) -> None:
    """Adds ``--variants`` and ``--mcu``, which select the systems to compare."""
    parser.add_argument(
        "--variants",
        nargs="*",
        choices=VARIANTS,
        default=list(VARIANTS),
        help=_help("variants whose float model is evaluated", VARIANTS),
    )
    parser.add_argument(
        "--mcu",
        nargs="*",
        choices=VARIANTS,
        default=["reduced_cd"],
        help=_help("variants whose quantized model the firmware plays", ["reduced_cd"]),
    )


def add_voices(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds ``--voices N``, the number of the player's voices; None by default.

    Args:
        parser: The parser.
        help: What limits the number, and its default.
    """
    parser.add_argument(
        "--voices",
        type=whole(1, MAX_VOICES),
        metavar="N",
        help=f"voices of the player, 1 to {MAX_VOICES}{help}",
    )


def add_reverb_seconds(parser: argparse.ArgumentParser) -> None:
    """Adds ``--reverb SECONDS``, the length of the learnt reverb that is played; 0 by default."""
    parser.add_argument(
        "--reverb",
        type=real(0, 10),
        default=0.0,
        metavar="SECONDS",
        help="length of the learnt reverb in seconds; 0 for a dry sound (default: 0)",
    )


def _help(text: str, default: Any = "%(default)s") -> str:
    """Appends an option's default, if it has one, to its help."""
    return text if default is None else f"{text} (default: {_shown(default)})"


def _shown(default: Any) -> str:
    if isinstance(default, Path):
        return str(default).removeprefix(f"{REPOSITORY}/")
    return default if isinstance(default, str) else " ".join(default)
