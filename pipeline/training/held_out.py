"""Writes clips that training has not used as recordings for the evaluation."""

import shutil
from pathlib import Path

import numpy as np

from pipeline.audio.pcm import write_wav
from pipeline.core.constants import TEST, TRAIN, VALID
from pipeline.core.files import load_arrays


def write_held_out(dataset_path: Path, folder: Path, n_clips: int) -> None:
    """Writes held-out clips as WAV files and replaces the content of the folder.

    The clips come from the test split, or from the validation split if there is no test split. A
    single recording has neither; then they are clips that training has used.

    Args:
        dataset_path: A ``dataset.npz``.
        folder: Where the WAV files go.
        n_clips: Largest number of clips; the first ones are written.

    Raises:
        UserError: The data set is missing or damaged.
    """
    dataset = load_arrays(
        dataset_path,
        remedy="run python -m pipeline.data again",
        names=("split", "recording", "audio"),
    )
    split = dataset["split"]
    wanted = next(number for number in (TEST, VALID, TRAIN) if (split == number).any())
    shutil.rmtree(folder, ignore_errors=True)
    for clip in np.flatnonzero(split == wanted)[:n_clips]:
        name = f"{Path(str(dataset['recording'][clip])).stem}_{clip:03d}.wav"
        write_wav(folder / name, dataset["audio"][clip])
