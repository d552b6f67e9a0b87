"""Describes FM patches and the voices of a DX7 in lines of text."""

from pipeline.core.dx7_algorithms import ALGORITHMS
from pipeline.core.patch import Patch
from pipeline.model.dx7_sysex import Dx7Voice
from pipeline.pages.diagrams import operator_rows, roles


def summary_line(patch: Patch) -> str:
    """Returns a line with the routing, the ratios and the DX7 algorithm of a patch."""
    numbers = [
        str(number)
        for number, routing in ALGORITHMS.items()
        if Patch("dx7", routing, patch.ratios).modulators == patch.modulators
    ]
    dx7 = f"DX7 algorithm {' or '.join(numbers)}" if numbers else "not a DX7 algorithm"
    return f"{patch.name}: {patch.routing}; ratios {' '.join(_ratios(patch))}; {dx7}"


def patch_lines(patch: Patch) -> list[str]:
    """Returns the summary of a patch, a drawing of its operators, and a line for each of them."""
    lines = [summary_line(patch), *(f"    {row}" for row in operator_rows(patch))]
    rows = zip(_ratios(patch), patch.stretch, roles(patch), strict=True)
    for number, (ratio, weight, role) in enumerate(rows, 1):
        stretch = f", stretch {weight}" if weight else ""
        lines.append(f"  operator {number}, ratio {ratio}{stretch}: {role}")
    return lines


def voice_line(voice: Dx7Voice) -> str:
    """Returns a line with the algorithm and the ratios of a voice, and what is not played of it."""
    lacking = voice.not_played()
    without = f"; without {', '.join(lacking)}" if lacking else ""
    ratios = " ".join(_ratios(voice.patch()))
    return f"{voice.name:10s} algorithm {voice.algorithm:2d}, ratios {ratios}{without}"


def _ratios(patch: Patch) -> list[str]:
    """Returns the ratio of each operator, with the detuning in cents if it has one."""
    return [
        f"{float(ratio):g}" + (f"{cents:+g}ct" if cents else "")
        for ratio, cents in zip(patch.ratios, patch.detune_cents, strict=True)
    ]
