"""Every STM32 board has time for all of its voices."""

from pathlib import Path

import pytest
from support.small_player import control, on
from support.stm32_board import INSTRUCTIONS_PER_TICK, TICKS_PER_BLOCK, Stm32Board

from pipeline.evaluation import bench_firmware
from pipeline.target import firmware
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.cycle_model import chip_share
from pipeline.target.player import build_player, perform

pytestmark = pytest.mark.firmware

CHORD = [on(60), on(64), on(67), on(72)]


def cycles_per_instruction(board: str, generated: Path) -> float:
    """Returns the mean over the stages that render a voice, weighted by their instructions."""
    built = firmware.build(board, generated, build_dir=generated.parent / f"stm32-render-{board}")
    frames = bench_firmware.bench_frames(50)
    per_stage = bench_firmware.cycles_per_instruction(built, frames)
    counts = firmware.render(built, frames).instructions
    return sum(n * per_stage[stage] for stage, n in counts.items()) / sum(counts.values())


def share(name: str, cycles: float, image: firmware.Firmware) -> float:
    """Returns the share of a chip's time; the weights of a reduced model are in fast memory."""
    model_bytes = image.parts["model"].flash_bytes
    return chip_share(INSTRUMENT_BOARDS[name], cycles, model_bytes)["cpu_share"]


def test_four_voices_of_the_flute_leave_margin_at_168_mhz(emulated_flute, flute):
    """Multiplies the instructions of the image in the emulator by the cycles per instruction."""
    with Stm32Board(emulated_flute.program.elf) as board:
        for message in CHORD:
            board.send_midi(message)
        board.wait_for_blocks(150)
        stats = board.stats()
    assert stats["sounding"] == 4 and stats["underruns"] == 0
    instructions = stats["worst"] / 100 * TICKS_PER_BLOCK * INSTRUCTIONS_PER_TICK
    cycles = instructions * cycles_per_instruction("qemu_m4", flute)
    assert share("stm32f4_discovery", cycles, emulated_flute) < 0.85
    assert stats["stack"] < 2048


CORES = pytest.mark.parametrize(
    ("name", "emulated"), [("stm32f4_discovery", "qemu_m4"), ("nucleo_h743zi", "qemu_m7")]
)


@CORES
def test_voice_with_copied_weights_stays_within_its_share_of_the_chip(
    name, emulated, images, flute
):
    player = build_player(
        emulated, flute, n_voices=1, build_dir=flute.parent / f"stm32-one-{emulated}"
    )
    report = perform(player, [(0, on(72)), (250, control(120, 0))]).report
    cycles = report["instructions"] / report["n_blocks"] * cycles_per_instruction(emulated, flute)
    found = share(name, cycles, images[name])
    board = INSTRUMENT_BOARDS[name]
    assert found == pytest.approx(cycles * 250 / board.clock_hz, abs=1e-4)  # without wait states
    assert found <= board.limits.cpu_share
