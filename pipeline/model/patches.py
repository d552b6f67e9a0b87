"""The FM patches, in one table for the Keras synthesizer, the generated C and the documentation.

A routing is written as chains of operators: ``"6>5>1 4>3>1 2>1"`` means that operator 6 modulates
5, which modulates 1, and so on. Operators that modulate no other are the carriers. Ratios are exact
multiples of f0. The patches are the DX7's FLUTE 1, BRASS 3, STRINGS 1 and a piano, without their
feedback (Caspe et al., "DDX7", ISMIR 2022, section 3).
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

from pipeline.core.constants import N_OPERATORS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.paths import INSTRUMENT_DIR
from pipeline.core.runs import RunConfig


@dataclass(frozen=True)
class Patch:
    """A fixed-ratio FM patch of six operators, numbered from 1 in `routing` and from 0 elsewhere.

    Attributes:
        name: Name of the patch, also used in the generated C symbols.
        routing: Chains such as ``"6>5>1"``, separated by blanks; a lone ``"1"`` is a carrier that
            no operator modulates.
        ratios: Frequency ratio of each operator to f0, operator 1 first.
    """

    name: str
    routing: str
    ratios: tuple[Fraction, ...]

    @property
    def modulators(self) -> tuple[tuple[int, ...], ...]:
        """For each operator, the operators that modulate its phase, ascending."""
        links = {(source, target) for chain in self._chains for source, target in pairwise(chain)}
        return tuple(
            tuple(sorted(source for source, target in links if target == operator))
            for operator in range(N_OPERATORS)
        )

    @property
    def carriers(self) -> tuple[int, ...]:
        """Operators whose sum is the output: the ends of the chains, ascending."""
        return tuple(sorted({chain[-1] for chain in self._chains}))

    @property
    def order(self) -> tuple[int, ...]:
        """An evaluation order in which every operator follows its modulators."""
        done: list[int] = []
        while len(done) < N_OPERATORS:
            done += [
                operator
                for operator in reversed(range(N_OPERATORS))
                if operator not in done and set(self.modulators[operator]) <= set(done)
            ]
        return tuple(done)

    @property
    def base_ratio(self) -> Fraction:
        """The largest ratio of which every operator's ratio is an integer multiple."""
        denominator = lcm(*(ratio.denominator for ratio in self.ratios))
        return Fraction(gcd(*(int(ratio * denominator) for ratio in self.ratios)), denominator)

    @property
    def multiples(self) -> tuple[int, ...]:
        """Each operator's ratio in units of `base_ratio`."""
        return tuple(int(ratio / self.base_ratio) for ratio in self.ratios)

    @property
    def _chains(self) -> list[list[int]]:
        return [[int(digit) - 1 for digit in chain.split(">")] for chain in self.routing.split()]


def _patch(name: str, routing: str, ratios: str) -> Patch:
    return Patch(name, routing, tuple(Fraction(ratio) for ratio in ratios.split()))


PATCHES: dict[str, Patch] = {
    patch.name: patch
    for patch in (
        _patch("flute", "6>5>1 4>3>1 2>1", "1 1 1 2 2 1.5"),
        _patch("trumpet", "6>5>4>1 3>1 2>1", "1 1 1 1 3.2 8.5"),
        _patch("violin", "6>5>4>3 2>1", "1 1 1 1 3 14"),
        _patch("piano", "3>2>1 6>4 6>5", "1 1 3 1 1.58 1"),
    )
}


def find_patch(config: InstrumentConfig | RunConfig) -> Patch:
    """Returns the patch that a configuration names.

    Raises:
        UserError: There is no such patch.
    """
    if config.patch not in PATCHES:
        path = INSTRUMENT_DIR / f"{config.instrument}.toml"
        raise UserError(f"{path}: patch = {config.patch!r}: give one of {', '.join(PATCHES)}")
    return PATCHES[config.patch]
