"""Phases that operators share are kept in the slots of the C core."""

import re
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.dx7_algorithms import ALGORITHMS
from pipeline.core.patch import Patch
from pipeline.emit.fm import N_SLOTS, algorithm_lines, turns_uses


@given(st.lists(st.sampled_from("abcd"), max_size=8))
def test_a_loaded_phase_is_the_one_that_was_stored(names):
    stored = {}
    for name, use in zip(names, turns_uses(names), strict=True):
        if use == name:
            continue
        verb, phase, slot = re.fullmatch(r"fm_(stored|loaded)\((\w), (\d)\)", use).groups()
        assert phase == name and int(slot) < N_SLOTS
        if verb == "stored":
            stored[slot] = name
        assert stored[slot] == name


def test_a_slot_is_free_after_the_last_use():
    assert turns_uses(["a", "b", "a", "b", "c", "d", "c"]) == [
        "fm_stored(a, 0)",
        "fm_stored(b, 1)",
        "fm_loaded(a, 0)",
        "fm_loaded(b, 1)",
        "fm_stored(c, 0)",
        "d",
        "fm_loaded(c, 0)",
    ]


@given(st.sampled_from(list(ALGORITHMS)), st.tuples(*[st.integers(1, 3)] * 6))
def test_stacks_follow_the_routing_and_compute_one_phase_at_most(algorithm, ratios):
    patch = Patch("any", ALGORITHMS[algorithm], tuple(map(Fraction, ratios)))
    lines = [line for line in algorithm_lines(patch) if not line.startswith("const")]
    number, turns = r", (\d), ", r"fm_(?:stored|loaded)\(\w+, \d\)|turns\w+"
    played = 0
    for line in lines:
        inner = re.match(rf"fm_stack\(.*?{number}({turns}), .*{number}({turns}), ", line)
        last = re.match(rf"fm_play_stack\(.*?{number}[01]{number}({turns}), ", line)
        if not inner and not last:
            played += 1
            continue
        played += 2
        modulator, carrier = inner.group(1, 3) if inner else last.group(1, 2)
        assert "fm_loaded" in line
        targets = [i for i, sources in enumerate(patch.modulators) if int(modulator) - 1 in sources]
        assert targets == [int(carrier) - 1]
    assert played == 6
