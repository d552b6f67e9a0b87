"""Phases that operators share are kept in the slots of the C core."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.emit.fm import N_SLOTS, turns_uses


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
