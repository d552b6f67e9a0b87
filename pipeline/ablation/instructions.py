"""Counts the instructions per frame of the firmware of an ablation's settings."""

from collections.abc import Sequence

from pipeline.ablation.plan import Plan, Task
from pipeline.evaluation.bench_firmware import bench_frames
from pipeline.target import firmware, sources
from pipeline.target.boards import ALL_BOARDS

N_FRAMES = 50


def count_instructions(plan: Plan, boards: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts what one voice takes per frame, int8, played from frames without MIDI.

    The count depends on the shape of the network and on the FM patch, not on the weights, so the
    first model of each shape stands for all, with the patch of its instrument.

    Args:
        plan: A plan whose tasks are done.
        boards: Emulated boards.

    Returns:
        For each setting, instructions by the name of the core; empty without boards.

    Raises:
        UserError: A tool is missing, or a model does not fit a board.
    """
    if not boards:
        return {}
    first: dict[str, Task] = {}
    for task in plan.tasks:
        first.setdefault(task.setting, task)
    shapes = {task.config.tcn: task for task in reversed(first.values())}
    counted = {shape: _count(task, boards) for shape, task in shapes.items()}
    return {setting: counted[task.config.tcn] for setting, task in first.items()}


def _count(task: Task, boards: Sequence[str]) -> dict[str, int]:
    generated = sources.generate(task.run_dir)
    counts = {}
    for board in boards:
        played = firmware.render(firmware.build(board, generated), bench_frames(N_FRAMES))
        counts[ALL_BOARDS[board].core] = round(sum(played.instructions.values()))
    return counts
