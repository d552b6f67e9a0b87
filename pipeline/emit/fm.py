"""Generates the C of an FM patch (``tflm_app/fm``).

A patch becomes a header and a short source file, which states with the functions of
``fm/fm_algorithm.h`` where the output of each operator goes.
"""

from collections.abc import Iterable

from pipeline.core.constants import N_OPERATORS
from pipeline.core.errors import UserError
from pipeline.emit.c_text import BANNER, header
from pipeline.model.patches import Patch
from pipeline.reference.fm import MAX_SUMMED, increment_per_f0

MIXES = ("FM_X", "FM_Y")


def patch_texts(patch: Patch) -> dict[str, str]:
    """Returns the C of a patch by file name: ``<name>_patch.h`` and ``<name>_patch.c``.

    Raises:
        UserError: The C core cannot play the algorithm.
    """
    name = f"{patch.name}_patch"
    declaration = f'#include "fm/fm_voice.h"\n\nextern const fm_patch_t {name};\n'
    carriers = sum(1 << carrier for carrier in patch.carriers)
    algorithm = "".join(f"        {line}\n" for line in algorithm_lines(patch))
    source = f"""\
{BANNER}/* {patch.name}: {patch.routing}; the base oscillator runs at {patch.base_ratio} of f0. */
#include "{name}.h"

#include "fm/fm_algorithm.h"

FM_HOT static void render(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                          int16_t pcm[FM_BLOCK_SAMPLES]) {{
    fm_block_t block;
    fm_run_t run;
    fm_block_ramp_f0(&block, voice, f0_hz);
    fm_block_ramp_levels(&block, voice, levels_q32, 0x{carriers:02X}u, {len(patch.carriers)});
    fm_start(&run, &block, pcm);
    do {{
        fm_advance(&run);
{algorithm}    }} while (fm_continue(&run));
}}

const fm_patch_t {name} = {{
    .increment_per_f0 = 0x{increment_per_f0(patch):016X}u,
    .render = render,
}};
"""
    return {f"{name}.h": header(f"{name}.h", declaration), f"{name}.c": source}


def algorithm_lines(patch: Patch) -> list[str]:
    """Returns the body of the loop: a line per operator, and one per phase before its first use.

    Operators whose outputs are added up, because they modulate the same operators or are all
    carriers, share a mix. The first of them to run takes the mix. The mix is free again once the
    last operator that it modulates has read it; that operator may write its own output there.

    Raises:
        UserError: The algorithm needs more mixes, or adds up more operators, than the C core can.
    """
    carriers = frozenset(patch.carriers)
    inputs = [frozenset(modulators) for modulators in patch.modulators]
    sums = {carriers, *inputs} - {frozenset()}
    order = _depth_first(patch, reversed(patch.carriers))
    mixes: dict[frozenset[int], str] = {}
    phases: set[str] = set()
    lines = []
    for position, operator in enumerate(order):
        turns = f"turns{patch.multiples[operator]}"
        if turns not in phases:
            phases.add(turns)
            call = f"fm_turns(&run, {patch.multiples[operator]})"
            ratio = f"ratio {float(patch.ratios[operator]):g}"
            lines.append(f"const fm_turns_t {turns} = {call}; /* {ratio} */")

        modulators = inputs[operator]
        modulation = mixes[modulators] if modulators else "FM_NONE"
        if modulators and not any(inputs[later] == modulators for later in order[position + 1 :]):
            del mixes[modulators]

        own = _own_sum(patch, operator, sums)
        arguments = f"{operator + 1}, {turns}, {modulation}"
        if position == N_OPERATORS - 1:
            others = mixes.get(carriers, "FM_NONE")
            lines.append(f"fm_play(&run, {arguments}, {others}, {len(carriers)});")
        elif own in mixes:
            lines.append(f"fm_add(&run, {mixes[own]}, {arguments});")
        else:
            mixes[own] = _free_mix(patch, operator, mixes.values())
            lines.append(f"fm_set(&run, {mixes[own]}, {arguments});")
    return lines


def _own_sum(patch: Patch, operator: int, sums: set[frozenset[int]]) -> frozenset[int]:
    """Returns the operators with which the output of an operator is added up, itself included."""
    own = [members for members in sums if operator in members]
    if len(own) > 1 or len(own[0]) > MAX_SUMMED:
        raise UserError(
            f"patch {patch.name}: operator {operator + 1} is added up in more than one way, "
            f"or to more than {MAX_SUMMED - 1} others: choose another routing"
        )
    return own[0]


def _free_mix(patch: Patch, operator: int, taken: Iterable[str]) -> str:
    free = [mix for mix in MIXES if mix not in taken]
    if not free:
        raise UserError(
            f"patch {patch.name}: more than {len(MIXES)} signals are alive at operator "
            f"{operator + 1}: choose another routing"
        )
    return free[0]


def _depth_first(patch: Patch, operators: Iterable[int]) -> list[int]:
    """Orders the operators chain by chain, so that few signals are alive at a time."""
    order: list[int] = []

    def visit(operator: int) -> None:
        if operator not in order:
            for modulator in reversed(patch.modulators[operator]):
                visit(modulator)
            order.append(operator)

    for operator in operators:
        visit(operator)
    return order
