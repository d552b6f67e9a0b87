"""Checkpoints from which training resumes exactly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, load_arrays
from pipeline.training.learner import Learner

Row = dict[str, Any]  # step, loss, and the figures of a validation
History = list[Row]


def save_checkpoint(path: Path, learner: Learner, history: History, dataset: str) -> None:
    """Writes everything that the next step depends on.

    Args:
        path: The file.
        learner: Its variables are written.
        history: The history so far.
        dataset: `fingerprint` of the data set.
    """
    arrays = {f"variable{i}": ops.convert_to_numpy(v) for i, v in enumerate(learner.variables)}
    text = np.array(json.dumps(history))
    with atomic_write(path) as temporary:
        np.savez(temporary, history=text, dataset=np.array(dataset), **arrays)


def load_checkpoint(path: Path, learner: Learner, dataset: str) -> History:
    """Restores a learner's variables.

    Args:
        path: The file.
        learner: Receives the variables.
        dataset: `fingerprint` of the data set, on which the training must have begun.

    Returns:
        The history; its last row has the step at which training resumes.

    Raises:
        UserError: The checkpoint is damaged, or belongs to another data set.
    """
    remedy = "delete it to train from the start"
    names = [f"variable{i}" for i in range(len(learner.variables))]
    stored = load_arrays(path, remedy=remedy, names=[*names, "history"], optional=["dataset"])
    require_same_dataset(
        path.parent, str(stored["dataset"]) if "dataset" in stored else None, dataset
    )
    try:
        for name, variable in zip(names, learner.variables, strict=True):
            variable.assign(stored[name])
        history: History = json.loads(str(stored["history"]))
        if not (isinstance(history, list) and history and all(map(_is_row, history))):
            raise ValueError("its history is no list of steps")
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): {remedy}") from None
    return history


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("step"), int)


def require_same_dataset(run_dir: Path, found: str | None, dataset: str) -> None:
    """Checks that a run folder was trained with a data set.

    Args:
        run_dir: The run folder.
        found: `fingerprint` of the data set that it was trained with; None if an earlier version
            trained it, which did not keep it.
        dataset: `fingerprint` of the data set.

    Raises:
        UserError: It was trained with another one.
    """
    if found not in (None, dataset):
        raise UserError(
            f"{run_dir} was trained with another data set: "
            "choose another --runs, or give --restart to replace it"
        )
