"""An exported library compiles as other projects compile it, and plays the firmware's samples."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.exports import N_BLOCKS, N_VOICES, RUN_DIRS, STRICT, TUNE, compile_library, run
from support.performances import play

from pipeline.core.paths import APP_DIR
from pipeline.reference.upsampler import upsample
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_checked, run_program
from pipeline.target.player import build_player, score_bytes
from pipeline.target.sources import generate
from pipeline.target.tools import run_command

pytestmark = pytest.mark.firmware

PROGRAM = Path(__file__).with_name("play_score.c")
BOARDS = APP_DIR / "boards"


@pytest.fixture(scope="module")
def expected(run_folder: Path) -> np.ndarray:
    """What the firmware's player plays of the tune."""
    build_dir = run_folder / "exported-player"
    player = build_player("host", generate(*RUN_DIRS), n_voices=N_VOICES, build_dir=build_dir)
    pcm = play(player, TUNE, N_BLOCKS).pcm[: 64 * N_BLOCKS]
    assert np.abs(pcm).max() > 3000
    return pcm


@pytest.fixture(scope="module")
def host(exported_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program for this machine, compiled by gcc at -O2."""
    return host_program(exported_sources, tmp_path_factory.mktemp("host"), "-O2")


@pytest.mark.parametrize(("n_voices", "is_allowed"), [(0, 0), (1, 1), (128, 1), (129, 0)])
def test_number_of_voices_is_checked_by_the_compiler(exported_sources, n_voices, is_allowed):
    options = ["-fsyntax-only", f"-DDDX7_VOICES={n_voices}", "-x", "c", "-std=gnu99"]
    done = run_command(["gcc", *options, exported_sources / "ddx7.h"])
    assert (done.returncode == 0) == is_allowed
    assert ("DDX7_VOICES is from 1 to 128" in done.stdout) != is_allowed


def host_program(sources: Path, out: Path, *options: str, compiler: str = "gcc") -> Program:
    """Compiles the library and ``play_score.c`` for this machine."""
    objects = compile_library(sources, out / "objects", *options, compiler=compiler)
    files = [PROGRAM, BOARDS / "host" / "board.c", *objects]
    run([compiler, *STRICT, "-I", BOARDS, "-I", sources, *files, "-o", out / "play_score"])
    return Program("host", out / "play_score")


def played(program: Program, rate: int = 16_000) -> np.ndarray:
    """Returns what a program made of ``play_score.c`` plays of the tune."""
    finished = run_checked(
        program,
        what="the exported library",
        arguments=["score", "pcm", str(rate)],
        inputs={"score": score_bytes([*TUNE, (N_BLOCKS, b"\xfe")])},
        outputs=["pcm"],
        timeout_s=600,
    )
    return np.frombuffer(finished.files["pcm"], "<i2")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-Os", "-O3"])
def test_host_plays_the_samples_of_the_firmware(
    exported_sources, expected, tmp_path, compiler, level
):
    program = host_program(exported_sources, tmp_path, level, compiler=compiler)
    np.testing.assert_array_equal(played(program), expected)


@pytest.mark.parametrize(
    ("board", "level"),
    [
        ("qemu_m0", "-O0"),
        ("qemu_m0", "-Os"),
        ("qemu_m0", "-O3"),
        ("qemu_m4", "-O0"),
        ("qemu_m4", "-O3"),
    ],
)
def test_emulated_cores_play_the_samples_of_the_firmware(
    exported_sources, expected, tmp_path, board, level
):
    objects = compile_library(
        exported_sources, tmp_path / "o", level, compiler="arm-none-eabi-gcc", board=board
    )
    stack = tmp_path / "stack.c"  # without optimization, 4 kB are too few
    stack.write_text('__asm__(".global STACK_BYTES\\n.equ STACK_BYTES, 8192");\n')
    program = build_program(
        board, [PROGRAM, stack, *objects], out=tmp_path / "program", include_dirs=[exported_sources]
    )
    np.testing.assert_array_equal(played(program), expected)


@pytest.mark.parametrize("board", ["qemu_m7", "qemu_m33"])
def test_multiply_adds_are_not_contracted_where_the_core_has_them(
    exported_sources, tmp_path, board
):
    gcc = {"compiler": "arm-none-eabi-gcc", "board": board}
    contract = ("-O2", "-ffp-contract=fast")  # the default of gcc without -std=c99
    objects = compile_library(exported_sources, tmp_path, *contract, **gcc)
    assert "vfma" not in run(["arm-none-eabi-objdump", "-d", *objects])
    frame = tmp_path / "ddx7" / "frame.c"  # without the pragma, they are
    frame.parent.mkdir()
    text = (exported_sources / "ddx7" / "frame.c").read_text()
    frame.write_text(text.replace('#include "compiler.h"\n', ""))
    headers = ("-I", exported_sources / "ddx7")
    (fused,) = compile_library(tmp_path, tmp_path / "fused", *contract, *headers, **gcc)
    assert "vfma" in run(["arm-none-eabi-objdump", "-d", fused])


def test_fast_math_is_refused(exported_sources, tmp_path):
    with pytest.raises(AssertionError, match="without -ffast-math"):
        compile_library(exported_sources, tmp_path, "-Ofast")


def test_library_has_no_global_state_and_no_symbols_without_prefix(exported_sources, tmp_path):
    gcc = {"compiler": "arm-none-eabi-gcc", "board": "qemu_m4"}
    objects = compile_library(exported_sources, tmp_path, "-O2", **gcc)
    symbols = run(["arm-none-eabi-nm", "--defined-only", *objects])
    found = re.findall(r"^[0-9a-f]+ (\w) (\w+)", symbols, re.MULTILINE)
    assert {kind for kind, _ in found if kind.isupper()} == {"T", "R"}
    assert not [name for kind, name in found if kind in "dDbBC"]
    assert len(found) > 100
    assert [name for kind, name in found if kind.isupper() and not name.startswith("ddx7_")] == []
    needed = set(re.findall(r" U (\w+)", run(["arm-none-eabi-nm", "-u", *objects])))
    foreign = {name for name in needed if not name.startswith(("ddx7_", "__aeabi", "__gnu_thumb1"))}
    assert foreign <= {"memcpy", "memmove", "memset"}


HEADER_USERS = {
    "c": ["gcc", "-std=c99"],
    "cpp": ["g++", "-std=c++11", "-Wpedantic"],
}
CLASHING = """
#include "ddx7.h"
#include "ddx7.h"
typedef struct { int own; } player_t, frame_t, decoder_t;
enum { MIDI_NOTE_ON, VOICE_IDLE, FM_NONE };
static void player_init(player_t *player) { player->own = MIDI_NOTE_ON + VOICE_IDLE + FM_NONE; }
static float noise_gain(frame_t frame) { return (float)frame.own; }
int use(ddx7_t *synth);
int use(ddx7_t *synth) {
    player_t player;
    frame_t frame = {1};
    player_init(&player);
    return ddx7_n_sounding(synth) + player.own + (int)noise_gain(frame);
}
"""


@pytest.mark.parametrize("language", HEADER_USERS)
def test_header_leaves_other_names_to_its_users(exported_sources, tmp_path, language):
    user = tmp_path / f"user.{language}"
    user.write_text(CLASHING)
    command = [*HEADER_USERS[language], *STRICT, "-I", exported_sources, "-c", user]
    run([*command, "-o", tmp_path / "user.o"])


@pytest.mark.parametrize("compiler", ["clang++", "arm-none-eabi-g++"])
def test_header_is_cpp_for_other_compilers(exported_sources, tmp_path, compiler):
    user = tmp_path / "user.cpp"
    user.write_text('#include "ddx7.h"\nint main() { return ddx7_n_instruments(); }\n')
    command = [compiler, "-std=c++17", *STRICT, "-I", exported_sources, "-c", user]
    run([*command, "-o", tmp_path / "user.o"])


def test_every_macro_of_the_header_has_the_prefix(exported_sources, tmp_path):
    def macros(text: str) -> set[str]:
        user = tmp_path / "user.c"
        user.write_text(text)
        defined = run(["gcc", "-std=c99", "-dM", "-E", "-I", exported_sources, user])
        return set(re.findall(r"^#define (\w+)", defined, re.MULTILINE))

    standard = macros("".join(f"#include <std{name}.h>\n" for name in ("bool", "def", "int")))
    standard |= macros("#include <string.h>\n")
    own = macros('#include "ddx7.h"\n') - standard
    assert len(own) > 50
    assert {name for name in own if not name.startswith("DDX7_")} == set()


def test_48_khz_is_the_upsampler_of_the_firmware(host, expected):
    pcm = played(host, 48_000)
    np.testing.assert_array_equal(pcm, upsample(expected)[: len(pcm)])


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 96_000, 192_000])
def test_other_rates_are_interpolated_from_48_khz(host, expected, rate):
    pcm = played(host, rate).astype(float)
    at_48 = np.concatenate([np.zeros(4), upsample(expected).astype(float)])
    places = np.arange(len(pcm)) * 48_000 / rate + 1
    whole = places.astype(int)
    y0, y1, y2, y3 = (at_48[whole + i] for i in (-1, 0, 1, 2))
    t = places - whole
    true = y1 + t / 2 * (
        y2 - y0 + t * (2 * y0 - 5 * y1 + 4 * y2 - y3 + t * (3 * (y1 - y2) + y3 - y0))
    )
    assert np.sqrt(np.mean((pcm - true) ** 2)) < 1e-3 * np.sqrt(np.mean(true**2))
    assert np.sqrt(np.mean(true**2)) > 500


COST = """
#include "board.h"
#include "ddx7.h"
static ddx7_t synth;
static int16_t samples[480];
static uint32_t count(uint32_t rate) {
    ddx7_init(&synth, sizeof synth, rate);
    const uint32_t before = board_instruction_count();
    for (int part = 0; part < 100; part++) {
        ddx7_read(&synth, samples, rate / 100);
    }
    return board_instruction_count() - before;
}
int main(void) {
    board_init();
    const uint32_t extra = count(44100) - count(48000);
    return (int)(extra / 44100);
}
"""


@pytest.mark.parametrize(("board", "expected"), [("qemu_m4", 55), ("qemu_m0", 105)])
def test_interpolation_costs_what_the_header_says(exported_sources, tmp_path, board, expected):
    source = tmp_path / "cost.c"
    source.write_text(COST)
    objects = compile_library(
        exported_sources, tmp_path / "o", "-O2", compiler="arm-none-eabi-gcc", board=board
    )
    program = build_program(
        board, [source, *objects], out=tmp_path / "cost", include_dirs=[exported_sources]
    )
    assert run_program(program).status == pytest.approx(expected, rel=0.05)


def test_calls_of_any_size_give_the_same_samples(exported_sources, tmp_path):
    program = tmp_path / "sizes.c"
    program.write_text(SIZES)
    objects = compile_library(exported_sources, tmp_path / "o", "-O1")
    for rate in (16_000, 44_100, 48_000):
        command = ["gcc", *STRICT, f"-DRATE={rate}", "-I", exported_sources, program, *objects]
        run([*command, "-o", tmp_path / "sizes"])
        run([tmp_path / "sizes"])


SIZES = """
#include <string.h>
#include "ddx7.h"
int main(void) {
    static ddx7_t whole, parts;
    static int16_t first[5000], second[5000];
    if (ddx7_init(&whole, sizeof whole - 1, RATE) || ddx7_init(&whole, sizeof whole, 15999) ||
        ddx7_init(&whole, sizeof whole, 192001) || !ddx7_init(&whole, sizeof whole, RATE) ||
        !ddx7_init(&parts, sizeof parts, RATE)) {
        return 1;
    }
    ddx7_note_on(&whole, 72, 100), ddx7_note_on(&parts, 72, 100);
    ddx7_note_on(&parts, 128, 100), ddx7_note_on(&parts, -1, 100), ddx7_note_on(&parts, 60, 128);
    ddx7_control(&parts, 64, 200), ddx7_bend(&parts, 8192);
    ddx7_select(&parts, 99), ddx7_select(&parts, -1);
    if (ddx7_n_sounding(&parts) != 1 || ddx7_n_instruments() != 2 ||
        ddx7_instrument_name(2) != NULL || ddx7_instrument_name(-1) != NULL ||
        strcmp(ddx7_instrument_name(1), "piano_tiny") != 0) {
        return 2;
    }
    ddx7_read(&whole, first, 5000);
    for (size_t n = 0, part = 0; n < 5000; n += part, part = (7 * part + 1) % 193) {
        part = n + part > 5000 ? 5000 - n : part;
        ddx7_read(&parts, second + n, part);
    }
    if (memcmp(first, second, sizeof first) != 0) {
        return 3;
    }
    ddx7_panic(&whole);
    ddx7_read(&whole, first, 1000);
    return ddx7_n_sounding(&whole) == 0 ? 0 : 4;
}
"""
