"""What an earlier training left in a run folder: whether it is kept, and when it is replaced."""

from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.files import read_json
from pipeline.core.runs import CHECKPOINT, METRICS, WEIGHTS, RunConfig, load_run
from pipeline.model.ddx7 import Ddx7, save_model
from pipeline.training.checkpoints import (
    REPLACE,
    Beginning,
    OtherTrainingError,
    checkpoint_beginning,
    require_same_beginning,
)

PRINTED = ("parameters", "best_step", "steps")  # figures that every ``metrics.json`` has


def replace_results(model: Ddx7, run_dir: Path) -> None:
    """Writes the first weights of a training, after removing what an earlier one left.

    No old decoder may play with a new patch, and no old figures may pass for those of the model.
    """
    for name in (CHECKPOINT, METRICS, WEIGHTS):
        (run_dir / name).unlink(missing_ok=True)
    model.config.save(run_dir)
    keep_weights(model, run_dir)


def keep_weights(model: Ddx7, run_dir: Path) -> None:
    """Writes the weights of a model, after removing what was quantized from earlier ones."""
    for pattern in ("quantization.json", "decoder_*"):
        for path in run_dir.glob(pattern):
            path.unlink()
    save_model(model, run_dir)


def find_training(
    run_dir: Path, config: RunConfig, begun: Beginning, *, resume: bool, replace: bool
) -> tuple[bool, dict[str, Any] | None]:
    """Looks for a training in a run folder that is the one to be done.

    Args:
        run_dir: The run folder.
        config: The configuration that it must have been trained with.
        begun: What the training must have begun with.
        resume: Whether to keep what is there.
        replace: Whether to start again if it is of another training.

    Returns:
        Whether to resume what is there, and the metrics of a finished training, or None.

    Raises:
        OtherTrainingError: The folder is of another training, which is not to be replaced.
        UserError: The folder belongs to another instrument, which is never replaced, or a file is
            damaged.
    """
    if not (run_dir / "config.toml").exists():
        return resume, None
    found = load_run(run_dir, instrument=config.instrument, finished=False)
    if not resume:
        return False, None
    try:
        if found.hash != config.hash:
            raise OtherTrainingError(f"{run_dir} was trained with another configuration: {REPLACE}")
        return True, _finished_metrics(run_dir, begun)
    except OtherTrainingError as error:
        if not replace:
            raise
        print(f"{str(error).removesuffix(REPLACE)}training starts again", flush=True)
        return False, None


def _finished_metrics(run_dir: Path, begun: Beginning) -> dict[str, Any] | None:
    """Returns the metrics of a finished training, or None if there is none; see `find_training`."""
    path, checkpoint = run_dir / METRICS, run_dir / CHECKPOINT
    if checkpoint.exists():
        require_same_beginning(run_dir, checkpoint_beginning(checkpoint), begun)
        return None
    if not path.exists():
        return None
    remedy = "restore it, or give --restart to train again"
    metrics = read_json(path, remedy=remedy)
    if not (isinstance(metrics.get("mss"), dict) and set(PRINTED) <= metrics.keys()):
        raise UserError(f"{path} lacks figures of a finished training: {remedy}")
    require_same_beginning(run_dir, metrics, begun)
    return metrics
