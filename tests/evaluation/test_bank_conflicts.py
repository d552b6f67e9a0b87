"""What a core reads of the Picos' RAM, and how often the cores wait for each other's banks."""

from pathlib import Path

import pytest

from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets
from pipeline.evaluation.bench_firmware import STAGES, bench_frames
from pipeline.target import firmware
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.cycle_model import count_cycles, count_words
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions

N_BANKS = 4  # that take turns


def words_per_cycle(board: str, folder: Path) -> tuple[float, float]:
    """Returns the words of code, and of data, for a frame of the shipped reduced flute."""
    preset = presets.load_preset(MODEL_DIR / "flute" / "reduced_cd")
    presets.write_firmware_source([preset], folder / "generated")
    program = firmware.build(board, folder / "generated", build_dir=folder / board).program
    trace = trace_instructions(
        program,
        STAGES.values(),
        arguments=["frames", "pcm"],
        inputs={"frames": bench_frames(1).tobytes()},
    )
    executed = [address for stage in trace.values() for address in stage]
    code = disassemble(program)
    n_cycles = count_cycles(ALL_BOARDS[board].core, executed, code)
    n_code, n_data = count_words(executed, code)
    return n_code / n_cycles, n_data / n_cycles


def waiting(share: float) -> float:
    """Returns how much longer a core takes if both read from the same banks in that share."""
    return share * share / N_BANKS / 2  # one of the two waits


@pytest.mark.firmware
def test_cores_of_the_rp2040_wait_for_each_other_as_estimated(tmp_path):
    share = sum(words_per_cycle("qemu_m0", tmp_path))
    assert ALL_BOARDS["pico"].weight_memory.bank_conflicts == pytest.approx(
        waiting(share), abs=0.003
    )


@pytest.mark.firmware
def test_cores_of_the_rp2350_wait_for_each_other_as_estimated(tmp_path):
    """With six reduced models, a third of the data lies beside the code."""
    code, data = words_per_cycle("qemu_m33", tmp_path)
    assert waiting(code) + waiting(data) == pytest.approx(0.068, abs=0.001)
    worst = waiting(code + data / 3) + waiting(2 * data / 3)
    assert ALL_BOARDS["pico2"].weight_memory.bank_conflicts == pytest.approx(worst, abs=0.003)
    assert waiting(code + data) > 0.12  # if all were in the same banks
