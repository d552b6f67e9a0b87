"""An exported library of two instruments, and how other projects compile it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.small_player import bend, control, off, on, program_change

from pipeline.core.paths import MODEL_DIR
from pipeline.library.tree import library_sources
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.player import Score

RUN_DIRS = (MODEL_DIR / "flute" / "tiny", MODEL_DIR / "piano" / "tiny")
N_VOICES = 3
STRICT = ("-Wall", "-Wextra", "-Werror")
# Both instruments, slurs, stolen voices, bend, vibrato and pedal.
TUNE: Score = [
    (0, on(72, 90)),
    (10, bend(3000)),
    (20, control(1, 100)),
    (30, on(76, 60)),
    (40, on(79, 110)),
    (50, on(84, 127)),
    (60, control(64, 127)),
    (62, off(76)),
    (64, off(84)),
    (80, control(64, 0)),
    (90, program_change(1)),
    (92, on(48, 120)),
    (110, control(7, 60)),
    (120, control(126, 1)),
    (122, on(60, 80)),
    (140, on(62, 80)),
    (170, control(123, 0)),
]
N_BLOCKS = 200


def write_sources(
    folder: Path,
    run_dirs: Sequence[Path] = RUN_DIRS,
    *,
    fmt: str = "int8",
    loadable: Sequence[Path] = (),
) -> None:
    """Writes the folder ``src`` of an export."""
    sources = library_sources(run_dirs, fmt=fmt, n_voices=N_VOICES, loadable=loadable)
    for name, text in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def compile_library(
    sources: Path, out: Path, *options: object, compiler: str = "gcc", board: str | None = None
) -> list[Path]:
    """Compiles the sources of an export as C99 without any include path; returns the objects.

    Args:
        sources: The folder ``src``.
        out: Folder for the objects.
        options: Options for the compiler.
        compiler: Its command.
        board: Board whose core the objects are for.
    """
    core = ("-mthumb", *ALL_BOARDS[board].processor.flags) if board else ()
    out.mkdir(parents=True, exist_ok=True)
    files = sorted((sources / "ddx7").glob("*.c"))
    command = [compiler, "-std=c99", *STRICT, *core, *options, "-c", *files]
    run(command, folder=out)
    return [out / path.with_suffix(".o").name for path in files]


def run(command: Sequence[object], *, folder: Path | None = None, text: bool = True) -> str | bytes:
    """Runs a command, which must succeed, and returns its standard output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[:4000]
    return done.stdout.decode() if text else done.stdout
