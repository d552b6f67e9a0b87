"""The boards: instruction counters, exit statuses, files and faults."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.target import vendor
from pipeline.target.boards import EMULATED_BOARDS, FILE_BOARDS
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program
from pipeline.target.tools import require_tools

PROGRAM = r"""
#include <string.h>
#include "board.h"
#include "board_files.h"

static int initialized = 42;
static int zeroed;

/* n rounds of three instructions, and nothing that a compiler could change. */
__attribute__((noinline)) static void spin(uint32_t n) {
#if defined(__arm__)
    __asm__ volatile("1: sub %0, %0, #1\n\tcmp %0, #0\n\tbne 1b" : "+l"(n) : : "cc");
#else
    (void)n;
#endif
}

/* Needs 100 bytes of stack and more for each level. */
__attribute__((noinline)) static uint32_t descend(uint32_t n_levels) {
    volatile uint32_t block[25] = {n_levels};
    return n_levels == 0 ? 0 : descend(n_levels - 1) + block[0];
}

static volatile float a = 1.0f + 0x1p-12f, b = 1.0f + 0x1p-12f, c = -1.0f;

int main(int argc, char **argv) {
    board_init();
    if (strcmp(argv[1], "count") == 0) {
        uint32_t counts[3];
        for (uint32_t i = 0; i < 3; i++) {
            const uint32_t start = board_instruction_count();
            spin(1000u << (6 * i));
            counts[i] = board_instruction_count() - start;
        }
        const int file = board_open_write("counts");
        board_write(file, counts, sizeof counts);
        return board_close(file);
    }
    if (strcmp(argv[1], "echo") == 0) {
        static char data[1000];
        const int from = board_open_read("in"), to = board_open_write("out");
        size_t n;
        while ((n = board_read(from, data, sizeof data)) > 0) {
            board_write(to, data, n);
        }
        board_close(to);
        return board_open_read("there-is-no-such-file") == -1 ? argc : 99;
    }
    if (strcmp(argv[1], "memory") == 0) {
        const float product = a * b + c; /* in a fused multiply-add: 2^-11 + 2^-24 */
        return initialized == 42 && zeroed == 0 && product == 0x1p-11f ? 0 : 1;
    }
    if (strcmp(argv[1], "descend") == 0) {
        return descend(argc == 3 ? 10 : 45) == 0;
    }
    if (strcmp(argv[1], "fault") == 0) {
        *(volatile uint32_t *)0xE0000001u = *(volatile uint32_t *)0xFFFFFFFDu;
    }
    for (;;) {
    }
}
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Program]:
    folder = tmp_path_factory.mktemp("boards")
    source = folder / "program.c"
    source.write_text(PROGRAM)
    return {board: build_program(board, [source], out=folder / board) for board in FILE_BOARDS}


@pytest.mark.firmware
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_counter_counts_the_instructions_of_a_known_loop(programs, board):
    run = run_program(programs[board], arguments=["count"], outputs=["counts"])
    counts = np.frombuffer(run.files["counts"], "<u4").astype(int)
    expected = 3 * 1000 * 64 ** np.arange(3)
    # Calls and readings cost some tens of instructions; the resolution is 40 or 50 instructions.
    assert np.all(np.abs(counts - expected) < 120)
    again = run_program(programs[board], arguments=["count"], outputs=["counts"])
    assert again.files == run.files


@pytest.mark.firmware
@pytest.mark.parametrize("board", FILE_BOARDS)
def test_files_arguments_and_status_pass_through_unchanged(programs, board):
    content = np.random.default_rng(0).bytes(4321)
    run = run_program(
        programs[board], arguments=["echo", "b", "c"], inputs={"in": content}, outputs=["out"]
    )
    assert run.files["out"] == content
    assert run.status == 4  # argc; set if the missing file was reported


@pytest.mark.firmware
@pytest.mark.parametrize("board", FILE_BOARDS)
def test_memory_is_initialized_and_float_products_are_not_fused(programs, board):
    assert run_program(programs[board], arguments=["memory"]).status == 0


@pytest.mark.firmware
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_fault_ends_the_program_with_a_message_instead_of_hanging(programs, board):
    run = run_program(programs[board], arguments=["fault"], timeout_s=30)
    assert (run.status, "fault" in run.console) == (70, True)


@pytest.mark.firmware
@pytest.mark.parametrize("board", EMULATED_BOARDS)
def test_stack_overflow_is_a_fault(programs, board):
    """The stack has 4096 bytes; what lies below it would be overwritten silently."""
    assert run_program(programs[board], arguments=["descend", "little"]).status == 0
    run = run_program(programs[board], arguments=["descend"], timeout_s=30)
    assert (run.status, "fault" in run.console) == (70, True)


@pytest.mark.firmware
def test_hanging_program_is_stopped_with_a_message(programs):
    with pytest.raises(UserError, match="qemu_m4 took over 1 s"):
        run_program(programs["qemu_m4"], arguments=["hang"], timeout_s=1)


def test_missing_tool_is_named_with_its_debian_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool, package in (
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
        ("npm", "npm"),
        ("ninja", "ninja-build"),
    ):
        with pytest.raises(UserError, match=f"^{tool} is not installed: apt-get install {package}"):
            require_tools(tool)


@pytest.mark.firmware
def test_compile_error_is_reported_with_the_compilers_message(tmp_path):
    source = tmp_path / "broken.c"
    source.write_text("int main(void) { return no_such_name; }\n")
    with pytest.raises(UserError, match=r"build for host failed: .*no_such_name"):
        build_program("host", [source], out=tmp_path / "build")


@pytest.mark.firmware
def test_program_too_large_for_the_memory_is_refused_with_the_missing_bytes(tmp_path):
    source = tmp_path / "large.c"
    source.write_text("char large[1 << 20]; int main(void) { return large[1]; }\n")
    with pytest.raises(UserError, match=r"does not fit qemu_m4: \d+ bytes of RAM are"):
        build_program("qemu_m4", [source], out=tmp_path / "build")


def test_unknown_board_is_refused_with_the_list_of_boards(tmp_path):
    with pytest.raises(UserError, match="choose one of host, wasm, qemu_m4"):
        build_program("qemu_m9", [Path("x.c")], out=tmp_path)


def test_archive_with_a_wrong_checksum_is_refused_and_leaves_no_files(
    tmp_path, replace, monkeypatch
):
    replace(paths.THIRD_PARTY_DIR, tmp_path)

    def download(archive: vendor.Archive, folder: Path) -> None:
        (folder / "other.tar.gz").write_bytes(b"something else")

    monkeypatch.setattr(vendor, "_pip_download", download)
    with pytest.raises(UserError, match="the pinned one"):
        vendor.fetch_cmsis()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".lock"}


def test_interrupted_download_leaves_no_partial_files(tmp_path, replace, monkeypatch):
    replace(paths.THIRD_PARTY_DIR, tmp_path)

    def download(archive: vendor.Archive, folder: Path) -> None:
        (folder / "half.tar.gz").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(vendor, "_pip_download", download)
    with pytest.raises(KeyboardInterrupt):
        vendor.fetch_cmsis()
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}
