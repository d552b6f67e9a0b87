"""Sixteen-bit samples: the form in which recordings and renderings are compared."""

import numpy as np
import numpy.typing as npt

FULL_SCALE = 32768


def to_pcm(audio: npt.ArrayLike) -> npt.NDArray[np.int16]:
    """Rounds samples in [-1, 1] to int16 and saturates, as the device does."""
    scaled = np.round(FULL_SCALE * np.asarray(audio, np.float64))
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def from_pcm(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Scales int16 samples to [-1, 1)."""
    return (pcm / np.float32(FULL_SCALE)).astype(np.float32)
