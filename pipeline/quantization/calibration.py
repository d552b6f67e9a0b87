"""The clips that quantization is calibrated and judged on: a fixed list, kept with the model.

They are drawn from the data set once and written to the run folder as ``calibration.npz``, so that
quantization can be repeated without the data set.
"""

import dataclasses
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.model.inputs import scale_features

CLIP_FRAMES = 250  # a second
SILENT_FRAMES = 25  # before the phrase
N_TRAIN, N_VALID = 44, 16  # clips


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Scaled features, shape [n_clips, CLIP_FRAMES, 2], from 0 to 1.

    Attributes:
        train: For ranges and training.
        valid: For judging, of other recordings where the data set has them.
    """

    train: np.ndarray
    valid: np.ndarray

    @classmethod
    def draw(cls, dataset_path: Path, *, seed: int = 0) -> "Calibration":
        """Draws clips from a data set; half of them begin with the silence before a phrase.

        To the training clips are added sweeps of pitch and loudness to the ends of what the
        instrument plays, so that the ranges hold there as well.

        Raises:
            UserError: The data set is missing or damaged.
        """
        if not dataset_path.is_file():
            raise UserError(
                f"{dataset_path} is missing: run pipeline.data first, or give --dataset"
            )
        try:
            with np.load(dataset_path) as stored:
                split, n_valid_frames = stored["split"], stored["n_valid_frames"]
                features = np.clip(scale_features(stored["f0_hz"], stored["loudness_db"]), 0, 1)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(
                f"{dataset_path} is damaged ({error}): run pipeline.data again"
            ) from None
        random = np.random.default_rng(seed)

        def clips(members: np.ndarray, n_clips: int) -> np.ndarray:
            drawn = []
            for index, clip in enumerate(random.choice(members, n_clips)):
                start = random.integers(max(n_valid_frames[clip] - CLIP_FRAMES, 0) + 1)
                frames = features[clip, start : start + CLIP_FRAMES].copy()
                if index % 2:
                    frames = np.concatenate([frames[:1].repeat(SILENT_FRAMES, 0), frames])
                    frames[:SILENT_FRAMES, 1] = 0.0
                drawn.append(frames[:CLIP_FRAMES])
            return np.stack(drawn)

        members = [np.flatnonzero(split == number) for number in range(3)]
        held_out = next(group for group in (members[1], members[2], members[0]) if len(group))
        played = features[members[0]].reshape(-1, 2)
        sweeps = _sweeps(*np.percentile(played[played[:, 1] > 0.25], [0.1, 99.9], axis=0))
        return cls(np.concatenate([clips(members[0], N_TRAIN), sweeps]), clips(held_out, N_VALID))

    def save(self, path: Path) -> None:
        """Writes the clips as 16-bit fractions, small enough to be kept with a model."""
        arrays = {
            name: np.round(clips * 65535).astype(np.uint16) for name, clips in vars(self).items()
        }
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Reads what `save` wrote.

        Raises:
            UserError: The file is damaged.
        """
        try:
            with np.load(path) as stored:
                return cls(
                    *((stored[name] / 65535).astype(np.float32) for name in ("train", "valid"))
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(
                f"{path} is damaged ({error}): delete it and give --dataset to draw it again"
            ) from None


def _sweeps(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Pitch up and down at the ends of loudness, loudness up and down at the ends of pitch."""
    ramp = np.linspace(0, 1, CLIP_FRAMES)
    triangle = 1 - np.abs(2 * ramp - 1)
    clips = []
    for end in (0.0, 1.0):
        clips += [(triangle, np.full_like(ramp, end)), (np.full_like(ramp, end), triangle)]
    unit = np.stack([np.stack(clip, axis=-1) for clip in clips])
    return (lowest + unit * (highest - lowest)).astype(np.float32)
