"""Generated C for the models that a command names."""

import argparse
import hashlib
import shlex
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import BUILD_DIR
from pipeline.emit import presets
from pipeline.target.boards import ALL_BOARDS


def generate(*run_dirs: Path, fmt: str = "int8", reverb_seconds: float = 0.0) -> Path:
    """Generates the C of run folders' models, a preset each; returns the folder that it is in.

    Args:
        run_dirs: Run folders with a quantized model, at least one.
        fmt: Format of the models.
        reverb_seconds: Length of the learnt rooms; 0 for dry instruments. `Board.reverb_seconds` is
            what a board has room for.

    Raises:
        UserError: A run folder, or its quantized model, is missing or damaged.
    """
    resolved = [run_dir.resolve() for run_dir in run_dirs]
    place = hashlib.sha256("\n".join(map(str, resolved)).encode()).hexdigest()[:8]
    kind = f"{fmt}-room{reverb_seconds:g}" if reverb_seconds else fmt
    out = BUILD_DIR / "generated" / f"{resolved[0].name}-{kind}-{place}"
    loaded = [
        presets.load_preset(run_dir, fmt=fmt, reverb_seconds=reverb_seconds) for run_dir in run_dirs
    ]
    presets.generate(loaded, out)
    return out


def add_source_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Adds the options that say what is built, for `generate_source` and `flash_command`."""
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument(
        "--run",
        type=Path,
        action="append",
        help="run folder with a quantized model; may be repeated: MIDI's program change selects",
    )
    source.add_argument("--generated", type=Path, help="folder written by pipeline.codegen")
    parser.add_argument(
        "--format",
        choices=("int8", "int16x8"),
        default="int8",
        help="of --run's model (%(default)s)",
    )
    parser.add_argument(
        "--reverb",
        nargs="?",
        type=float,
        const=None,
        default=0.0,
        metavar="SECONDS",
        help="play in the learnt room; as long as the board has memory for by default",
    )
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the build, such as PICO_AUDIO=pwm or PLAYER_VOICES=2",
    )


def _option(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def generate_source(arguments: argparse.Namespace) -> Path:
    """Generates the C that a command's options ask for; returns the folder that it is in.

    Args:
        arguments: With ``board`` and what `add_source_arguments` added.

    Raises:
        UserError: The options contradict each other or the board, or as of `generate`.
    """
    seconds = arguments.reverb
    if arguments.generated:
        if seconds != 0:
            raise UserError(
                "--reverb belongs to --run: give it to pipeline.codegen for --generated"
            )
        return arguments.generated
    longest = ALL_BOARDS[arguments.board].reverb_seconds
    if seconds != 0 and not longest:
        raise UserError(f"{arguments.board} has no FPU to play rooms with: leave out --reverb")
    seconds = longest if seconds is None else seconds
    return generate(*arguments.run, fmt=arguments.format, reverb_seconds=seconds)


def flash_command(arguments: argparse.Namespace) -> str:
    """Returns the command that flashes what a command's options, as above, ask for."""
    words = ["python", "-m", "pipeline.flash", "--board", arguments.board]
    for run_dir in arguments.run or []:
        words += ["--run", str(run_dir)]
    if arguments.generated:
        words += ["--generated", str(arguments.generated)]
    if arguments.format != "int8":
        words += ["--format", arguments.format]
    if arguments.reverb != 0:
        words += ["--reverb"] if arguments.reverb is None else ["--reverb", f"{arguments.reverb:g}"]
    for name, value in arguments.option:
        words += ["--option", f"{name}={value}"]
    return shlex.join(words)
