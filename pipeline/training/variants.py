"""Trains every variant of the model by its own method."""

from pathlib import Path
from typing import Any

from pipeline.core.instrument_config import DataConfig
from pipeline.core.runs import RunConfig
from pipeline.training.dataset_arrays import Arrays
from pipeline.training.distillation import LOSS_OF_METHOD, VARIANT_OF_METHOD, render_teacher
from pipeline.training.frame_distillation import distil_frames
from pipeline.training.loop import train_model

METHOD_OF_VARIANT = {variant: method for method, variant in VARIANT_OF_METHOD.items()}


def train_variant(
    run_dir: Path,
    config: RunConfig,
    pitch: DataConfig,
    dataset: Arrays,
    *,
    start: Path | None = None,
    teacher: Path | None = None,
    resume: bool = True,
    replace: bool = False,
) -> dict[str, Any]:
    """Trains a model into a run folder, or resumes the training there.

    Args:
        run_dir: The run folder.
        config: The resolved configuration.
        pitch: The range of pitch of the instrument.
        dataset: From `pipeline.training.dataset.load_dataset`.
        start: Run folder of the initial weights; None for random ones, with which a tiny model
            always begins.
        teacher: Run folder of the teacher, which the variants in `TAUGHT` need.
        resume: Whether to resume an interrupted training; otherwise training starts again.
        replace: Whether training also starts again, instead of raising an error, if the folder
            belongs to another configuration, data set, teacher or start.

    Returns:
        The figures of ``metrics.json``.

    Raises:
        UserError: The folder belongs to another configuration, data set or teacher, or a file is
            damaged.
    """
    if config.variant == "tiny":
        assert teacher is not None
        return distil_frames(
            run_dir, config, pitch, dataset, teacher, resume=resume, replace=replace
        )
    if config.variant not in METHOD_OF_VARIANT:
        return train_model(
            run_dir, config, dataset, warm_start=start, resume=resume, replace=replace
        )
    assert teacher is not None
    method = METHOD_OF_VARIANT[config.variant]
    return train_model(
        run_dir,
        config,
        dataset | render_teacher(teacher, dataset, method),
        loss=LOSS_OF_METHOD[method],
        warm_start=start,
        teacher=teacher,
        resume=resume,
        replace=replace,
    )
