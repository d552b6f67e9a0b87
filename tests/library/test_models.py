"""Models that a library loads from files play the samples of those that are compiled in."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from support.exports import N_VOICES, STRICT, compile_library, run, write_sources
from support.performances import play
from support.small_player import control, off, on, program_change

from pipeline.core.paths import APP_DIR, MODEL_DIR
from pipeline.emit.model_file import file_name
from pipeline.library.tree import model_tree
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_checked, run_program
from pipeline.target.player import Score, build_player, score_bytes
from pipeline.target.sources import generate

pytestmark = pytest.mark.firmware

RUN_DIRS = [MODEL_DIR / name / "tiny" for name in ("flute", "piano", "trumpet", "violin")]
NAMES = ["flute_tiny", "piano_tiny", "trumpet_tiny", "violin_tiny"]
PROGRAM = Path(__file__).with_name("play_score.c")
BOARDS = APP_DIR / "boards"
FORMATS = ["int8", "int16x8"]
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Every instrument in turn, while notes of the one before still sound.
TUNE: Score = [
    *((30 * number, program_change(number) + on(60 + number, 110)) for number in range(4)),
    *((30 * number + 20, on(72 - number, 90)) for number in range(4)),
    *((30 * number + 40, off(60 + number)) for number in range(4)),
    (130, program_change(0) + on(79, 60)),
    (150, control(123, 0)),
]
N_BLOCKS = 180


@pytest.fixture(scope="module", params=FORMATS)
def fmt(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def library(generate_once: Callable[..., Path], fmt: str) -> Path:
    """The sources of a library with the flute, which can load the other instruments."""
    return generate_once(
        f"loading_sources_{fmt}",
        lambda folder: write_sources(folder, RUN_DIRS[:1], fmt=fmt, loadable=RUN_DIRS[1:]),
    )


@pytest.fixture(scope="module")
def files(fmt: str) -> dict[str, bytes]:
    """The files of all four instruments, by name."""
    tree = model_tree(RUN_DIRS, fmt=fmt)
    return {name: part for name, part in tree.items() if isinstance(part, bytes)}


@pytest.fixture(scope="module")
def expected(run_folder: Path, fmt: str) -> np.ndarray:
    """What the firmware's player plays of the tune, with the four instruments compiled in."""
    build_dir = run_folder / f"four-instruments-{fmt}"
    generated = generate(*RUN_DIRS, fmt=fmt)
    player = build_player("host", generated, n_voices=N_VOICES, build_dir=build_dir)
    pcm = play(player, TUNE, N_BLOCKS).pcm[: 64 * N_BLOCKS]
    assert all(np.abs(part).max() > 1000 for part in np.split(pcm, 6)[:5])
    return pcm


def played(program: Program, n_compiled: int, files: dict[str, bytes]) -> np.ndarray:
    """Returns what the library plays of the tune with its first instruments and files."""
    finished = run_checked(
        program,
        what="the exported library",
        arguments=["score", "pcm", "16000", str(n_compiled), *files],
        inputs={"score": score_bytes([*TUNE, (N_BLOCKS, b"\xfe")]), **files},
        outputs=["pcm"],
        timeout_s=1200,
    )
    return np.frombuffer(finished.files["pcm"], "<i2")


def of_layout(files: dict[str, bytes], layout: str, names: Sequence[str]) -> dict[str, bytes]:
    """Selects the files of some instruments."""
    wanted = [file_name(name, layout) for name in names]
    return {name: files[name] for name in wanted}


@pytest.mark.parametrize(
    ("user", "layout", "options"),
    [
        (("g++", "-x", "c++", "-std=c++17"), "armv6m", ("-O2",)),
        (("gcc",), "armv6m", ("-O0", *SANITIZED)),
        (("gcc",), "dsp", ("-O1", "-DDDX7_DECODER_KERNEL_DSP=1", *SANITIZED)),
    ],
)
def test_host_plays_files_as_what_is_compiled_in(
    library, files, expected, tmp_path, user, layout, options
):
    objects = compile_library(library, tmp_path / "objects", *options)
    includes = ["-I", BOARDS, "-I", library]
    run([*user, *STRICT, *options, *includes, "-c", PROGRAM, "-o", tmp_path / "play_score.o"])
    board = BOARDS / "host" / "board.c"
    linked = [tmp_path / "play_score.o", board, *objects]
    run(["gcc", *options, *includes, *linked, "-o", tmp_path / "play_score"])
    program = Program("host", tmp_path / "play_score")
    alone = of_layout(files, layout, NAMES)
    np.testing.assert_array_equal(played(program, 0, alone), expected)
    beside = of_layout(files, layout, NAMES[1:])
    np.testing.assert_array_equal(played(program, 1, beside), expected)


@pytest.mark.parametrize(("board", "layout"), [("qemu_m0", "armv6m"), ("qemu_m4", "dsp")])
def test_emulated_cores_play_files_as_what_is_compiled_in(
    library, files, expected, tmp_path, board, layout
):
    objects = compile_library(
        library, tmp_path / "o", "-O2", compiler="arm-none-eabi-gcc", board=board
    )
    program = build_program(
        board, [PROGRAM, *objects], out=tmp_path / "program", include_dirs=[library]
    )
    beside = of_layout(files, layout, NAMES[1:])
    np.testing.assert_array_equal(played(program, 1, beside), expected)


COST = """
#include "board.h"
#include "ddx7.h"
static const uint64_t file[] = {WORDS};
static ddx7_model_t model;
int main(void) {
    board_init();
    const uint32_t before = board_instruction_count();
    const ddx7_load_t result = ddx7_load(&model, file, sizeof file);
    const uint32_t n = board_instruction_count() - before;
    return result == DDX7_LOADED ? (int)(n / sizeof file) : 0;
}
"""


@pytest.mark.parametrize(
    ("board", "layout", "expected"), [("qemu_m4", "dsp", 13), ("qemu_m0", "armv6m", 21)]
)
def test_loading_costs_what_the_header_says(library, files, tmp_path, board, layout, expected):
    words = np.frombuffer(files[file_name(NAMES[1], layout)], "<u8")
    source = tmp_path / "cost.c"
    source.write_text(COST.replace("WORDS", ", ".join(f"{word}ull" for word in words)))
    objects = compile_library(
        library, tmp_path / "o", "-O2", compiler="arm-none-eabi-gcc", board=board
    )
    program = build_program(
        board, [source, *objects], out=tmp_path / "cost", include_dirs=[library]
    )
    assert run_program(program).status == pytest.approx(expected, abs=1)
