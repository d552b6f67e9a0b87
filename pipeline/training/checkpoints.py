"""Checkpoints from which training resumes exactly."""

import json
import zipfile
from pathlib import Path

import numpy as np
from keras import ops

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.training.learner import Learner


def save_checkpoint(path: Path, learner: Learner, history: list[dict[str, float]]) -> None:
    """Writes everything that the next step depends on."""
    arrays = {f"variable{i}": ops.convert_to_numpy(v) for i, v in enumerate(learner.variables)}
    with atomic_write(path) as temporary:
        np.savez(temporary, history=np.array(json.dumps(history)), **arrays)


def load_checkpoint(path: Path, learner: Learner) -> list[dict[str, float]]:
    """Restores a learner's variables; returns the history, which ends where training goes on."""
    try:
        with np.load(path) as stored:
            for i, variable in enumerate(learner.variables):
                variable.assign(stored[f"variable{i}"])
            return json.loads(str(stored["history"]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}): delete it to train from the start") from None
