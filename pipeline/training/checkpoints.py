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


def save_checkpoint(path: Path, learner: Learner, history: History) -> None:
    """Writes everything that the next step depends on."""
    arrays = {f"variable{i}": ops.convert_to_numpy(v) for i, v in enumerate(learner.variables)}
    with atomic_write(path) as temporary:
        np.savez(temporary, history=np.array(json.dumps(history)), **arrays)


def load_checkpoint(path: Path, learner: Learner) -> History:
    """Restores a learner's variables.

    Returns:
        The history; its last row has the step at which training resumes.

    Raises:
        UserError: The checkpoint is damaged.
    """
    remedy = "delete it to train from the start"
    names = [f"variable{i}" for i in range(len(learner.variables))]
    stored = load_arrays(path, remedy=remedy, names=[*names, "history"])
    try:
        for name, variable in zip(names, learner.variables, strict=True):
            variable.assign(stored[name])
        history: History = json.loads(str(stored["history"]))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): {remedy}") from None
    return history
