"""The short-time Fourier transform of the spectral losses, with a gradient that is cheap on a CPU.

Windows overlap by whole hops, so all frames are a few shifted views of the audio, cut into hops.
The gradient is one inverse transform and an addition of the same views. Automatic differentiation
would gather and scatter single samples instead, which takes twice as long.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from pipeline.model.synth import Tensor

Floats = npt.NDArray[np.float32]


def stft(audio: Tensor, window: int, hop: int) -> tuple[Tensor, Tensor]:
    """Computes spectra of Hann windows with reflected edges, divided by the root of the window.

    Args:
        audio: Shape [batch, n_samples], more than half a window.
        window: Length of the Hann window and of the FFT in samples, even.
        hop: Samples from window to window; a divisor of `window`.

    Returns:
        Real and imaginary part, shape [batch, 1 + n_samples // hop, window // 2 + 1].
    """
    transformed: tuple[Tensor, Tensor] = _differentiable_stft(window, hop)(audio)
    return transformed


@cache
def _differentiable_stft(window: int, hop: int) -> Callable[[Tensor], Any]:
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    hann = (hann / np.sqrt(window)).astype(np.float32)
    # An inverse FFT counts every bin twice, except the first and the last, and divides by `window`.
    bin_scale = np.full(window // 2 + 1, window / 2, np.float32)
    bin_scale[[0, -1]] = window

    def transform(audio: Tensor) -> tuple[tuple[Tensor, Tensor], Callable[..., Tensor]]:
        def gradient(*upstream: Any) -> Tensor:
            # TensorFlow passes a gradient per output, JAX one tuple of them.
            real, imaginary = upstream[0] if len(upstream) == 1 else upstream
            frames = ops.irfft((real * bin_scale, imaginary * bin_scale), fft_length=window)
            return _add_frames(frames * hann, hop, audio.shape[-1])

        real, imaginary = ops.rfft(_cut_frames(audio, window, hop) * hann)
        return (real, imaginary), gradient

    differentiable: Callable[[Tensor], Any] = ops.custom_gradient(transform)
    return differentiable


def _cut_frames(audio: Tensor, window: int, hop: int) -> Tensor:
    """Returns overlapping frames, the first of which is centred on sample 0.

    Args:
        audio: Shape [batch, n_samples].
        window: Length of a frame in samples.
        hop: Samples from frame to frame.

    Returns:
        Shape [batch, 1 + n_samples // hop, window].
    """
    padded = ops.pad(audio, [[0, 0], [window // 2, window // 2]], mode="reflect")
    n_hops = padded.shape[-1] // hop
    hops = ops.reshape(padded[:, : n_hops * hop], (-1, n_hops, hop))
    overlap = window // hop
    n_frames = n_hops - overlap + 1
    return ops.concatenate([hops[:, i : i + n_frames] for i in range(overlap)], axis=-1)


def _add_frames(frames: Tensor, hop: int, n_samples: int) -> Tensor:
    """Adds up overlapping frames, the transpose of `_cut_frames`; shape [batch, n_samples]."""
    window = frames.shape[-1]
    overlap = window // hop
    hops = sum(
        ops.pad(frames[..., i * hop : (i + 1) * hop], [[0, 0], [i, overlap - 1 - i], [0, 0]])
        for i in range(overlap)
    )
    n_added = (frames.shape[1] + overlap - 1) * hop
    edge = window // 2
    padded = ops.reshape(hops, (-1, n_added))
    padded = ops.pad(padded, [[0, 0], [0, n_samples + window - n_added]])
    before, after = padded[:, :edge][:, ::-1], padded[:, edge + n_samples :][:, ::-1]
    inside = n_samples - edge - 1
    return (
        padded[:, edge : edge + n_samples]
        + ops.pad(before, [[0, 0], [1, inside]])
        + ops.pad(after, [[0, 0], [inside, 1]])
    )
