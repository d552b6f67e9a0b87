"""Inner loops in traces, and the cycles that llvm-mca counts for them."""

import pytest

from pipeline.core.errors import UserError
from pipeline.target import second_opinion
from pipeline.target.cycle_model import count_cycles, count_words, explain_cycles, weight_passes
from pipeline.target.disassembly import Instruction
from pipeline.target.loops import Loop, hottest_loop

# Two passes of a loop at 10 to 14 with an inner one at 12, which is executed three times a pass.
INNER = [12, 12, 12]
TRACE = [2, 4, 10, *INNER, 14, 10, *INNER, 14, 16, 0, 2, 4, 0]


def test_the_hottest_loop_is_the_one_with_most_instructions_and_no_loop_in_it():
    assert hottest_loop(TRACE) == Loop((12,), 4)
    assert hottest_loop([2, 10, 12, 14, 10, 12, 14, 10, 12, 14, 16, 0]) == Loop((10, 12, 14), 2)


def test_calls_and_jumps_forward_are_no_loops():
    assert hottest_loop([2, 8, 10, 0, 2, 8, 10, 0]) is None
    assert hottest_loop([]) is None


def code(*lines: str) -> dict[int, Instruction]:
    words = [line.partition(" ") for line in lines]
    return {4 * i: Instruction(4, name, ops) for i, (name, _, ops) in enumerate(words, start=1)}


LOAD = code("ldmia.w r1!, {r5, r6, r7}", "ldrd r3, r0, [sp, #8]", "bne.n 0 <f>")


def test_cycles_beyond_one_are_explained_by_registers_and_branches():
    passes = [4, 8, 12, 4, 8, 12]
    found = explain_cycles("Cortex-M4F", passes, LOAD)
    assert found == {"several_words": 2 * (3 + 2), "branches": 2 * 2}
    found = explain_cycles("Cortex-M7F", passes, LOAD)
    assert found["branches"] == pytest.approx(4 * 3.40 / 5.01)


def test_m33_takes_a_cycle_for_each_word_of_code_and_data_on_its_only_bus():
    executed = [4, 8, 12, 16]
    stores = code(*["str.w r1, [r2]"] * 4)
    assert count_words(executed, stores) == (4, 4)
    assert count_cycles("Cortex-M33", executed, stores) == 8
    assert count_cycles("Cortex-M4F", executed, stores) == 4
    assert count_words([4], code("ldmia.w r1!, {r5, r6, r7}")) == (1, 3)


@pytest.mark.firmware
@pytest.mark.parametrize(
    ("core", "lines", "cycles"),
    [
        ("Cortex-M4F", ["add r0, r0, #1", "eor r1, r1, r0", "bne.n 0 <f>"], 3),
        ("Cortex-M4F", ["str.w r2, [r4], #4", "ldr.w r3, [r5, #4]!"], 2),  # written back
        ("Cortex-M7F", ["add r0, r0, #1", "add r1, r1, #1", "add r2, r2, #1", "add r3, r3, #1"], 2),
        ("Cortex-M33", ["smlad r3, r9, r5, r3", "add r0, r0, #1"], 2),
    ],
)
def test_llvm_mca_counts_one_instruction_per_cycle_and_two_on_the_m7(core, lines, cycles, tmp_path):
    instructions = list(code(*lines).values())
    found = second_opinion._mca_cycles(core, instructions, tmp_path / "loop")
    assert found == pytest.approx(cycles, abs=0.1)


@pytest.mark.firmware
def test_an_instruction_that_llvm_mca_does_not_know_is_an_error_in_one_line(tmp_path):
    unknown = [Instruction(4, "frobnicate", "r0")]
    with pytest.raises(UserError, match=r"llvm-mca for cortex-m4 failed: .*instruction"):
        second_opinion._mca_cycles("Cortex-M4F", unknown, tmp_path / "loop")


def test_weights_are_read_once_for_a_pair_and_once_for_each_voice_without_one():
    assert [weight_passes(n, 1, is_paired=True) for n in (1, 2, 3, 6)] == [1, 1, 2, 3]
    assert weight_passes(6, 4, is_paired=True) == 1 + 1 + 1 + 2
    assert weight_passes(2, 4, is_paired=True) == 2
    assert weight_passes(6, 1, is_paired=False) == 6
