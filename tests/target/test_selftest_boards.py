"""The self-test in the emulators of the chips, from its console to the report of a board."""

import json
import os
import re
import struct
import subprocess
import threading
import tty
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import pico_board, selftest
from support.refusals import refusal
from support.stm32_images import FOR_QEMU

from pipeline import board_report, flash
from pipeline.core.constants import HOP_SAMPLES
from pipeline.target import flashing
from pipeline.target.boards import INSTRUMENT_BOARDS

pytestmark = pytest.mark.firmware


@contextmanager
def discovery(elf: Path) -> Iterator[str]:
    """Runs an image of the Discovery in QEMU; yields the name of the console's port."""
    machine = str(INSTRUMENT_BOARDS["stm32f4_discovery"].machine)
    command = ["qemu-system-arm", "-machine", machine, "-kernel", str(elf)]
    command += ["-icount", "shift=0,sleep=off", "-display", "none", "-monitor", "none"]
    command += ["-chardev", "pty,id=console", "-serial", "null", "-serial", "chardev:console"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            found = re.search(r"redirected to (/dev/\S+)", emulator.stdout.readline())
            assert found is not None
            yield found[1]
        finally:
            emulator.kill()


def assert_latency(figures: dict) -> None:
    """A byte waits up to a block for its block, which waits until the one before has played."""
    (line,) = selftest.of(figures["lines"], "latency")
    block = figures["lines"][0]["counts_per_block"]
    assert line["notes"] == line["sounded"] == 32
    assert block < line["min"] < 1.1 * block
    assert 1.4 * block < line["median"] < 1.6 * block
    assert 1.9 * block < line["max"] < 2.01 * block


def test_discovery_in_qemu_passes_all_but_the_clocks_that_qemu_lacks(
    run_folder, small_instruments, tmp_path, capsys
):
    place = run_folder / "selftest-stm32f4_discovery"
    program = selftest.build_small("stm32f4_discovery", small_instruments, place, FOR_QEMU)
    with discovery(program.elf) as port:
        words = ["--port", port, "--out", tmp_path, "--measured-only", "--wait", 100]
        line = refusal(capsys, board_report.main, *words)
    assert re.match(r"error: failed: clock TIM2: [\d.]+ Hz instead of 16000000 Hz \(report", line)
    text = (tmp_path / "board_report.md").read_text()
    assert text.startswith("# STM32F4DISCOVERY, STM32F407\n")
    assert "- error 2: no PLL; the core runs slowly\n" in text
    assert text.count("| passed |") == 1 + 1 + 3 * 4 + 1 + 1 + 1
    assert text.count("| absent |") == 5  # QEMU lacks the DWT
    assert_latency(figures := json.loads((tmp_path / "board_report.json").read_text()))
    kinds = {(line["caches"], line["stage"]) for line in selftest.of(figures["lines"], "cost")}
    assert len(kinds) == 2 * 5


@pytest.fixture(scope="module")
def pico_uf2(run_folder, small_instruments) -> Path:
    program = selftest.build_small("pico", small_instruments, run_folder / "selftest-pico")
    return flashing.convert(program.elf, "pico")["uf2"]


def test_pico_in_rp2040js_passes_all_checks(pico_uf2, tmp_path):
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    recordings: list[pico_board.Recording] = []
    emulator = threading.Thread(
        target=lambda: recordings.append(
            pico_board.run(
                pico_uf2, 400 * HOP_SAMPLES, [], terminal=master, until='"end"', timeout_s=900
            )
        )
    )
    emulator.start()
    try:
        words = ["--port", os.ttyname(slave), "--out", str(tmp_path)]
        board_report.main([*words, "--measured-only", "--wait", "300"])
    finally:
        emulator.join()
        os.close(slave)
        os.close(master)
    assert recordings[0].warnings == [] and recordings[0].n_resets == 0
    text = (tmp_path / "board_report.md").read_text()
    assert text.startswith("# Raspberry Pi Pico, RP2040\n")
    assert "| CHIP_ID | `0x10002927` | RP2040, revision 1 | RP2040 datasheet 2.20 |\n" in text
    assert text.count("| Armv6-M ARM C1.8: none | absent |") == 5
    assert_latency(json.loads((tmp_path / "board_report.json").read_text()))
    assert "| clock TIMER | passed |" in text and "| clock blocks of sound | passed |" in text
    assert "**failed**" not in text and "on 2 cores" in text


def test_pico_reports_over_usb_what_it_reports_at_the_uart(pico_uf2):
    """The byte that makes it begin comes over USB, too. The run ends with the line at the UART."""
    usb = [(0, "console", b"r")]
    recording = pico_board.run(
        pico_uf2, 400 * HOP_SAMPLES, [], usb=usb, until='"end"', timeout_s=900
    )
    at_usb, at_uart = recording.usb["text"], recording.console
    begin = '{"part": "begin"'
    assert at_usb.startswith(begin) and at_uart[at_uart.index(begin) :].startswith(at_usb)
    assert '"part": "end"' in at_usb and recording.n_resets == 0


@pytest.mark.parametrize("board", ["nucleo_h743zi", "pico2"])
def test_image_that_no_emulator_runs_contains_its_checksum(board, small_run, build_dir, capsys):
    flash.main(["--board", board, "--run", str(small_run), "--selftest", "--dry-run"])
    doing, sizes, written, command, following = capsys.readouterr().out.splitlines()
    assert doing == f"building the self-test for {board}"
    assert sizes.startswith(f"{board}: flash ") and command.startswith("to flash it: ")
    assert following.endswith(
        "/README.md), and python -m pipeline.board_report --port /dev/ttyACM0"
    )
    image = Path(re.findall(r"\S+\.bin", written)[0]).read_bytes()
    at = image.find(b"selftest image:\0")
    n_parts, *table, hole, crc = struct.unpack_from("<I16III", image, at + 16)
    start = INSTRUMENT_BOARDS[board].flash.address
    assert hole == start + at + 16 + 4 + 64 + 4
    bare = image[: hole - start] + bytes(4) + image[hole - start + 4 :]
    found = n_bytes = 0
    for address, size in list(zip(table[::2], table[1::2], strict=True))[:n_parts]:
        found = zlib.crc32(bare[address - start : address - start + size], found)
        n_bytes += size
    assert found == crc and n_bytes == int(sizes.split()[2]) > 10_000


@pytest.mark.parametrize(
    ("options", "option"),
    [(["--generated", "folder"], "--generated"), (["--reverb"], "--reverb")],
)
def test_selftest_refuses_what_it_cannot_check(options, option, capsys):
    line = refusal(capsys, flash.main, "--board", "pico2", "--selftest", *options)
    assert line == f"error: the self-test plays models of run folders, dry: leave out {option}"
