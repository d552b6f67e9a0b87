"""Assigns whole recordings to training, validation and test."""

import hashlib
import math
from collections.abc import Collection, Mapping

from pipeline.core.constants import SPLITS, TEST, TRAIN, VALID
from pipeline.core.errors import UserError

SHARES = (6 / 8, 1 / 8, 1 / 8)  # of the seconds of a source, in the order of `SPLITS`


def split_recordings(seconds: Mapping[str, float], seed: int) -> dict[str, int]:
    """Assigns every recording of a source to a split, in an order drawn from its name and the seed.

    Three quarters of the seconds go to training, an eighth each to validation and test, as closely
    as whole recordings allow. Longer recordings are assigned first, so that every split has long
    and short ones. Validation needs two recordings, a test three.

    Args:
        seconds: Length of every recording, by name.
        seed: Seed of the order.

    Returns:
        Index into `SPLITS` per name.
    """
    order = sorted(
        seconds,
        key=lambda name: (
            -math.floor(math.log2(max(seconds[name], 1e-3))),  # recordings of like length, mixed
            hashlib.sha256(f"{seed}:{name}".encode()).digest(),
        ),
    )
    used = [TRAIN, VALID, TEST][: len(order)]
    totals = [0.0] * len(SPLITS)
    splits: dict[str, int] = {}
    for index, name in enumerate(order):
        empty = [split for split in used if split not in splits.values()]
        candidates = empty if len(order) - index == len(empty) else used
        splits[name] = min(candidates, key=lambda s: (totals[s] + seconds[name]) / SHARES[s])
        totals[splits[name]] += seconds[name]
    return splits


def split_sources(
    sources: Mapping[str, Mapping[str, float]], seed: int, hold_out: Collection[str] = ()
) -> dict[str, int]:
    """Assigns the recordings of all sources, each source separately.

    So another source does not change the split of the first one. Where every source is a single
    recording, they are split together.

    Args:
        sources: Seconds of every recording, by source and name of the recording.
        seed: Seed of the order.
        hold_out: Sources that are kept for the test.

    Returns:
        Index into `SPLITS` per name of a recording.
    """
    kept = {name: seconds for name, seconds in sources.items() if name not in hold_out}
    if all(len(seconds) == 1 for seconds in kept.values()):
        kept = {"": {name: s for seconds in kept.values() for name, s in seconds.items()}}
    splits = {name: TEST for source in hold_out for name in sources.get(source, ())}
    for seconds in kept.values():
        splits |= split_recordings(seconds, seed)
    return splits


def check_hold_out(hold_out: Collection[str], sources: Collection[str]) -> None:
    """Checks the sources that are kept for the test.

    Raises:
        UserError: One is unknown, or no other source is left.
    """
    for name in hold_out:
        if name not in sources:
            known = ", ".join(sorted(set(sources)))
            raise UserError(f"--hold-out {name}: no such source: give one of {known}")
    if not set(sources) - set(hold_out):
        raise UserError(
            f"--hold-out {' '.join(sorted(set(hold_out)))} leaves no source to train on: "
            "add one with --audio"
        )


def check_usable(hold_out: Collection[str], usable: Collection[str]) -> None:
    """Checks that something usable is held out and something is left, once that is known.

    Args:
        hold_out: Sources that are kept for the test, all known.
        usable: Sources with usable recordings, at least one.

    Raises:
        UserError: A held-out source is not among them, or no other source is.
    """
    for name in hold_out:
        if name not in usable:
            raise UserError(
                f"--hold-out {name}: it has nothing usable that no other source has: leave it out"
            )
    if not set(usable) - set(hold_out):
        raise UserError(
            f"--hold-out {' '.join(sorted(set(hold_out)))} leaves nothing usable to train on: the "
            "other sources have no clear pitch in range: add one with --audio"
        )
