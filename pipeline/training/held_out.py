"""Writes clips that training has not used as recordings for the evaluation."""

import re
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import write_wav
from pipeline.core.constants import HOP_SAMPLES, TEST, TRAIN, VALID
from pipeline.core.files import load_arrays

NAMES = ("split", "source", "recording", "audio", "sounding")


def write_held_out(dataset_path: Path, folder: Path, n_clips: int) -> None:
    """Writes held-out clips as WAV files and replaces the content of the folder.

    The clips come from the test split, or from the validation split if there is no test split. A
    single recording has neither; then they are clips that training has used. Sources take turns. A
    file has the name of its source and recording, and lacks padding and the pauses between joined
    notes, where nothing was recorded that a model could be compared with.

    Args:
        dataset_path: A ``dataset.npz``.
        folder: Where the WAV files go.
        n_clips: Largest number of clips.

    Raises:
        UserError: The data set is missing or damaged.
    """
    remedy = "run python -m pipeline.data again"
    dataset = load_arrays(dataset_path, remedy=remedy, names=NAMES)
    split = dataset["split"]
    wanted = next(number for number in (TEST, VALID, TRAIN) if (split == number).any())
    shutil.rmtree(folder, ignore_errors=True)
    for clip in _in_turn(np.flatnonzero(split == wanted), dataset["source"])[:n_clips]:
        source, recording = str(dataset["source"][clip]), str(dataset["recording"][clip])
        title = re.sub(r"[^\w.+-]+", "_", f"{source}_{Path(recording).stem}")
        frames = dataset["audio"][clip].reshape(-1, HOP_SAMPLES)
        samples = frames[dataset["sounding"][clip]].ravel()
        write_wav(folder / f"{title}_{clip:03d}.wav", samples)


def _in_turn(clips: npt.NDArray[np.intp], sources: npt.NDArray[np.str_]) -> list[int]:
    """Orders clips so that sources take turns."""
    ranks = {}
    for clip in clips.tolist():
        earlier = np.count_nonzero(sources[clips[clips < clip]] == sources[clip])
        ranks[clip] = (earlier, str(sources[clip]))
    return sorted(ranks, key=lambda clip: ranks[clip])
