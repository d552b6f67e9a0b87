"""Generates C for the models that a command names."""

import argparse
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.model_choice import chosen_models
from pipeline.core.options import MAX_VOICES, add_format, add_models, add_voices
from pipeline.core.parser import real, whole
from pipeline.core.paths import BUILD_DIR
from pipeline.core.runs import decoder_name
from pipeline.emit import presets
from pipeline.target.boards import ALL_BOARDS, INSTRUMENT_BOARDS
from pipeline.target.voices import check_time, default_voices


def generate(
    *run_dirs: Path,
    fmt: str = "int8",
    reverb_seconds: float = 0.0,
    loadable: Sequence[Path] = (),
) -> Path:
    """Generates the C of run folders' models, one preset each; returns the folder with the C.

    Args:
        run_dirs: Run folders with a quantized model, at least one.
        fmt: Format of the models.
        reverb_seconds: Length of the learnt reverbs; 0 for dry instruments. `Board.reverb_seconds`
            is the longest reverb that a board has memory for.
        loadable: Run folders of models that are not compiled in, but can be loaded from files.

    Raises:
        UserError: A run folder, or its quantized model, is missing or damaged.
    """
    resolved = [run_dir.resolve() for run_dir in (*run_dirs, *loadable)]
    names = "\n".join(map(str, resolved))
    if loadable:
        names += f"\n{len(loadable)} in files"
    place = hashlib.sha256(names.encode()).hexdigest()[:8]
    kind = f"{fmt}-reverb{reverb_seconds:g}" if reverb_seconds else fmt
    out = BUILD_DIR / "generated" / f"{resolved[0].name}-{kind}-{place}"
    compiled, in_files = (
        [presets.load_preset(run_dir, fmt=fmt, reverb_seconds=reverb_seconds) for run_dir in part]
        for part in (run_dirs, loadable)
    )
    presets.write_firmware_source(compiled, out, loadable=in_files)
    return out


def add_source_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Adds the options that select what is built, for `generate_source` and `flash_command`."""
    source = parser.add_mutually_exclusive_group(required=required)
    add_models(
        parser,
        source,
        help="a quantized model; MIDI's program change selects among several, counted from 0",
        default=None if required else "--instrument flute",
    )
    source.add_argument(
        "--generated",
        type=Path,
        metavar="DIR",
        help="folder with C from pipeline.codegen, instead of --run (default: none)",
    )
    add_format(parser, "number format of the models that --run names")
    parser.add_argument(
        "--reverb",
        nargs="?",
        type=real(0, 10),
        const=None,
        default=0.0,
        metavar="SECONDS",
        help="play with the learnt reverb: the given length in seconds, or without a value the "
        "longest that the board has memory for (default: 0, dry)",
    )
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable of the build, such as PICO_AUDIO=pwm; may be repeated (default: none)",
    )
    add_voices(
        parser,
        "; refused if the board has no memory or, by estimate, no time for them (default: the "
        "number that the board has for models of such a size)",
    )


def build_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Returns the CMake variables that the options of `add_source_arguments` set.

    Raises:
        UserError: ``--voices`` is given for a board that plays frames, or ``PLAYER_VOICES`` is not
            their number.
    """
    options = dict(arguments.option)
    if text := options.get("PLAYER_VOICES"):
        try:
            whole(1, MAX_VOICES)(text)
        except argparse.ArgumentTypeError as error:
            raise UserError(f"--option PLAYER_VOICES: {error}") from None
    if arguments.voices:
        if arguments.board not in INSTRUMENT_BOARDS:
            raise UserError(f"{arguments.board} plays frames with one voice: leave out --voices")
        options["PLAYER_VOICES"] = str(arguments.voices)
    return options


def describe_time(arguments: argparse.Namespace, generated: Path) -> str:
    """Returns a line with the number of the player's voices and the time that they take.

    Args:
        arguments: Options ``board``, an instrument board, and those of `add_source_arguments`.
        generated: Output of `generate_source`.

    Raises:
        UserError: The board has no time for them, or `check_time` raises it.
    """
    board = INSTRUMENT_BOARDS[arguments.board]
    options = build_options(arguments)
    n_voices = int(options.get("PLAYER_VOICES", 0)) or default_voices(board, generated)
    rate = options.get("SAMPLE_RATE")
    share = check_time(board, generated, n_voices, sample_rate_hz=int(rate) if rate else None)
    subject = "1 voice takes" if n_voices == 1 else f"{n_voices} voices take"
    percent = f"{100 * share:.0f} %"
    return f"{subject} at most {percent} of a block's 4 ms, all else included, by estimate"


def _option(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def select_models(arguments: argparse.Namespace) -> list[str]:
    """Finds the models of ``--instrument`` and stores their folders as if ``--run`` gave them.

    Args:
        arguments: Those of `add_source_arguments`.

    Returns:
        A line for each model, which says where it comes from, and of several, the program that
        selects it.

    Raises:
        UserError: An instrument has no quantized model, or a run folder is missing or damaged.
    """
    models = chosen_models(arguments, file=decoder_name(arguments.format))
    is_given = bool(arguments.run)
    arguments.run = [model.run_dir for model in models]
    if len(models) < 2:
        return [] if is_given else [f"model: {model}" for model in models]
    return [f"program {number}: {model}" for number, model in enumerate(models)]


def generate_source(arguments: argparse.Namespace) -> Path:
    """Generates the C that a command's options select; returns the folder with it.

    Args:
        arguments: Options ``board`` and those of `add_source_arguments`, after `select_models`.

    Raises:
        UserError: The options contradict each other or the board, or `generate` raises it.
    """
    seconds: float | None = arguments.reverb
    if arguments.generated:
        if seconds != 0:
            raise UserError(
                "--reverb belongs to --run: give it to pipeline.codegen for --generated"
            )
        folder: Path = arguments.generated
        return folder
    longest = ALL_BOARDS[arguments.board].reverb_seconds
    if seconds != 0 and not longest:
        raise UserError(f"{arguments.board} has no FPU to play a reverb with: leave out --reverb")
    seconds = longest if seconds is None else seconds
    return generate(*arguments.run, fmt=arguments.format, reverb_seconds=seconds)


def flash_command(arguments: argparse.Namespace) -> str:
    """Returns the command that flashes what the options of `add_source_arguments` select."""
    words = ["python", "-m", "pipeline.flash", "--board", arguments.board]
    for run_dir in arguments.run or []:
        words += ["--run", str(run_dir)]
    if arguments.generated:
        words += ["--generated", str(arguments.generated)]
    if arguments.format != "int8":
        words += ["--format", arguments.format]
    if arguments.reverb != 0:
        words += ["--reverb"] if arguments.reverb is None else ["--reverb", f"{arguments.reverb:g}"]
    if arguments.voices:
        words += ["--voices", str(arguments.voices)]
    for name, value in arguments.option:
        words += ["--option", f"{name}={value}"]
    return shlex.join(words)
