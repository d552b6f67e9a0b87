"""Generates the C of an FM patch (``tflm_app/fm``).

A patch becomes a header and a short source file, which states with the functions of
``fm/fm_algorithm.h`` where the output of each operator goes.
"""

from collections.abc import Sequence

from pipeline.core.patch import MAX_SHARED_MULTIPLE, Patch
from pipeline.core.patch_schedule import Step
from pipeline.emit.c_text import BANNER, braces, header, rows
from pipeline.reference.fm import increment_per_f0

MIXES = ("FM_X", "FM_Y")
N_SLOTS = 2  # of the C core, for the phases of the block


def patch_texts(patch: Patch) -> dict[str, str]:
    """Returns the C of a patch by file name: ``<name>_patch.h`` and ``<name>_patch.c``."""
    name = f"{patch.name}_patch"
    declaration = f'#include "fm/fm_voice.h"\n\nextern const fm_patch_t {name};\n'
    n_carriers = len(patch.carriers)
    carriers = f"0x{sum(1 << carrier for carrier in patch.carriers):02X}u, {n_carriers}"
    algorithm = "".join(f"        {line}\n" for line in algorithm_lines(patch))
    before, after = (
        "".join(f"    {line}\n" for line in [*ratio_lines, *stretch_lines])
        for ratio_lines, stretch_lines in zip(
            _ratio_lines(own_multiples(patch)), _stretch_lines(patch), strict=True
        )
    )
    source = f"""\
{BANNER}/* {patch.name}: {patch.routing}; the base oscillator runs at {patch.base_ratio} of f0. */
#include "{name}.h"

#include "fm/fm_algorithm.h"
{_stretch_tables(patch)}
FM_HOT static void render(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                          int16_t pcm[FM_BLOCK_SAMPLES]) {{
    fm_block_t block;
    fm_run_t run;
{before}    fm_block_ramp_f0(&block, voice, f0_hz);
{after}    fm_block_ramp_levels(&block, voice, levels_q32, {carriers});
    fm_start(&run, &block, pcm);
    do {{
        fm_advance(&run);
{algorithm}    }} while (fm_continue(&run));
}}

const fm_patch_t {name} = {{
    .increment_per_f0 = 0x{increment_per_f0(patch):016X}u,
    .render = render,
    .id = 0x{patch.id:08X}u,
}};
"""
    return {f"{name}.h": header(f"{name}.h", declaration), f"{name}.c": source}


def algorithm_lines(patch: Patch) -> list[str]:
    """Returns the body of the loop: a line per operator, and one per phase before its first use."""
    names = [_turns_name(patch, step.operator) for step in patch.schedule]
    uses = turns_uses(names)
    declared: set[str] = set()
    lines = []
    for step, name, use in zip(patch.schedule, names, uses, strict=True):
        if name not in declared:
            declared.add(name)
            lines.append(_declaration(patch, step.operator, name))
        lines.append(_operator_line(patch, step, use))
    modulator, carrier = patch.schedule[-2:]
    is_stack = modulator.modulation is None and modulator.target == carrier.modulation
    if is_stack and uses[-2] == uses[-1]:
        is_added = int(modulator.mix is not None)
        arguments = f"{_mix(modulator.target)}, {modulator.operator + 1}, {is_added}"
        arguments += f", {carrier.operator + 1}, {uses[-1]}, {_mix(carrier.mix)}"
        lines[-2:] = [f"fm_play_stack(&run, {arguments}, {len(patch.carriers)});"]
    return lines


def _declaration(patch: Patch, operator: int, name: str) -> str:
    """Returns the line that computes where an operator's phase starts."""
    multiple, weight = patch.multiples[operator], patch.stretch[operator]
    call = f"fm_turns(&run, {multiple})"
    if multiple > MAX_SHARED_MULTIPLE:
        call = f"fm_ratio_turns(&ratios[{own_multiples(patch).index(multiple)}])"
    if weight:
        place = f"&stretch[{stretch_weights(patch).index(weight)}]"
        call = f"fm_stretched_turns(&run, {multiple}, {place})"
    return f"const fm_turns_t {name} = {call}; /* ratio {float(patch.played_ratios[operator]):g} */"


def _operator_line(patch: Patch, step: Step, turns: str) -> str:
    """Returns the line that plays an operator, whose phase is `turns`."""
    arguments = f"{step.operator + 1}, {turns}, {_mix(step.modulation)}"
    if step.target is None:
        return f"fm_play(&run, {arguments}, {_mix(step.mix)}, {len(patch.carriers)});"
    verb = "fm_set" if step.mix is None else "fm_add"
    return f"{verb}(&run, {_mix(step.target)}, {arguments});"


def _turns_name(patch: Patch, operator: int) -> str:
    """Returns the name of the variable with an operator's phase; equal phases share one."""
    multiple, weight = patch.multiples[operator], patch.stretch[operator]
    return f"turns{multiple}" + (f"w{weight}".replace("-", "m") if weight else "")


def turns_uses(names: Sequence[str]) -> list[str]:
    """Returns the argument for each use of a phase: computed, stored in a slot, or loaded from it.

    Args:
        names: The phase of each operator in the order in which they are played.
    """
    slots: dict[str, int] = {}
    uses = []
    for position, name in enumerate(names):
        is_last = name not in names[position + 1 :]
        free = [slot for slot in range(N_SLOTS) if slot not in slots.values()]
        use = name
        if name in slots:
            use = f"fm_loaded({name}, {slots[name]})"
        elif free and not is_last:
            slots[name] = free[0]
            use = f"fm_stored({name}, {free[0]})"
        if is_last:
            slots.pop(name, None)
        uses.append(use)
    return uses


def own_multiples(patch: Patch) -> list[int]:
    """Returns the multiples of the base oscillator that have a phase of their own, ascending."""
    return sorted({multiple for multiple in patch.multiples if multiple > MAX_SHARED_MULTIPLE})


def stretch_weights(patch: Patch) -> list[int]:
    """Returns how many times operators add the stretch, ascending, without 0."""
    return sorted(set(patch.stretch) - {0})


def _stretch_tables(patch: Patch) -> str:
    """Returns the constants that the stretch needs; empty if there is none."""
    if not patch.is_stretched:
        return ""
    table = rows((f"{word}u" for word in patch.stretch_table), 8)
    weights = braces(stretch_weights(patch))
    return (
        f"\nstatic const uint32_t stretch_table[] = {{\n{table}}};\n"
        f"static const int32_t stretch_weights[] = {weights};\n"
    )


def _stretch_lines(patch: Patch) -> tuple[list[str], list[str]]:
    """Returns the lines that prepare the stretch, before and after the oscillator advances."""
    n_weights = len(stretch_weights(patch))
    if not n_weights:
        return [], []
    arguments = f"stretch, stretch_weights, {n_weights}, voice, stretch_table, f0_hz"
    return [f"fm_ramp_t stretch[{n_weights}];"], [f"fm_block_ramp_stretch({arguments});"]


def _ratio_lines(multiples: Sequence[int]) -> tuple[list[str], list[str]]:
    """Returns the lines that prepare phases, before and after the base oscillator advances."""
    if not multiples:
        return [], []
    before = [
        f"fm_ratio_t ratios[{len(multiples)}];",
        "const uint64_t phase = voice->phase, first = voice->increment;",
    ]
    after = [
        f"fm_block_ramp_ratio(&ratios[{i}], phase, first, voice->increment, {multiple});"
        for i, multiple in enumerate(multiples)
    ]
    return before, after


def _mix(number: int | None) -> str:
    return "FM_NONE" if number is None else MIXES[number]
