"""Finds what cannot be so in the report of a self-test: lines that contradict themselves or others.

A serial line that drops or changes bytes can leave a report that is well-formed and wrong.
"""

from collections.abc import Callable, Iterator, Sequence

from pipeline.core.constants import FRAME_RATE
from pipeline.target.selftest_lines import STALLS, Line

CLOCK_TOLERANCE_INVERSE = 500  # TOLERANCE_INVERSE of apps/selftest/clocks.c
CLOCKS_PER_SECOND, LEAST_TICKS = 100, 10  # PER_SECOND and LEAST_TICKS of the same file
LONGEST_BLOCKS = 12  # of apps/selftest/latency.c: a note that sounds later is not counted
TURN_BLOCKS, N_TURNS = 24, 8  # of apps/selftest/torture.c: each turn plays the next model
LONGEST_INVERSE_S = 4  # no block takes 250 ms, even at the 6.5 MHz of a Pico without its crystal
REPORTED = ("flash", "worst_block", "stack")  # by apps/selftest/main.c on every board
_NAMED_BY = {  # the entries that tell lines about one part apart
    **{"begin": (), "flash": (), "worst_block": (), "stack": (), "latency": (), "end": ()},
    **{"register": ("name",), "memory": ("name",), "clock": ("name",), "counter": ("name",)},
    **{"cost": ("model", "stage", "caches"), "model": ("model", "stage")},
    **{"stalls": ("model", "stage"), "progress": ("block",)},
}


def find_contradiction(lines: Sequence[Line]) -> str:
    """Returns what contradicts itself in well-formed lines, the first of which is the beginning.

    Returns:
        A clause that names the numbers of lines; nothing if the lines agree.
    """
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, 1):
        what = (line["part"], *(str(line[name]) for name in _NAMED_BY[line["part"]]))
        first = seen.setdefault(what, number)
        if first < number:
            return f"lines {first} and {number} are both about {' '.join(what)}"
        for wrong in _RULES.get(line["part"], _nothing)(line, lines[0]):
            return f"line {number} contradicts itself: {wrong}"
    return next(_between(lines), "")


def _nothing(_line: Line, _head: Line) -> Iterator[str]:
    yield from ()


def _order(line: Line, _head: Line) -> Iterator[str]:
    values = line["min"], line["median"], line["max"]
    if list(values) != sorted(values):
        yield "min {}, median {} and max {} are not in order".format(*values)


def _cost(line: Line, head: Line) -> Iterator[str]:
    yield from _order(line, head)
    yield from _duration(line, head)


def _duration(line: Line, head: Line) -> Iterator[str]:
    if line["max"] * LONGEST_INVERSE_S > head["counter_hz"]:
        ms = 1000 // LONGEST_INVERSE_S
        yield f"{line['max']} {head['unit']} are over {ms} ms at {head['counter_hz']} Hz"


def _verdict(line: Line, is_passed: bool, why: str) -> Iterator[str]:
    if line["ok"] is not is_passed:
        yield f"ok is {str(line['ok']).lower()}, and {why}"


def _begin(line: Line, _head: Line) -> Iterator[str]:
    counts, hz = line["counts_per_block"], line["counter_hz"]
    if counts and abs(hz - FRAME_RATE * counts) >= FRAME_RATE:
        yield f"{counts} counts per block are not 4 ms at {hz} Hz"


def _flash(line: Line, _head: Line) -> Iterator[str]:
    expected, found = (int(line[name], 16) for name in ("expected", "found"))
    is_passed = line["bytes"] > 0 and expected == found
    yield from _verdict(line, is_passed, f"{line['found']} was found in {line['bytes']} bytes")


def _memory(line: Line, _head: Line) -> Iterator[str]:
    fault = line.get("fault")
    yield from _verdict(line, fault is None, f"the fault is at {fault}" if fault else "no fault")
    start = int(line["address"], 16)
    if fault is not None and not start <= int(fault, 16) < start + line["bytes"]:
        yield f"the fault at {fault} is outside of it"


def _model(line: Line, _head: Line) -> Iterator[str]:
    frame = line.get("first_wrong_frame")
    yield from _verdict(line, frame is None, f"the first wrong frame is {frame}")
    if frame is not None and frame >= line["frames"]:
        yield f"frame {frame} of {line['frames']} is wrong"


def _stalls(line: Line, _head: Line) -> Iterator[str]:
    if line["long"] > line["stretches"]:
        yield f"{line['long']} of {line['stretches']} stretches are long"
    for name in STALLS:
        if line[name] > line["cycles"]:
            yield f"{name} counts {line[name]} in {line['cycles']} cycles"


def _progress(line: Line, _head: Line) -> Iterator[str]:
    if line["block"] > line["blocks"]:
        yield f"block {line['block']} of {line['blocks']}"


