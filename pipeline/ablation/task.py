"""A task of an ablation: trains a model if it is needed, and measures, unless that was done before.

The figures are a JSON file in the run folder, which is written at the end. A task that was killed
resumes its training from the checkpoint.
"""

import hashlib
import json
import platform
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from pipeline.ablation.judging import judge_run
from pipeline.ablation.plan import Task
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.paths import REPOSITORY
from pipeline.core.processes import locked
from pipeline.core.runs import CHECKPOINT, METRICS, RunConfig, load_run, steps_done
from pipeline.training.dataset import load_dataset
from pipeline.training.variants import train_variant

LOG, TRAINING = "log.txt", "training.json"
# What the figures depend on; commands, pages, boards and generated C do not change them.
CODE = ("core", "audio", "model", "training", "quantization", "ablation")
Result = dict[str, Any]


def run_task(task: Task) -> str | None:
    """Runs a task unless it is done; its output goes to ``log.txt`` in the run folder.

    Args:
        task: The task; those that it needs are done.

    Returns:
        None, or in one line why the task failed.
    """
    with locked(task.run_dir):
        if task.result.is_file():
            return None
        log = task.run_dir / LOG
        with log.open("a") as file, redirect_stdout(file), redirect_stderr(file):
            try:
                _do(task)
            except UserError as error:
                return f"{task.title}: {error}"
            except Exception as error:
                traceback.print_exc()
                return f"{task.title}: {type(error).__name__}: {error} (see {log})"
    return None


def load_result(task: Task) -> Result:
    """Returns the figures of a task that is done.

    Raises:
        UserError: The file is damaged.
    """
    try:
        result: Result = json.loads(task.result.read_text())
        return result
    except ValueError as error:
        raise UserError(f"{task.result} is damaged ({error}): delete it") from None


def _do(task: Task) -> None:
    training = _train(task) if task.is_trained else {"config_hash": task.config.hash}
    figures = {
        system: judge_run(
            task.run_dir,
            task.dataset,
            task.data.config.data,
            system,
            clips=task.clips,
            qat_epochs=task.qat_epochs,
        )
        for system in task.systems
    }
    write_json(
        task.result,
        {
            "run": task.run_dir.name,
            **training,
            "figures": figures,
            "versions": versions(),
        },
    )


def _train(task: Task) -> Result:
    """Trains the model unless that is done; returns how it was trained."""
    metrics, seconds = _train_once(task)
    return {
        "config_hash": load_run(task.run_dir).hash,
        "steps": metrics["steps"],
        "best_step": metrics["best_step"],
        "seconds": round(seconds, 1),
        "total_seconds": round(seconds + sum(map(_seconds, task.made_from)), 1),
    }


def _train_once(task: Task) -> tuple[dict[str, Any], float]:
    """Trains the model unless that is done; returns the metrics and the processor's seconds."""
    timing = task.run_dir / TRAINING
    if timing.is_file() and (task.run_dir / METRICS).is_file():
        metrics: dict[str, Any] = json.loads((task.run_dir / METRICS).read_text())
        return metrics, _seconds(task.run_dir)
    config = _resolve_steps(task)
    begin = time.process_time()  # does not count other work on the machine
    done_before = steps_done(task.run_dir)
    metrics = train_variant(
        task.run_dir,
        config,
        task.data.config.data,
        load_dataset(task.dataset, task.data.config),
        start=task.start,
        teacher=task.teacher,
        resume=0 < done_before < config.train.steps,
    )
    steps = metrics["steps"]
    # Of a training that was interrupted, the part that ran now tells how long all of it takes.
    seconds = (time.process_time() - begin) * steps / max(steps - done_before, 1)
    write_json(timing, {"seconds": seconds, "steps": steps})
    return metrics, seconds


def _resolve_steps(task: Task) -> RunConfig:
    """Returns the configuration, with as many steps as fit into the time if that is limited."""
    if not task.as_long_as:
        return task.config
    if (task.run_dir / CHECKPOINT).is_file():  # the number was decided before the interruption
        return load_run(task.run_dir, finished=False)
    assert task.start is not None
    known = _timing(task.start)
    left = sum(map(_seconds, task.as_long_as)) - sum(map(_seconds, task.made_from))
    steps = max(1, round(left * known["steps"] / known["seconds"]))
    return replace(task.config, train=replace(task.config.train, steps=steps))


def _timing(run_dir: Path) -> dict[str, float]:
    timing: dict[str, float] = json.loads((run_dir / TRAINING).read_text())
    return timing


def _seconds(run_dir: Path) -> float:
    return _timing(run_dir)["seconds"]


@cache
def versions() -> dict[str, str]:
    """Returns the versions of what the figures depend on.

    ``code`` is a short hash of the modules that train and measure.
    """
    digest = hashlib.sha256()
    for package in CODE:
        for path in sorted((REPOSITORY / "pipeline" / package).glob("*.py")):
            digest.update(path.read_bytes())
    backend = keras.backend.backend()
    return {
        "code": digest.hexdigest()[:12],
        "python": platform.python_version(),
        "keras": keras.__version__,
        backend: version(backend),
        "numpy": version("numpy"),
    }
