"""Checkpoints from which training resumes exactly."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, load_arrays
from pipeline.core.runs import WEIGHTS
from pipeline.training.dataset_arrays import Arrays, fingerprint
from pipeline.training.learner import Learner

REMEDY = "delete it to train from the start"
REPLACE = "choose another --runs, or give --restart to replace it"
Row = dict[str, Any]  # step, loss, and the figures of a validation
History = list[Row]
Beginning = dict[str, str]  # hashes of what a training began with; see `beginning`


class OtherTrainingError(UserError):
    """The training of a run folder began with another configuration, data set or teacher."""


def save_checkpoint(path: Path, learner: Learner, history: History, begun: Beginning) -> None:
    """Writes everything that the next step depends on.

    Args:
        path: The file.
        learner: Its variables are written.
        history: The history so far.
        begun: What the training began with.
    """
    arrays = {f"variable{i}": ops.convert_to_numpy(v) for i, v in enumerate(learner.variables)}
    arrays |= {name: np.array(value) for name, value in begun.items()}
    text = np.array(json.dumps(history))
    with atomic_write(path) as temporary:
        np.savez(temporary, history=text, **arrays)


def load_checkpoint(path: Path, learner: Learner) -> History:
    """Restores a learner's variables.

    Args:
        path: The file.
        learner: Receives the variables.

    Returns:
        The history; its last row has the step at which training resumes.

    Raises:
        UserError: The checkpoint is damaged.
    """
    names = [f"variable{i}" for i in range(len(learner.variables))]
    stored = load_arrays(path, remedy=REMEDY, names=[*names, "history"])
    try:
        for name, variable in zip(names, learner.variables, strict=True):
            variable.assign(stored[name])
        history: History = json.loads(str(stored["history"]))
        if not (isinstance(history, list) and history and all(map(_is_row, history))):
            raise ValueError("its history is no list of steps")
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): {REMEDY}") from None
    return history


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("step"), int)


def beginning(dataset: Arrays, *models: Path | None) -> Beginning:
    """Describes what a training begins with: its data set, and the weights of other models.

    Args:
        dataset: From `pipeline.training.dataset.load_dataset`.
        models: Run folders of the initial model and of the teacher, None for those without.
    """
    digest = hashlib.sha256()
    for weights in (run_dir / WEIGHTS for run_dir in models if run_dir is not None):
        # If the file is missing, loading the model says so.
        digest.update(weights.read_bytes() if weights.is_file() else b"")
    return {"dataset": fingerprint(dataset), "models": digest.hexdigest()[:12]}


def checkpoint_beginning(path: Path) -> Beginning:
    """Returns what the training of a checkpoint began with, as far as the file says it."""
    stored = load_arrays(path, remedy=REMEDY, names=(), optional=("dataset", "models"))
    return {name: str(value) for name, value in stored.items()}


def require_same_beginning(run_dir: Path, found: Mapping[str, Any], begun: Beginning) -> None:
    """Checks that the training of a run folder began as one would now.

    Args:
        run_dir: The run folder.
        found: What it began with; entries are missing if an earlier version trained it.
        begun: What a training would begin with.

    Raises:
        OtherTrainingError: It began otherwise.
    """
    for name, words in (
        ("dataset", "with another data set"),
        ("models", "from another teacher or initial model"),
    ):
        if found.get(name) not in (None, begun[name]):
            raise OtherTrainingError(f"{run_dir} was trained {words}: {REPLACE}")
