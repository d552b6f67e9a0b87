"""The image that is flashed onto the Discovery plays in QEMU."""

import numpy as np
import pytest
from support.play_app import pcm, play
from support.small_player import bend, control, off, on
from support.stm32_board import Stm32Board
from support.stm32_images import build_host

from pipeline.target.build import Program

pytestmark = pytest.mark.firmware


def first_sounding(blocks: np.ndarray) -> int:
    return int(np.flatnonzero(blocks.any(axis=1))[0])


def test_board_without_clocks_and_codec_plays_and_reports_what_is_missing(small_image):
    with Stm32Board(small_image.elf) as board:
        board.wait_for_blocks(50)
        stats = board.stats()
        lines = board.console.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["error 1", "error 2", "error 3"]
    assert lines[3] == "neural FM: type help"
    assert stats["blocks"] >= 50 and stats["underruns"] == 0


def test_board_plays_the_demo_phrase_with_the_shipped_flute_like_the_host(emulated_flute, flute):
    host = build_host(flute, flute.parent / "stm32-flute-host")
    run = play(host, [], [(3, b"demo\r"), (800, b"stats\r")])
    expected = pcm(run).reshape(-1, 64)[:800]
    expected = expected[first_sounding(expected) :]
    with Stm32Board(emulated_flute.program.elf) as board:
        board.ask("demo", "playing")
        board.wait_for_blocks(len(expected) + 200)
        played = board.blocks
        assert board.stats()["underruns"] == 0
    played = played[first_sounding(played) :][: len(expected)]
    np.testing.assert_array_equal(played, expected[: len(played)])
    assert len(played) > 600


def test_board_whose_adc_requests_no_dma_reports_it_and_plays(small_image, host):
    """QEMU's ADC never requests DMA."""
    console = [(3, b"live 1\r"), (103, b"demo\r"), (600, b"stats\r")]
    expected = pcm(play(host, [], console)).reshape(-1, 64)[106:600]  # live sound has faded
    with Stm32Board(small_image.elf) as board:
        board.wait_for_blocks(60)
        assert board.console.count("error 6: no sound input") == 1
        assert board.ask("live 1", "no sound")[-2:] == ["live 1", "no sound comes in"]
        board.wait_for_blocks(len(board.blocks) + 100)
        assert board.ask("notes", "3")[0].startswith("0 live flute")
        begin = len(board.blocks)
        board.ask("demo", "playing")
        board.wait_for_blocks(begin + len(expected) + 200)
        played, stats = board.blocks[begin:], board.stats()
    assert (stats["underruns"], stats["input lost"]) == (0, 0) and stats["stack"] < 2048
    matches = [
        start
        for start in range(len(played) - len(expected))
        if (played[start : start + len(expected)] == expected).all()
    ]
    assert len(matches) == 1


def test_settings_that_the_flash_does_not_keep_are_reported_and_the_board_plays_on(small_image):
    """QEMU has no flash controller, so nothing is erased; what follows the image reads as zeros."""
    with Stm32Board(small_image.elf) as board:
        board.wait_for_blocks(20)
        assert "transpose -5" in board.ask("transpose -5", "transpose")
        assert board.ask("save", "not saved")[-1] == "not saved: the flash does not keep it"
        board.send_midi(on(60))
        board.wait_for_blocks(len(board.blocks) + 50)
        assert board.blocks[-10:].any(axis=1).all()
        assert board.ask("transpose", "transpose")[-1] == "transpose -5"
        assert board.stats()["underruns"] == 0


def test_dfu_resets_the_board_after_the_sound_has_faded(small_image):
    """QEMU has no reset flags, so the image starts again instead of the boot loader."""
    with Stm32Board(small_image.elf) as board:
        board.send_midi(on(60))
        board.wait_for_blocks(60)
        assert board.blocks[-10:].any(axis=1).all()
        board.ask("dfu", "neural FM: type help")
        played = board.blocks
    last = int(np.flatnonzero(played.any(axis=1))[-1])
    assert abs(int(played[last, -1])) < abs(played[last - 5 : last]).max() / 4
    assert board.console.count("neural FM: type help") == 2


def agreement(played: np.ndarray, host: Program, events: list[tuple[int, bytes]]) -> int:
    """Returns for how many blocks the board played the same as the host with these events."""
    end = [(len(played) + 10, b"help\r")]
    expected = pcm(play(host, events, end)).reshape(-1, 64)
    expected = expected[first_sounding(expected) :][: len(played)]
    differing = np.flatnonzero((expected != played[: len(expected)]).any(axis=1))
    return int(differing[0]) if len(differing) else len(expected)


def test_board_plays_midi_like_the_host(small_image, host):
    """The arrival block of a byte is unknown, so it is searched for where the samples differ."""
    messages = [on(60), control(1, 100), on(67, 70), bend(4000), off(60)]
    with Stm32Board(small_image.elf) as board:
        for message in messages:
            board.wait_for_blocks(len(board.blocks) + 25)
            board.send_midi(message)
        board.wait_for_blocks(len(board.blocks) + 60)
        played = board.blocks
        assert board.stats()["midi lost"] == 0
    played = played[first_sounding(played) :]
    begin = 3  # block of the host; audible from block 4 on
    events = [(begin, messages[0])]
    for message in messages[1:]:
        differs = agreement(played, host, events)
        assert differs < len(played), "the message changed nothing"
        candidates = [differs + begin - back for back in range(25)]
        candidates = [block for block in candidates if block >= events[-1][0]]
        found = max(
            candidates, key=lambda block: agreement(played, host, [*events, (block, message)])
        )
        events.append((found, message))
    assert agreement(played, host, events) == len(played)
