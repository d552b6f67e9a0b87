"""The flash that keeps the settings: where it is, its drivers, and the Pico in its emulator."""

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from support import pico_board
from support.small_player import off, on

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target import firmware
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program
from pipeline.target.flashing import convert, flash_memory

pytestmark = pytest.mark.firmware

STM32_BOARDS = ("stm32f4_discovery", "nucleo_h743zi")
RECORDS_PER_SECTOR = 64  # of the Picos
LONGEST_ERASURE = 100  # blocks, in the emulator


@pytest.mark.parametrize("board", STM32_BOARDS)
def test_stm32_driver_follows_the_rules_of_its_flash_controller(board, tmp_path):
    folder, ports = APP_DIR / "boards" / board, APP_DIR / "boards" / "ports" / "stm32"
    harness = Path(__file__).parent / "stm32" / "flash.c"
    log = [APP_DIR / "settings" / "record_log.c", APP_DIR / "crc32" / "crc32.c"]
    program = build_program(
        "host",
        [harness, folder / "flash.c", *log],
        out=tmp_path,
        include_dirs=[folder, ports],
        defines=["FAKE_REGISTERS", *(["H743"] if board == "nucleo_h743zi" else [])],
        sanitize=True,
    )
    run = run_program(program)
    assert run.console == "right\n" and run.status == 0


@pytest.fixture(scope="module")
def images(
    small_instruments: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, firmware.Firmware]:
    """The small instruments on every board that is flashed."""
    folder = tmp_path_factory.mktemp("board_flash")
    return {
        board: firmware.build(board, small_instruments, build_dir=folder / board)
        for board in INSTRUMENT_BOARDS
    }


def run_tool(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
def test_settings_are_at_the_end_of_the_flash_where_no_image_lies(board, images, tmp_path):
    elf = images[board].program.elf
    symbols = {
        line.split()[2]: line.split()[0] for line in run_tool("arm-none-eabi-nm", elf).splitlines()
    }
    flash, n_bytes = flash_memory(board), INSTRUMENT_BOARDS[board].settings_bytes
    settings = int(symbols["link_settings"], 16)
    assert settings == flash.address + flash.n_bytes - n_bytes
    sector_bytes = n_bytes // 2
    assert settings % sector_bytes == 0
    convert(elf, board)  # checks that all of the image lies before them

    beyond = tmp_path / "play"
    shift = ["--change-section-lma", f".data={settings:#x}"]
    run_tool("arm-none-eabi-objcopy", *shift, elf, beyond)
    with pytest.raises(UserError, match=f"at {settings:#010x}, outside the .* flash for images"):
        convert(beyond, board)


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
def test_settings_take_little_memory(board, images):
    size = images[board].parts["settings"]
    assert size.flash_bytes <= 1700 and size.ram_bytes == 0


def test_code_of_the_nucleo_is_in_the_bank_that_is_never_erased(images):
    listing = run_tool("arm-none-eabi-readelf", "-SW", images["nucleo_h743zi"].program.elf)
    (text,) = (line.split(".text")[1].split() for line in listing.splitlines() if " .text " in line)
    assert int(text[1], 16) + int(text[3], 16) <= 0x08100000


# --- the Pico -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uf2(images: dict[str, firmware.Firmware]) -> Path:
    return convert(images["pico"].program.elf, "pico")["uf2"]


def test_settings_of_the_pico_survive_a_restart(uf2, tmp_path):
    settings = tmp_path / "settings"
    typed = b"program 2\rtranspose -5\rsave\rprogram 1\r"
    saved = pico_board.run(
        uf2, 40 * HOP_SAMPLES, [(10 * HOP_SAMPLES, "console", typed)], settings=settings
    )
    assert "saved" in saved.console
    question = [(10 * HOP_SAMPLES, "console", b"program\rtranspose\r")]
    again = pico_board.run(uf2, 30 * HOP_SAMPLES, question, settings=settings)
    assert again.console.splitlines()[1:] == [" 0 flute", " 1 violin", "*2 piano", "transpose -5"]
    assert saved.warnings == again.warnings == [] and saved.n_resets == again.n_resets == 0


def test_pico_plays_silence_and_receives_midi_while_a_sector_is_erased(uf2, tmp_path):
    def record(sequence: int) -> bytes:
        data = b"\x10" + bytes(5) + b"d" * 16 + b"\1" * 16  # volumes, programs
        content = struct.pack("<3I48s", 0x4C4D464E, sequence, 1, data)
        return content + struct.pack("<I", zlib.crc32(content))

    full = b"".join(map(record, range(RECORDS_PER_SECTOR)))
    settings = tmp_path / "settings"
    settings.write_bytes(full + bytes(4096))  # the other sector is not blank
    at = 20
    recording = pico_board.run(
        uf2,
        (at + LONGEST_ERASURE + 40) * HOP_SAMPLES,
        [
            (3 * HOP_SAMPLES, "midi", on(60)),
            (at * HOP_SAMPLES, "console", b"save\r"),
            ((at + 50) * HOP_SAMPLES, "midi", off(60) + on(72)),
            ((at + LONGEST_ERASURE + 30) * HOP_SAMPLES, "console", b"stats\rnotes\r"),
        ],
        settings=settings,
    )
    assert (recording.n_resets, recording.warnings) == (0, [])
    assert "saved" in recording.console and "held violin 72" in recording.console
    assert recording.stats["midi lost"] == recording.stats["underruns"] == 0
    sounds = (recording.words[:, 0] >> 16).reshape(-1, HOP_SAMPLES).any(axis=1)
    assert sounds[10:at].all() and not sounds[at + 6 : at + LONGEST_ERASURE].any()
    assert sounds[at + LONGEST_ERASURE + 10 :].all()
    kept = settings.read_bytes()
    assert kept[:4096] == full
    assert np.frombuffer(kept[4096:], "<u4")[1] == RECORDS_PER_SECTOR
    assert kept[4096 + 64 :] == b"\xff" * (4096 - 64)