def _worst_block(line: Line, head: Line) -> Iterator[str]:
    blocks, late, mean, worst = (line[name] for name in ("blocks", "late", "mean", "max"))
    per_block = head["counts_per_block"]
    yield from _duration(line, head)
    yield from _verdict(line, late == 0, f"{late} blocks are late")
    if line["at_block"] >= blocks or late > blocks:
        yield f"there are only {blocks} blocks"
    if mean > worst or worst > (mean + 1) * blocks:  # the mean is rounded down
        yield f"the mean of {blocks} blocks is {mean}, and the worst takes {worst}"
    if per_block and (late > 0) is not (worst > per_block):
        yield f"{late} blocks are late, and the worst takes {worst} of {per_block}"
    if late * per_block > (mean + 1) * blocks:
        yield f"{late} late blocks take more time than all {blocks}"
    if line["voices"] != head["voices"]:
        yield f"{line['voices']} voices play, and the board has {head['voices']}"


def _clock(line: Line, head: Line) -> Iterator[str]:
    expected, found = line["expected"], line["found"]
    n_ticks = max(line["hz"] // CLOCKS_PER_SECOND, LEAST_TICKS)
    if expected != n_ticks * head["counter_hz"] // line["hz"]:
        yield f"{n_ticks} ticks at {line['hz']} Hz are not {expected} at {head['counter_hz']} Hz"
    is_passed = abs(found - expected) <= expected // CLOCK_TOLERANCE_INVERSE
    yield from _verdict(line, is_passed, f"{found} counts of {expected} were found")


def _latency(line: Line, head: Line) -> Iterator[str]:
    yield from _order(line, head)
    notes, sounded = line["notes"], line["sounded"]
    yield from _verdict(line, sounded == notes, f"{sounded} of {notes} notes sounded")
    if sounded > notes:
        yield f"{sounded} of {notes} notes sounded"


_RULES: dict[str, Callable[[Line, Line], Iterator[str]]] = {
    **{"begin": _begin, "flash": _flash, "memory": _memory, "cost": _cost, "model": _model},
    **{"stalls": _stalls, "progress": _progress, "worst_block": _worst_block, "clock": _clock},
    "latency": _latency,
}


def _between(lines: Sequence[Line]) -> Iterator[str]:
    """Yields contradictions between different lines."""
    n_models = len(_models(lines))
    if n_models != lines[0]["models"]:
        yield f"line 1 announces {lines[0]['models']} models, and {n_models} follow"
    yield from _missing(lines)
    yield from _costs(lines)
    yield from _worst_blocks(lines)
    yield from _latencies(lines)


def _models(lines: Sequence[Line]) -> list[str]:
    """Returns the names of the models, in their order in the image."""
    return list(dict.fromkeys(line["model"] for line in lines if line["part"] == "model"))


def _warm_blocks(lines: Sequence[Line]) -> dict[str, tuple[int, int]]:
    """Returns the number of the line about a block of each model, and what the block takes."""
    return {
        line["model"]: (number, line["median"])
        for number, line in enumerate(lines, 1)
        if line["part"] == "cost" and (line["stage"], line["caches"]) == ("block", "warm")
    }


def _missing(lines: Sequence[Line]) -> Iterator[str]:
    """Yields what every self-test reports and this one does not."""
    found = {line["part"] for line in lines}
    for part in REPORTED:
        if part not in found:
            yield f"no line is about {part}"
    for model in _models(lines):
        if model not in _warm_blocks(lines):
            yield f"no line says what a block of {model} takes"


def _costs(lines: Sequence[Line]) -> Iterator[str]:
    costs = {
        (line["model"], line["stage"]): (number, line)
        for number, line in enumerate(lines, 1)
        if line["part"] == "cost" and line["caches"] == "warm"
    }
    for (model, stage), (number, line) in costs.items():
        at, block = costs.get((model, "block"), (number, line))
        if line["min"] > block["min"] or line["max"] > block["max"]:
            yield f"lines {number} and {at} contradict: {stage} takes longer than the whole block"


def _worst_blocks(lines: Sequence[Line]) -> Iterator[str]:
    """Yields models of which half of the blocks take longer than the worst block of all voices.

    The score plays one model after the other, each with all voices.
    """
    blocks = _warm_blocks(lines)
    for at, worst in enumerate(lines, 1):
        if worst["part"] == "worst_block":
            n_turns = min(-(-worst["blocks"] // TURN_BLOCKS), N_TURNS)
            for model in _models(lines)[:n_turns]:
                number, median = blocks.get(model, (0, 0))
                if median > worst["max"]:
                    yield (
                        f"lines {number} and {at} contradict: a voice of {model} takes {median}, "
                        f"and the worst block with {worst['voices']} takes {worst['max']}"
                    )


def _latencies(lines: Sequence[Line]) -> Iterator[str]:
    """Yields times from MIDI to sound that are impossible.

    A note is rendered when a block begins, and sounds when a later one does. If the checks of the
    clocks and of the worst block have passed, at least about a block passes, of which half is
    required here, and at most `LONGEST_BLOCKS`, with one more for what is left of the first.
    """
    counts = lines[0]["counts_per_block"]
    is_in_time = all(line["ok"] for line in lines if line["part"] in ("clock", "worst_block"))
    for number, line in enumerate(lines, 1):
        if line["part"] == "latency" and line["sounded"] and counts:
            shortest, longest = line["min"], line["max"]
            is_possible = counts // 2 <= shortest and longest <= (LONGEST_BLOCKS + 1) * counts
            if shortest == 0 or (is_in_time and not is_possible):
                yield (
                    f"lines 1 and {number} contradict: notes sound after {shortest} to {longest} "
                    f"counts, and a block has {counts}"
                )
