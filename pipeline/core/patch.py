"""An FM patch: which operator modulates which, and the frequency ratios of the operators.

A routing is written as chains of operators: ``"6>5>1 4>3>1 2>1"`` means that operator 6 modulates
5, which modulates 1, and so on. Operators that modulate no other are the carriers.
"""

import re
import zlib
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import gcd, lcm

from pipeline.core.constants import N_OPERATORS
from pipeline.core.patch_schedule import Step, find_schedule
from pipeline.core.stretch import check_stretch, stretch_table

MAX_MODULATORS = 3  # more full-scale modulators would overflow the 32 bits of the device's sum
MIN_RATIO, MAX_RATIO = Fraction(1, 100), Fraction(64)  # the DX7's are 0.5 to 61.69
MAX_DENOMINATOR = 1000  # of all ratios together; a finer grid needs a finer phase
MAX_DETUNE_CENTS = 100.0
MAX_SHARED_MULTIPLE = 255  # larger multiples of the base have a phase of their own
DETUNE_GRID = 4096  # ratios of a detuned patch are multiples of 1/4096: 0.2 cents at ratio 1
EXAMPLE = '"6>5>1 4>3>1 2>1"'


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch of six operators, numbered from 1 in `routing` and from 0 elsewhere.

    Patches that sound alike are equal whatever their names and the order of their chains.

    Attributes:
        name: Name of the patch, also used in the generated C symbols.
        routing: Chains such as ``"6>5>1"``, separated by blanks; a lone ``"1"`` is a carrier that
            no operator modulates.
        ratios: Frequency ratio of each operator to f0, operator 1 first.
        detune_cents: Detuning of each operator in cents, added to its ratio.
        stretch: How many times the stretch is added to each operator's phase (see
            `pipeline.core.stretch`): n**3 lets a carrier follow partial n of a string.
        inharmonicity: Pairs of a MIDI note and its inharmonicity, from which the stretch follows.

    Raises:
        ValueError: The synthesizer cannot play the patch.
    """

    name: str
    routing: str
    ratios: tuple[Fraction, ...]
    detune_cents: tuple[float, ...] = (0.0,) * N_OPERATORS
    stretch: tuple[int, ...] = (0,) * N_OPERATORS
    inharmonicity: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        _check_routing(self)
        _check_ratios(self)
        _check_stretch(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patch) and self._sound == other._sound

    def __hash__(self) -> int:
        return hash(self._sound)

    @property
    def _sound(self) -> tuple[object, ...]:
        """What decides how the patch sounds."""
        return self.modulators, self.ratios, self.detune_cents, self.stretch, self.inharmonicity

    @cached_property
    def id(self) -> int:
        """CRC-32 of what decides how the patch sounds; files of models name their patch by it."""
        ratios = " ".join(map(str, self.ratios))
        detuning = " ".join(str(float(cents)) for cents in self.detune_cents)
        curve = " ".join(f"{float(note)}:{float(value)}" for note, value in self.inharmonicity)
        text = f"{self.modulators} {ratios}, {detuning}, {self.stretch}, {curve}"
        return zlib.crc32(text.encode())

    @cached_property
    def modulators(self) -> tuple[tuple[int, ...], ...]:
        """For each operator, the operators that modulate its phase, ascending."""
        return tuple(
            tuple(sorted(source for source, target in self._links if target == operator))
            for operator in range(N_OPERATORS)
        )

    @cached_property
    def carriers(self) -> tuple[int, ...]:
        """Operators whose sum is the output, because they modulate no other, ascending."""
        modulators = {source for source, _ in self._links}
        return tuple(operator for operator in range(N_OPERATORS) if operator not in modulators)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """An evaluation order in which every operator follows its modulators.

        Raises:
            ValueError: Operators modulate each other in a circle.
        """
        done: list[int] = []
        while len(done) < N_OPERATORS:
            ready = [
                operator
                for operator in reversed(range(N_OPERATORS))
                if operator not in done and set(self.modulators[operator]) <= set(done)
            ]
            if not ready:
                circle = sorted(set(range(N_OPERATORS)) - set(done))
                names = " and ".join(str(operator + 1) for operator in circle)
                raise ValueError(
                    f"routing = {self.routing!r}: operators {names} follow from each other; the "
                    "synthesizer has no feedback, so leave out the chain that leads back"
                )
            done += ready
        return tuple(done)

    @cached_property
    def played_ratios(self) -> tuple[Fraction, ...]:
        """The ratios with which the operators play: `ratios` with the detuning.

        The ratios of a detuned patch are rounded to multiples of 1/`DETUNE_GRID`, so that all
        operators remain multiples of one oscillator.
        """
        if not any(self.detune_cents):
            return self.ratios
        exact = (
            float(ratio) * 2 ** (cents / 1200)
            for ratio, cents in zip(self.ratios, self.detune_cents, strict=True)
        )
        return tuple(Fraction(round(ratio * DETUNE_GRID), DETUNE_GRID) for ratio in exact)

    @cached_property
    def base_ratio(self) -> Fraction:
        """The largest ratio of which 1 and every operator's ratio are integer multiples."""
        denominator = lcm(*(ratio.denominator for ratio in self.played_ratios))
        numerators = (int(ratio * denominator) for ratio in self.played_ratios)
        return Fraction(gcd(denominator, *numerators), denominator)

    @cached_property
    def multiples(self) -> tuple[int, ...]:
        """Each operator's played ratio in units of `base_ratio`."""
        return tuple(int(ratio / self.base_ratio) for ratio in self.played_ratios)

    @property
    def is_stretched(self) -> bool:
        """Whether the stretch is added to the phase of an operator."""
        return any(self.stretch)

    @cached_property
    def stretch_table(self) -> tuple[int, ...]:
        """The stretch of a sample by pitch; see `pipeline.core.stretch.stretch_table`."""
        return stretch_table(self.inharmonicity)

    @cached_property
    def schedule(self) -> tuple[Step, ...]:
        """How the device plays the operators, one after the other."""
        return find_schedule(self.modulators, self.carriers)

    @cached_property
    def _links(self) -> frozenset[tuple[int, int]]:
        """Pairs of a modulator and the operator that it modulates."""
        chains = ([int(digit) - 1 for digit in chain.split(">")] for chain in self.routing.split())
        return frozenset(link for chain in chains for link in pairwise(chain))


