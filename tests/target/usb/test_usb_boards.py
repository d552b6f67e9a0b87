"""What USB takes of each board, and the option that leaves it out."""

import pytest

from pipeline.target import firmware
from pipeline.target.boards import INSTRUMENT_BOARDS

pytestmark = pytest.mark.firmware


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
def test_usb_takes_at_most_8_kb_of_flash_and_2_kb_of_ram(run_folder, small_instruments, board):
    def build(usb: str) -> firmware.Firmware:
        folder = run_folder / f"usb-{board}"
        return firmware.build(
            board, small_instruments, build_dir=folder, options={"BOARD_USB": usb}
        )

    with_usb, without = build("ON"), build("OFF")
    assert "usb" in with_usb.parts and "usb" not in without.parts
    assert 3_000 < with_usb.flash_bytes - without.flash_bytes <= 8_192
    assert 500 < with_usb.ram_bytes - without.ram_bytes <= 2_048
