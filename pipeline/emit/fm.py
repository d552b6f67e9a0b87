"""Generates the C of an FM patch (``tflm_app/fm``).

A patch becomes a header and a short source file, which states with the functions of
``fm/fm_algorithm.h`` where the output of each operator goes.
"""

from collections.abc import Sequence

from pipeline.core.patch import MAX_SHARED_MULTIPLE, Patch
from pipeline.core.patch_schedule import Step
from pipeline.emit.c_text import BANNER, header, rows
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
    before, after = _ratio_lines(own_multiples(patch))
    advance, stretch = _stretch_lines(patch)
    phases, stretches = (
        "".join(f"    {line}\n" for line in lines)
        for lines in ([*before, *advance, *after], stretch)
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
{phases}    fm_block_ramp_levels(&block, voice, levels_q32, {carriers});
{stretches}    fm_start(&run, &block, pcm);
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
    """Returns the body of the loop: a line per operator or stack, and one per phase before it."""
    names = [_turns_name(patch, step.operator) for step in patch.schedule]
    uses = turns_uses(names)
    declared: set[str] = set()
    lines = []
    position = 0
    while position < len(names):
        is_stack = _is_stack(patch, uses, position)
        played = slice(position, position + 1 + is_stack)
        steps = patch.schedule[played]
        for step, name in zip(steps, names[played], strict=True):
            if name not in declared:
                declared.add(name)
                lines.append(_declaration(patch, step.operator, name))
        if is_stack:
            lines.append(_stack_line(patch, steps[0], steps[1], uses[played]))
        else:
            lines.append(_operator_line(patch, steps[0], uses[position]))
        position += len(steps)
    return lines


def _is_stack(patch: Patch, uses: Sequence[str], position: int) -> bool:
    """Whether an operator and the next one, which it modulates, are played by one call."""
    if position + 1 == len(uses):
        return False
    modulator, carrier = patch.schedule[position : position + 2]
    modulators = patch.modulators[carrier.operator]
    later = (patch.modulators[step.operator] for step in patch.schedule[position + 2 :])
    if modulator.operator not in modulators or modulators in later:
        return False
    first, second = uses[position : position + 2]
    if carrier.target is None:  # the last call has the fewest registers
        return modulator.modulation is None and first == second
    return any(use.startswith("fm_loaded") for use in (first, second))


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


def _stack_line(patch: Patch, modulator: Step, carrier: Step, turns: Sequence[str]) -> str:
    """Returns the line that plays a modulator and its carrier, whose phases are `turns`."""
    is_added = int(modulator.mix is not None)
    arguments = f"&run, {_mix(modulator.target)}, {modulator.operator + 1}"
    if carrier.target is None:
        arguments += f", {is_added}, {carrier.operator + 1}, {turns[1]}, {_mix(carrier.mix)}"
        return f"fm_play_stack({arguments}, {len(patch.carriers)});"
    arguments += f", {turns[0]}, {_mix(modulator.modulation)}, {is_added}"
    arguments += f", {carrier.operator + 1}, {turns[1]}, {_mix(carrier.mix)}"
    return f"fm_stack({arguments}, {_mix(carrier.target)});"


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
    return f"\nstatic const uint32_t stretch_table[] = {{\n{table}}};\n"


def _stretch_lines(patch: Patch) -> tuple[list[str], list[str]]:
    """Returns the lines that advance the base oscillator, and those that compute the stretch."""
    weights = stretch_weights(patch)
    if not weights:
        return ["fm_block_ramp_f0(&block, voice, f0_hz);"], []
    return [
        "fm_stretch_t whole;",
        f"fm_ramp_t stretch[{len(weights)}];",
        "fm_block_ramp_stretched_f0(&block, &whole, voice, stretch_table, f0_hz);",
    ], [f"stretch[{i}] = fm_weighted_ramp(&whole, {w});" for i, w in enumerate(weights)]


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
