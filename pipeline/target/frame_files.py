"""Reads files of decoder frames that the firmware plays."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError


def load_frames(path: Path) -> npt.NDArray[np.float32]:
    """Reads frames: a ``.npy`` file of shape [n_frames, 2], or raw little-endian float32 pairs.

    Returns:
        f0_hz and loudness_db, shape [n_frames, 2].

    Raises:
        UserError: The file is missing or damaged, or contains something else.
    """
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is missing"
        raise UserError(f"{path} {found}: give a .npy of shape [n_frames, 2], or raw float32 pairs")
    if path.suffix == ".npy":
        try:
            frames = np.load(path, allow_pickle=False)
            if not isinstance(frames, np.ndarray):
                raise ValueError
        except Exception:  # altered bytes raise almost anything inside NumPy
            raise UserError(
                f"{path} is damaged or not a .npy file: save frames with numpy.save"
            ) from None
        if frames.ndim != 2 or frames.shape[1] != 2 or frames.dtype.kind not in "fiu":
            raise UserError(
                f"{path} holds {frames.dtype} {frames.shape}, not numbers of shape [n_frames, 2]"
            )
        return np.asarray(frames, np.float32)
    data = path.read_bytes()
    if not data or len(data) % 8:
        raise UserError(
            f"{path} has {len(data)} bytes, not a sequence of float32 pairs (f0_hz, loudness_db)"
        )
    return np.frombuffer(data, "<f4").reshape(-1, 2)
