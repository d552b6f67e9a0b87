"""Patches for tests: the paper's and the shipped ones, and others with what these lack."""

from fractions import Fraction

import numpy as np

from pipeline.core.dx7_algorithms import ALGORITHMS
from pipeline.core.patch import Patch
from pipeline.core.patch_files import load_patch
from pipeline.core.stretch import inharmonicity, knots_hz

PAPER = ("flute", "trumpet", "violin", "piano")  # of "DDX7", ISMIR 2022
SHIPPED = ("flute", "pair_and_fan", "violin", "stretched_piano")  # of data/instruments


def dx7_patch(name: str, algorithm: int, ratios: str, **settings) -> Patch:
    """Returns a patch of one of the DX7's algorithms."""
    return Patch(name, ALGORITHMS[algorithm], tuple(map(Fraction, ratios.split())), **settings)


PATCHES = {
    patch.name: patch
    for patch in (
        *map(load_patch, PAPER),
        dx7_patch("four_carriers", 22, "1 0.5 2 3 4.04 14.14"),
        dx7_patch("organ", 32, "1/2 1 3/2 2 3 4"),
        dx7_patch("branches", 18, "1 1 61.69 0.505 2 2.56"),
        dx7_patch(
            "stretched",
            5,
            "1 1 4 1 9.5 2",
            stretch=(1, 12, 64, -27, 125, 12),
            inharmonicity=((40, 3e-2), (60, 3e-4), (90, 3e-2)),
        ),
        dx7_patch("detuned", 5, "1 14 1 2 3.52 0.5", detune_cents=(3.0, -7.0, -3.0, 0.0, 1.5, 0.0)),
    )
}
PLAYED = {  # by the C voice
    **{name: load_patch(name) for name in SHIPPED},
    "chain": Patch("chain", "6>5>4>3>2>1", (Fraction(1),) * 6),
    **PATCHES,
}


def stretch_hz(patch: Patch, f0_hz: np.ndarray) -> np.ndarray:
    """Returns the stretch: straight lines between its values at quarters of octaves."""
    if not patch.is_stretched:
        return np.zeros(len(f0_hz))
    knots = knots_hz()
    values = [inharmonicity(patch.inharmonicity, f0) * f0 / 2 for f0 in knots]
    return np.interp(f0_hz, knots, values)
