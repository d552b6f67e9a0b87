"""The generated file from which CMake reads the properties of a board."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.emit.boards_cmake import boards_cmake_text

pytestmark = pytest.mark.firmware

SMALL = SimpleNamespace(
    name="small",
    core="Cortex-M0+",
    core_flags=("-mcpu=cortex-m0plus", "-mfloat-abi=soft"),
    clock_hz=25_000_000,
    has_fpu=False,
    has_input=False,
    has_data_cache=False,
    n_cores=2,
    n_voices=1,
    sample_rate_hz=16_000,
    tflm_arch="cortex-m0plus",
)
HOST = SimpleNamespace(
    name="host",
    core="host",
    core_flags=(),
    clock_hz=None,
    has_fpu=True,
    has_input=True,
    has_data_cache=False,
    n_cores=1,
    n_voices=4,
    sample_rate_hz=48_000,
    tflm_arch=None,
)
FACTS = ("CORE", "CORE_FLAGS", "CLOCK_HZ", "HAS_FPU", "HAS_INPUT", "HAS_DATA_CACHE", "CORES")
FACTS += ("VOICES", "SAMPLE_RATE", "TFLM_ARCH")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "boards.cmake").write_text(boards_cmake_text([SMALL, HOST]))
    path = tmp_path / "print.cmake"
    path.write_text(
        "include(${CMAKE_CURRENT_LIST_DIR}/boards.cmake)\n"
        + "".join(f'message("{name}=${{BOARD_{name}}}")\n' for name in FACTS)
    )
    return path


def read(script: Path, board: str) -> tuple[int, str]:
    command = ["cmake", f"-DBOARD={board}", "-P", str(script)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_cmake_reads_the_properties_of_the_selected_board(script):
    status, text = read(script, "small")
    assert status == 0
    assert text.splitlines() == [
        "CORE=Cortex-M0+",
        "CORE_FLAGS=-mcpu=cortex-m0plus;-mfloat-abi=soft",
        "CLOCK_HZ=25000000",
        "HAS_FPU=OFF",
        "HAS_INPUT=OFF",
        "HAS_DATA_CACHE=OFF",
        "CORES=2",
        "VOICES=1",
        "SAMPLE_RATE=16000",
        "TFLM_ARCH=cortex-m0plus",
    ]
    _, text = read(script, "host")
    assert text.splitlines() == [
        "CORE=host",
        "CORE_FLAGS=",
        "CLOCK_HZ=",
        "HAS_FPU=ON",
        "HAS_INPUT=ON",
        "HAS_DATA_CACHE=OFF",
        "CORES=1",
        "VOICES=4",
        "SAMPLE_RATE=48000",
        "TFLM_ARCH=",
    ]


def test_without_a_board_no_property_is_set(script):
    assert read(script, "") == (0, "".join(f"{name}=\n" for name in FACTS))


def test_unknown_board_is_refused_with_the_list_of_boards(script):
    status, text = read(script, "large")
    assert status != 0
    assert "error: unknown board large: choose one of small, host" in text
