"""Distillation: what the reduced student learns from the full teacher.

After Giudici et al., "Distilling DDSP", JAES 2025: audio distillation (AD) adds the MSS to the
teacher's audio, control distillation (CD) the mean absolute difference between the logarithms of
the student's and the teacher's operator levels. The teacher's outputs are rendered once, and the
student starts with the teacher's noise and reverb.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from keras import ops

from pipeline.core.constants import LEVEL_FLOOR, MAX_LEVEL
from pipeline.model.ddx7 import load_model
from pipeline.model.losses import OVERLAP, mss, spectra, window_weights
from pipeline.model.synth import Tensor
from pipeline.training.dataset import drop_lead, model_inputs
from pipeline.training.dataset_arrays import Arrays
from pipeline.training.losses import Loss, reconstruction_loss, silence_gaps

VARIANT_OF_METHOD = {"audio": "reduced_ad", "control": "reduced_cd"}


def audio_distillation_loss(
    outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor], overlap: int = OVERLAP
) -> Tensor:
    """Computes 0.5 * loss to the recording + 0.5 * MSS of the dry audio to the teacher's."""
    teacher, student = (silence_gaps(x, batch) for x in (batch["teacher_audio"], outputs["dry"]))
    weights = window_weights(batch["sounding"], overlap)
    to_teacher = ops.mean(mss(spectra(teacher, overlap), spectra(student, overlap), weights))
    return 0.5 * reconstruction_loss(outputs, batch, overlap) + 0.5 * to_teacher


def control_distillation_loss(
    outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor], overlap: int = OVERLAP
) -> Tensor:
    """Computes 0.5 * loss to the recording + `level_distance` to the teacher."""
    distance = level_distance(outputs["levels"], batch["teacher_levels"])
    return 0.5 * reconstruction_loss(outputs, batch, overlap) + distance


def level_distance(levels: Tensor, teacher_levels: Tensor) -> Tensor:
    """Computes the mean absolute difference of log levels, a scalar.

    `LEVEL_FLOOR` is added to the levels, so that inaudible ones barely count.
    """
    floor = LEVEL_FLOOR * MAX_LEVEL
    return ops.mean(ops.abs(ops.log((levels + floor) / (teacher_levels + floor))))


LOSS_OF_METHOD: dict[str, Loss] = {
    "audio": audio_distillation_loss,
    "control": control_distillation_loss,
}


def render_teacher(teacher_dir: Path, dataset: Arrays, method: str) -> Arrays:
    """Renders the teacher's outputs that a method's loss needs, for every clip.

    Args:
        teacher_dir: Run folder of the teacher.
        dataset: From `pipeline.training.dataset.load_dataset`.
        method: One of `LOSS_OF_METHOD`.

    Returns:
        ``teacher_audio``, dry, shape [n_clips, n_samples], or ``teacher_levels``, shape [n_clips,
        n_frames, 6].

    Raises:
        UserError: The folder has no trained model.
    """
    teacher = load_model(teacher_dir)
    inputs = model_inputs(dataset, teacher.config)
    rendered = []
    for clip in range(len(inputs["phase"])):
        outputs = drop_lead(teacher({key: array[None, clip] for key, array in inputs.items()}))
        wanted = outputs["dry" if method == "audio" else "levels"]
        rendered.append(ops.convert_to_numpy(wanted))
    name = "teacher_audio" if method == "audio" else "teacher_levels"
    return {name: np.concatenate(rendered)}
