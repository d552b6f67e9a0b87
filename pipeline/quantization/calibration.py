"""The fixed list of clips with which quantization is calibrated and judged.

The clips are drawn from the data set once and kept in a run folder as ``calibration.npz``, so that
quantization can be repeated without the data set.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import TEST, TRAIN, VALID, VARIANTS
from pipeline.core.files import atomic_write, load_arrays
from pipeline.model.inputs import scale_features

CLIP_FRAMES = 250  # frames per clip: one second
SILENT_FRAMES = 25  # frames of silence before a phrase
N_TRAIN, N_VALID = 44, 16  # clips
LARGEST_SHIFT = 0.1  # of a variation, as a share of the range: four semitones, 8 dB
SILENCE = 0.1  # scaled loudness, -72 dB; variations leave softer frames as they are
STORED = "calibration.npz"  # name of the file in a run folder
Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Scaled features, shape [n_clips, CLIP_FRAMES, 2], from 0 to 1.

    Attributes:
        train: Clips for ranges and training.
        valid: Clips for judging, from other recordings if the data set has them.
    """

    train: Floats
    valid: Floats

    @classmethod
    def draw(cls, dataset_path: Path, *, seed: int = 0) -> "Calibration":
        """Draws clips from a data set; half of them begin with silence, as before a phrase.

        The training clips also include sweeps of pitch and loudness over the range of the
        instrument, so that the ranges of the values are valid at its ends.

        Raises:
            UserError: The data set is missing or damaged.
        """
        remedy = (
            "run python -m pipeline.data again"
            if dataset_path.is_file()
            else "run python -m pipeline.data first, or give --dataset"
        )
        names = ("split", "n_valid_frames", "f0_hz", "loudness_db")
        stored = load_arrays(dataset_path, remedy=remedy, names=names)
        split, n_valid_frames = stored["split"], stored["n_valid_frames"]
        features = np.clip(scale_features(stored["f0_hz"], stored["loudness_db"]), 0, 1)
        random = np.random.default_rng(seed)

        def clips(members: npt.NDArray[Any], n_clips: int) -> Floats:
            drawn = []
            for index, clip in enumerate(random.choice(members, n_clips)):
                start = random.integers(max(n_valid_frames[clip] - CLIP_FRAMES, 0) + 1)
                frames = features[clip, start : start + CLIP_FRAMES].copy()
                if index % 2:
                    frames = np.concatenate([frames[:1].repeat(SILENT_FRAMES, 0), frames])
                    frames[:SILENT_FRAMES, 1] = 0.0
                drawn.append(frames[:CLIP_FRAMES])
            return np.stack(drawn)

        train, valid, test = (np.flatnonzero(split == number) for number in (TRAIN, VALID, TEST))
        held_out = next(group for group in (valid, test, train) if len(group))
        played = features[train].reshape(-1, 2)
        sweeps = _sweeps(*np.percentile(played[played[:, 1] > 0.25], [0.1, 99.9], axis=0))
        return cls(np.concatenate([clips(train, N_TRAIN), sweeps]), clips(held_out, N_VALID))

    @classmethod
    def of_run(cls, run_dir: Path, dataset: Path | None = None) -> "Calibration":
        """Returns the clips of a run folder, which receives them if they are drawn.

        The draw depends on the data set alone, so the models of an instrument can share a file.

        Args:
            run_dir: The run folder.
            dataset: The data set to draw from. Without it, the ``calibration.npz`` of the folder is
                used, or else the data set beside the folder, or else the file of another variant
                beside it.

        Raises:
            UserError: There is none of these, or the file is damaged.
        """
        own, beside = run_dir / STORED, run_dir.parent / "dataset.npz"
        if dataset is None and not own.is_file() and not beside.is_file():
            shared = (run_dir.parent / variant / STORED for variant in VARIANTS)
            own = next((path for path in shared if path.is_file()), own)
        if dataset is not None or not own.is_file():
            cls.draw(dataset or beside).save(own)
        return cls.load(own)

    def save(self, path: Path) -> None:
        """Writes the clips as 16-bit fractions, a file small enough to keep with a model."""
        arrays = {
            name: np.round(clips * 65535).astype(np.uint16) for name, clips in vars(self).items()
        }
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Reads the clips that `save` wrote.

        Raises:
            UserError: The file is damaged.
        """
        names = ("train", "valid")
        stored = load_arrays(
            path, remedy="delete it and give --dataset to draw it again", names=names
        )
        return cls(*((stored[name] / 65535).astype(np.float32) for name in names))


def vary_clips(clips: Floats, n_copies: int, *, seed: int = 0) -> Floats:
    """Returns clips and copies of them in other keys and dynamics, within the range of the input.

    A quantized network learns from the float network, which answers any frames, so that variations
    are as good as other recordings.

    Args:
        clips: Features as the network reads them, shape [n_clips, n_frames, 2], from 0 to 1.
        n_copies: Number of copies of every clip.
        seed: Seed of the variations.

    Returns:
        Shape [(1 + n_copies) * n_clips, n_frames, 2].
    """
    random = np.random.default_rng(seed)
    copies = np.tile(clips, (n_copies, 1, 1))
    shifts = random.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, (len(copies), 1, 2)).astype(np.float32)
    silent = copies[..., 1] <= SILENCE
    shifted = np.clip(copies + shifts, 0, 1)
    shifted[silent, 1] = copies[silent, 1]
    return np.concatenate([clips, shifted])


def _sweeps(lowest: Floats, highest: Floats) -> Floats:
    """Returns sweeps of pitch at both ends of loudness, and of loudness at both ends of pitch."""
    ramp = np.linspace(0, 1, CLIP_FRAMES)
    triangle = 1 - np.abs(2 * ramp - 1)
    clips = []
    for end in (0.0, 1.0):
        clips += [(triangle, np.full_like(ramp, end)), (np.full_like(ramp, end), triangle)]
    unit = np.stack([np.stack(clip, axis=-1) for clip in clips])
    return np.asarray(lowest + unit * (highest - lowest), np.float32)
