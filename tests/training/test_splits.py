"""Which recordings are held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.constants import TEST, TRAIN, VALID
from pipeline.core.errors import UserError
from pipeline.training.splits import check_hold_out, check_usable, split_recordings, split_sources


def seconds_by_split(seconds: dict[str, float], splits: dict[str, int]) -> np.ndarray:
    return np.bincount(
        [splits[name] for name in seconds], weights=list(seconds.values()), minlength=3
    )


@settings(deadline=None)
@given(
    seconds=st.dictionaries(st.text(min_size=1), st.floats(0.1, 600), min_size=1, max_size=60),
    seed=st.integers(),
)
def test_every_recording_is_in_one_split_independent_of_the_order(
    seconds: dict[str, float], seed: int
) -> None:
    splits = split_recordings(seconds, seed)
    again = split_recordings(dict(reversed(seconds.items())), seed)
    assert splits == again and sorted(splits) == sorted(seconds)
    counts = np.bincount(list(splits.values()), minlength=3)
    assert (counts > 0).sum() == min(len(seconds), 3)
    assert counts[TRAIN] > 0
    shares = seconds_by_split(seconds, splits)
    largest = max(seconds.values())
    assert (
        shares[VALID] <= shares.sum() / 8 + largest and shares[TEST] <= shares.sum() / 8 + largest
    )


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_of_seconds_and_every_split_has_long_and_short_recordings(seed: int) -> None:
    seconds = {f"note{i}": 0.4 + 0.001 * i for i in range(400)}
    seconds |= {f"phrase{i}": 6.0 + 0.01 * i for i in range(80)}
    splits = split_recordings(seconds, seed)
    shares = seconds_by_split(seconds, splits)
    np.testing.assert_allclose(shares / shares.sum(), [0.75, 0.125, 0.125], atol=0.02)
    for kind, count in (("note", 400), ("phrase", 80)):
        held = [splits[name] for name in seconds if name.startswith(kind)]
        np.testing.assert_allclose(np.bincount(held) / count, [0.75, 0.125, 0.125], atol=0.04)


def test_longest_recording_is_learnt_from() -> None:
    assert split_recordings({"a": 3600, "b": 10}, 0) == {"a": TRAIN, "b": VALID}
    splits = split_recordings({"a": 10, "b": 3600, "c": 12}, 0)
    assert splits["b"] == TRAIN and sorted(splits.values()) == [TRAIN, VALID, TEST]


def test_other_sources_do_not_change_the_split_of_a_source() -> None:
    first = {f"first/{i}": 2.0 for i in range(16)}
    second = {f"second/{i}": 3.0 for i in range(9)}
    splits = split_sources({"first": first, "second": second}, 3)
    assert {name: splits[name] for name in first} == split_recordings(first, 3)
    assert {splits[name] for name in second} == {TRAIN, VALID, TEST}


def test_held_out_source_is_for_the_test_alone() -> None:
    sources = {"a": {f"a/{i}": 2.0 for i in range(9)}, "b": {f"b/{i}": 2.0 for i in range(4)}}
    splits = split_sources(sources, 0, ["b"])
    assert {splits[name] for name in sources["b"]} == {TEST}
    assert {splits[name] for name in sources["a"]} == {TRAIN, VALID, TEST}


def test_sources_of_one_recording_each_are_split_together() -> None:
    sources = {name: {f"{name}/take": 60.0 + i} for i, name in enumerate("abcd")}
    assert sorted(split_sources(sources, 0).values()) == [TRAIN, TRAIN, VALID, TEST]
    assert split_sources({"a": {"a/take": 60.0}}, 0) == {"a/take": TRAIN}


def test_wrong_sources_to_hold_out_are_named() -> None:
    with pytest.raises(UserError, match=r"--hold-out flut: no such source: .* of flute, sax$"):
        check_hold_out(["flut"], ["sax", "sax", "flute"])  # one per recording
    with pytest.raises(UserError, match="leaves no source to train on"):
        check_hold_out(["flute", "sax"], ["sax", "flute"])
    check_hold_out(["flute"], ["sax", "flute"])


def test_nothing_usable_to_hold_out_or_to_train_on_is_named() -> None:
    with pytest.raises(UserError, match="--hold-out noise: it has nothing usable"):
        check_usable(["noise"], ["flute"])
    with pytest.raises(UserError, match="--hold-out flute leaves nothing usable to train on"):
        check_usable(["flute"], ["flute"])
    check_usable(["flute"], ["flute", "sax"])
    check_usable([], ["flute"])