def _check_routing(patch: Patch) -> None:
    """Raises a `ValueError` unless all operators are used, once each, and sum up as they can."""
    given = f"routing = {patch.routing!r}"
    chain = f"[1-{N_OPERATORS}](>[1-{N_OPERATORS}])*"
    if not re.fullmatch(rf"\s*{chain}(\s+{chain})*\s*", patch.routing, re.ASCII):
        raise ValueError(f"{given}: give chains of operators 1 to {N_OPERATORS}, such as {EXAMPLE}")
    missing = [str(number) for number in range(1, N_OPERATORS + 1) if str(number) not in given]
    if missing:
        raise ValueError(f"{given}: all six operators have to be used; add {', '.join(missing)}")
    assert len(patch.order) == N_OPERATORS  # raises if there is a circle
    inputs = {frozenset(modulators) for modulators in patch.modulators if modulators}
    for operator in range(N_OPERATORS):
        sums = [members for members in inputs if operator in members]
        if len(sums) > 1:
            raise ValueError(
                f"{given}: operator {operator + 1} modulates operators that have other modulators "
                "than each other; operators can share either all of their modulators or none"
            )
        if len(patch.modulators[operator]) > MAX_MODULATORS:
            raise ValueError(
                f"{given}: operator {operator + 1} has {len(patch.modulators[operator])} "
                f"modulators; at most {MAX_MODULATORS} can be added up"
            )
    try:
        assert patch.schedule
    except ValueError as error:
        raise ValueError(f"{given}: {error}") from None


def _check_ratios(patch: Patch) -> None:
    """Raises a `ValueError` unless there are six ratios and detunings that can be played."""
    lists = ("ratios", patch.ratios), ("detune_cents", patch.detune_cents)
    for name, values in (*lists, ("stretch", patch.stretch)):
        if len(values) != N_OPERATORS:
            raise ValueError(
                f"{name}: {len(values)} given; give {N_OPERATORS}, one for each operator, "
                "operator 1 first"
            )
    for ratio in patch.ratios:
        if not MIN_RATIO <= ratio <= MAX_RATIO:
            raise ValueError(
                f"ratios: {ratio} is not from {float(MIN_RATIO):g} to {float(MAX_RATIO):g}"
            )
    for cents in patch.detune_cents:
        if not abs(cents) <= MAX_DETUNE_CENTS:
            raise ValueError(
                f"detune_cents: {cents:g} is not from {-MAX_DETUNE_CENTS:g} to {MAX_DETUNE_CENTS:g}"
            )
    denominator = lcm(*(ratio.denominator for ratio in patch.ratios))
    if denominator > MAX_DENOMINATOR:
        raise ValueError(
            f"ratios: their common denominator is {denominator}, at most {MAX_DENOMINATOR} is "
            "possible; give decimals with two digits, and small deviations as detune_cents"
        )


def _check_stretch(patch: Patch) -> None:
    """Raises a `ValueError` unless the device can play the stretch, if there is one."""
    if not patch.is_stretched:
        if patch.inharmonicity:
            raise ValueError("inharmonicity: no operator uses it; give stretch, such as n^3")
        return
    check_stretch(patch.stretch, patch.inharmonicity)
    if max(patch.multiples) > MAX_SHARED_MULTIPLE:
        raise ValueError(
            f"stretch: the ratios are up to {max(patch.multiples)} times their common unit, and "
            f"stretched ones may be {MAX_SHARED_MULTIPLE} times; leave out detune_cents, and give "
            "simpler ratios"
        )
