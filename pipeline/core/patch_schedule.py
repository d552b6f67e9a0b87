"""Orders the operators of a patch so that few signals are alive at a time.

The device adds up operators in mixes. Operators whose outputs are added up, because they modulate
the same operators or are all carriers, share one; it is free again after the last operator that it
modulates has read it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

N_MIXES = 2  # of the C core; more would not stay in registers
Modulators = Sequence[Sequence[int]]  # for each operator


@dataclass(frozen=True)
class Step:
    """What the device does with one operator.

    Attributes:
        operator: The operator.
        modulation: Mix that modulates it, None if there is none.
        mix: Mix to which its output is added, None if it is the first of its sum.
        target: Mix that receives the sum; None for the last operator, which is played.
    """

    operator: int
    modulation: int | None
    mix: int | None
    target: int | None


def find_schedule(modulators: Modulators, carriers: Sequence[int]) -> tuple[Step, ...]:
    """Returns an order of all operators that needs no more than `N_MIXES` mixes.

    Args:
        modulators: For each operator, the operators that modulate it. No operator belongs to two
            different sets.
        carriers: Operators that modulate no other.

    Raises:
        ValueError: There is no such order.
    """
    for order in _orders(modulators, carriers):
        steps = _assign_mixes(order, modulators, frozenset(carriers))
        if steps is not None:
            return steps
    raise ValueError(f"more than {N_MIXES} signals would be alive at a time; use fewer branches")


def _orders(modulators: Modulators, carriers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yields orders in which operators follow their modulators: chain by chain first, then all.

    The first order has the shortest chain last. The device plays some pairs of operators in one go
    (see `pipeline.emit.fm`), and the last operator leaves it the fewest registers for that.
    """
    last = min(carriers, key=lambda carrier: len(_depth_first(modulators, [carrier])))
    others = [carrier for carrier in reversed(carriers) if carrier != last]
    yield _depth_first(modulators, [*others, last])
    yield _depth_first(modulators, reversed(carriers))
    for order in permutations(range(len(modulators))):
        position = {operator: place for place, operator in enumerate(order)}
        if order[-1] in carriers and all(
            position[source] < position[target]
            for target, sources in enumerate(modulators)
            for source in sources
        ):
            yield order


def _depth_first(modulators: Modulators, operators: Iterable[int]) -> list[int]:
    order: list[int] = []

    def visit(operator: int) -> None:
        if operator not in order:
            for modulator in reversed(modulators[operator]):
                visit(modulator)
            order.append(operator)

    for operator in operators:
        visit(operator)
    return order


def _assign_mixes(
    order: Sequence[int], modulators: Modulators, carriers: frozenset[int]
) -> tuple[Step, ...] | None:
    """Assigns mixes to the sums of an order; None if there are too few."""
    inputs = [frozenset(sources) for sources in modulators]
    mixes: dict[frozenset[int], int] = {}
    steps = []
    for position, operator in enumerate(order):
        modulation = mixes.get(inputs[operator])
        if not any(inputs[later] == inputs[operator] for later in order[position + 1 :]):
            mixes.pop(inputs[operator], None)
        own = next((members for members in inputs if operator in members), carriers)
        if position == len(order) - 1:
            steps.append(Step(operator, modulation, mixes.get(carriers), None))
            break
        mix = mixes.get(own)
        if mix is None:
            free = [number for number in range(N_MIXES) if number not in mixes.values()]
            if not free:
                return None
            mixes[own] = free[0]
        steps.append(Step(operator, modulation, mix, mixes[own]))
    return tuple(steps)
