"""The images of boards start in their memories, and their players play what the host plays."""

from pathlib import Path

import numpy as np
import pytest
from support.board_image import BOARDS, BoardImage
from support.elf_files import sections
from support.small_player import bend, on, program_change

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets
from pipeline.target import firmware
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.player import build_player, perform

pytestmark = pytest.mark.firmware

N_BLOCKS = 60
SCORE = [(2, on(69, 100)), (5, on(72)), (9, bend(3000)), (20, program_change(1)), (21, on(60))]
SCORE += [(30, program_change(2)), (31, on(67)), (40, program_change(3)), (42, on(79))]


@pytest.fixture(scope="module")
def four(tmp_path_factory) -> Path:
    """Generated code of four reduced models, more than there is fast memory for."""
    folder = tmp_path_factory.mktemp("four") / "generated"
    models = [presets.load_preset(MODEL_DIR / x / "reduced_cd") for x in shipped_instruments()]
    presets.write_firmware_source(models, folder)
    return folder


@pytest.fixture(scope="module")
def images(four) -> dict[str, firmware.Firmware]:
    return {board: firmware.build(board, four, build_dir=four.parent / board) for board in BOARDS}


@pytest.fixture(scope="module")
def expected(four) -> np.ndarray:
    """What the host plays."""
    host = build_player("host", four, n_voices=6, build_dir=four.parent / "host")
    pcm = perform(host, SCORE).pcm[: N_BLOCKS * HOP_SAMPLES]
    assert np.abs(pcm[-HOP_SAMPLES:]).max() > 500
    return pcm


@pytest.mark.parametrize("board", BOARDS)
def test_image_starts_and_plays_the_samples_of_the_host(board, images, expected):
    image = BoardImage(board, images[board].program.elf)
    assert image.misplaced() == []
    assert not any(image.cleared())
    played = image.play(dict(SCORE), N_BLOCKS)
    np.testing.assert_array_equal(played[: len(expected)], expected)


def test_weights_of_the_discovery_beyond_the_ccm_are_in_ram_and_then_in_flash(images):
    image = images["stm32f4_discovery"]
    places = sections(image.program.elf)
    n_bytes = image.parts["model"].flash_bytes / 4
    board = INSTRUMENT_BOARDS["stm32f4_discovery"]
    assert board.weight_memory.copied_bytes // n_bytes == 2
    ccm, ram, flash = (places[f".weights{where}"] for where in ("", "_in_ram", "_in_flash"))
    assert ccm[1] == ram[1] == flash[1] / 2 > 51_200
    assert ccm[0] == 0x10000000 and sum(places[".stack"]) <= ram[0] < 0x20020000 - ram[1]
