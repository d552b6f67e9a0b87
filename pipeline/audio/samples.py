"""Samples of recordings of any length: whole arrays, or files of which only slices are read.

Two hours at 16 kHz take 461 MB as float32, and several recordings are analysed at a time. What
measures a recording from its beginning to its end therefore takes any `Samples`, and reads slices.
"""

from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Samples(Protocol):
    """A mono recording: an array of shape [n], or something else that is read by slices."""

    @property
    def dtype(self) -> Any:
        """Type of the samples: int16, or floating point for samples in [-1, 1]."""

    def __len__(self) -> int:
        """Returns the number of samples."""

    def __getitem__(self, part: slice, /) -> Any:
        """Returns the samples of a slice without a step, shape [n]."""


class SampleFile:
    """Float32 samples in a file."""

    dtype = np.dtype(np.float32)

    def __init__(self, file: BinaryIO) -> None:
        """Uses an empty file, open for reading and writing."""
        self._file = file
        self._start = self._stop = 0
        self._divisor: np.float32 | None = None

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, part: slice, /) -> Floats:
        start, stop, _ = part.indices(len(self))
        self._file.seek((self._start + start) * self.dtype.itemsize)
        samples = np.fromfile(self._file, self.dtype, max(stop - start, 0))
        return samples if self._divisor is None else samples / self._divisor

    def append(self, samples: Floats) -> None:
        """Appends samples, shape [n]."""
        self._file.seek(0, 2)
        self._file.write(samples.astype(self.dtype, copy=False).tobytes())
        self._stop += len(samples)

    def divide(self, divisor: np.float32) -> None:
        """Divides all samples."""
        self._divisor = divisor

    def cut(self, start: int, stop: int) -> None:
        """Keeps the samples from `start` to `stop`."""
        self._start, self._stop = self._start + start, self._start + stop
