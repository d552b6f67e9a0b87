"""16-bit samples: the form in which recordings and renderings are compared and stored."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.files import atomic_write

FULL_SCALE = 32768
PIECE = 1 << 20  # samples that are converted at a time; limits the memory for hours of audio

Pcm = npt.NDArray[np.int16]


def to_pcm(audio: npt.ArrayLike) -> Pcm:
    """Rounds samples in [-1, 1] to int16 and saturates, as the device does."""
    samples = np.asarray(audio)
    pcm = np.empty(samples.shape, np.int16)
    flat, rounded = samples.reshape(-1), pcm.reshape(-1)
    for start in range(0, len(flat), PIECE):
        scaled = np.round(FULL_SCALE * flat[start : start + PIECE].astype(np.float64))
        rounded[start : start + PIECE] = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1)
    return pcm


def from_pcm(pcm: Pcm) -> npt.NDArray[np.float32]:
    """Scales int16 samples to float32 in [-1, 1)."""
    return (pcm / np.float32(FULL_SCALE)).astype(np.float32, copy=False)


def write_wav(path: Path, pcm: Pcm) -> None:
    """Writes int16 samples as a mono WAV file at 16 kHz, atomically."""
    with atomic_write(path) as temporary, temporary.open("wb") as file, wave.open(file) as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(pcm.astype("<i2").tobytes())
