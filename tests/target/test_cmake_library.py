"""Another CMake project that adds tflm_app gets the libraries and keeps its own flags.

The tests use only one command of the pipeline, ``python -m pipeline.codegen``.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.firmware

REPOSITORY = next(folder for folder in Path(__file__).parents if (folder / "tflm_app").is_dir())
N_BLOCKS = 100
F0_HZ, LOUDNESS_DB = 440.0, -20.0

PROGRAM = f"""
#include "player/player.h"
static uint32_t sum;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
static void add(void) {{
    for (int i = 0; i < FM_BLOCK_SAMPLES; i++) sum = 31u * sum + (uint16_t)samples[i];
}}
int main(void) {{
    static instrument_t instrument;
    static player_t player;
    const frame_t frame = {{{F0_HZ}f, {LOUDNESS_DB}f}};
    instrument_init(&instrument, &instrument_presets[0], NOISE_SEED(0));
    for (int n = 0; n < {N_BLOCKS}; n++) instrument_render(&instrument, &frame, samples), add();
    printf("%lu\\n", (unsigned long)sum);
    const midi_message_t note_on = {{MIDI_NOTE_ON, 0, {{69, 100}}}};
    player_init(&player);
    player_receive(&player, &note_on);
    for (int n = 0; n < {N_BLOCKS}; n++) player_render(&player, samples), add();
    printf("%lu\\n", (unsigned long)sum);
}}
"""

LISTS = """
cmake_minimum_required(VERSION 3.21)
project(mine C CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(BOARD my_board) # variables of its own, whose names the firmware uses for itself
set(SANITIZE ON)
set(GENERATED_DIR {generated})
add_subdirectory({app} neural_fm)
add_executable(in_c mine.c)
add_executable(in_cpp mine.cpp)
target_link_libraries(in_c PRIVATE neural_fm::player)
target_link_libraries(in_cpp PRIVATE neural_fm::player)
"""

CORTEX_M4 = """
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
set(CMAKE_CXX_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
set(CMAKE_EXE_LINKER_FLAGS_INIT "--specs=nosys.specs")
"""


def run(*command: object) -> str:
    """Runs a command, which must succeed, and returns its standard output."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Build:
    """A build folder of the other project.

    Attributes:
        folder: The build folder, with the programs ``in_c`` and ``in_cpp``.
        link_log: Commands that the build executed.
    """

    folder: Path
    link_log: str

    def flags(self, source: str) -> list[str]:
        """Returns the options with which a source was compiled, except its paths."""
        entries = json.loads((self.folder / "compile_commands.json").read_text())
        (command,) = (e["command"] for e in entries if Path(e["file"]).name == source)
        words = shlex.split(command)[1:]
        return [word for word in words[: words.index("-o")] if not word.startswith("-I")]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C of the shipped flute."""
    folder = tmp_path_factory.mktemp("library") / "generated"
    model = REPOSITORY / "data" / "models" / "flute" / "reduced_cd"
    run(sys.executable, "-m", "pipeline.codegen", "--run", model, "--out", folder)
    return folder


@pytest.fixture(scope="module")
def project(generated: Path) -> Path:
    """A project with a program in C and the same one in C++."""
    folder = generated.parent / "mine"
    folder.mkdir()
    (folder / "mine.c").write_text(f"#include <stdio.h>\n{PROGRAM}")
    (folder / "mine.cpp").write_text(f"#include <cstdio>\nusing std::printf;\n{PROGRAM}")
    lists = LISTS.format(generated=generated, app=REPOSITORY / "tflm_app")
    (folder / "CMakeLists.txt").write_text(lists)
    (folder / "cortex_m4.cmake").write_text(CORTEX_M4)
    return folder


def build(project: Path, name: str, options: Sequence[str]) -> Build:
    folder = project.parent / name
    run("cmake", "-S", project, "-B", folder, "-G", "Ninja", *options)
    return Build(folder, run("cmake", "--build", folder, "--verbose"))


@pytest.fixture(scope="module")
def host(project: Path) -> Build:
    """The programs for this machine, with settings that our own build does not have."""
    options = ["-DCMAKE_C_FLAGS=-Og", "-DCMAKE_CXX_FLAGS=-Og", "-DCMAKE_C_STANDARD=17"]
    return build(project, "host", options)


def test_programs_in_c_and_cpp_play_what_the_firmware_plays(host, generated):
    frames, pcm = (generated.parent / name for name in ("frames", "pcm"))
    np.tile(np.array([F0_HZ, LOUDNESS_DB], "<f4"), (N_BLOCKS, 1)).tofile(frames)
    own = generated.parent / "own"
    run("cmake", "-S", REPOSITORY / "tflm_app", "-B", own, f"-DGENERATED_DIR={generated}")
    run("cmake", "--build", own, "--target", "render")
    run(own / "render", frames, pcm)
    expected = 0
    for sample in np.fromfile(pcm, "<u2").tolist():
        expected = (31 * expected + sample) % 2**32

    in_c, in_cpp = (run(host.folder / name).split() for name in ("in_c", "in_cpp"))
    assert in_c[0] == str(expected)
    assert in_cpp == in_c and in_c[0] != in_c[1]


def test_flags_of_the_two_projects_stay_separate(host):
    assert host.flags("mine.c") == ["-Og", "-std=gnu17"]
    assert host.flags("mine.cpp") == ["-Og"]
    ours = host.flags("decoder_aot.c")
    assert {"-O2", "-ffp-contract=off", "-std=gnu99"} <= set(ours)
    assert ours.index("-O2") > ours.index("-Og") and "-Werror" not in ours
    (link,) = (line for line in host.link_log.splitlines() if " -o in_c " in line)
    options = [word for word in shlex.split(link) if word.startswith("-")]
    assert [word for word in options if word not in ("-o", "-Og")] == []


def test_other_project_gets_libraries_and_no_programs_or_boards(host):
    built = {path.name for path in host.folder.rglob("*") if path.is_file()}
    assert {"libplayer.a", "libinstrument.a", "libdecoder.a", "libmodel.a"} <= built
    assert not built & {"libboard.a", "libaudio.a", "render", "perform", "play"}


def test_programs_are_built_for_a_cortex_m4_with_the_flags_of_the_other_project(project):
    built = build(project, "m4", [f"-DCMAKE_TOOLCHAIN_FILE={project / 'cortex_m4.cmake'}"])
    for source in ("mine.c", "mine.cpp", "decoder_aot.c"):
        assert "-mcpu=cortex-m4" in built.flags(source)
    for name in ("in_c", "in_cpp"):
        assert "Tag_CPU_arch: v7E-M" in run("arm-none-eabi-readelf", "-A", built.folder / name)
    assert "smlad" in run("arm-none-eabi-objdump", "-d", built.folder / "in_c")
