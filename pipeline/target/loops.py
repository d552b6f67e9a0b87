"""Finds the inner loops of a program in the trace of its instructions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Loop:
    """A loop as it was executed.

    Attributes:
        addresses: Those of the instructions of one pass, in order.
        n_passes: How often exactly these instructions were executed in a row.
    """

    addresses: tuple[int, ...]
    n_passes: int


def hottest_loop(executed: Sequence[int]) -> Loop | None:
    """Returns the loop without inner loops in which most instructions were executed.

    Args:
        executed: Addresses in order, 0 after each call, from
            `pipeline.target.emulator.trace_instructions`.

    Returns:
        The loop, or None if there is none.
    """
    found: Counter[tuple[int, ...]] = Counter()
    path: list[int] = []
    for address, following in pairwise([*executed, 0]):
        if not address:
            continue
        path.append(address)
        if following <= address:  # a jump back, or the end of a call
            if following in path:
                found[tuple(path[path.index(following) :])] += 1
            path = []
    if not found:
        return None
    addresses = max(found, key=lambda loop: len(loop) * found[loop])
    return Loop(addresses, found[addresses])
