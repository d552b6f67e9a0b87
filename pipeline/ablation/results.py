"""The results of an ablation, a JSON file with a line for each task, and where they are kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.ablation.grid import Grid
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.paths import ABLATION_DIR
from pipeline.core.runs import config_hash

RESULTS, TABLE, PICTURE = "results.json", "table.md", "picture.svg"


def results_folder(grid: Grid) -> Path:
    """Returns where the results of a grid are kept by default."""
    return ABLATION_DIR / grid.name


def write_results(
    path: Path,
    grid: Grid,
    command: str,
    tasks: Sequence[dict[str, Any]],
    instructions: dict[str, dict[str, int]] | None = None,
) -> dict[str, Any]:
    """Writes the results of a grid.

    Args:
        path: The file.
        grid: The grid.
        command: The command that makes them, without paths of this machine.
        tasks: For each task that is done its ``instrument``, ``setting``, ``hold_out``, ``seed``
            and result (see `pipeline.ablation.running.load_rows`).
        instructions: From `pipeline.ablation.instructions.count_instructions`, if it was counted.

    Returns:
        The content of the file.
    """
    versions: list[dict[str, str]] = []
    for task in tasks:
        if task["versions"] not in versions:
            versions.append(task["versions"])
    head: dict[str, Any] = {
        "name": grid.name,
        "command": command,
        "grid_hash": config_hash(grid.table),
        "versions": versions,
        "grid": grid.table,
    }
    if instructions:
        head["instructions"] = instructions
    rows = [{key: value for key, value in task.items() if key != "versions"} for task in tasks]
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    body = ",\n  ".join(json.dumps(row) for row in rows)
    with atomic_write(path) as temporary:
        temporary.write_text("{\n" + ",\n".join([*lines, f'"tasks": [\n  {body}\n]']) + "\n}\n")
    return {**head, "tasks": rows}


def load_results(path: Path) -> dict[str, Any]:
    """Reads the results of a grid.

    Raises:
        UserError: The file is damaged.
    """
    try:
        results: dict[str, Any] = json.loads(path.read_text())
        return results
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): run the ablation again") from None
