"""Renders recordings with float models."""

import keras
import numpy as np
import numpy.typing as npt

from pipeline.audio.features import Features
from pipeline.core.constants import HOP_SAMPLES
from pipeline.model.ddx7 import Ddx7
from pipeline.model.inputs import scale_features
from pipeline.model.noise import grain_offsets
from pipeline.model.synth import base_phase

CHUNK_FRAMES = 5000  # limits memory: 20 s are synthesized at once
Array = npt.NDArray[np.floating]


def synthesize(levels: Array, features: Features, model: Ddx7) -> Array:
    """Synthesizes any number of frames as a model does, dry, in chunks without discontinuities.

    Args:
        levels: Operator levels in turns, shape [n_frames, 6].
        features: Pitch and loudness of the same number of frames.
        model: Model with the patch and the noise to play.

    Returns:
        Audio, shape [64 * n_frames].
    """
    levels = np.asarray(levels, np.float32)
    phase = base_phase(features.f0_hz, model.patch)
    scaled = scale_features(features.f0_hz, features.loudness_db)
    gains = model.noise.gains(scaled[None], levels[None])
    grains = grain_offsets(len(levels))
    chunks = []
    for start in range(0, len(levels), CHUNK_FRAMES):
        first = max(start - 1, 0)  # the first ramp begins at the level of the previous frame
        frames = slice(first, start + CHUNK_FRAMES)
        samples = slice(first * HOP_SAMPLES, (start + CHUNK_FRAMES) * HOP_SAMPLES)
        audio = model.synthesize(
            levels[None, frames],
            scaled[None, frames],
            phase[None, samples],
            grains[None, frames],
            gains[:, frames],
        )
        chunks.append(keras.ops.convert_to_numpy(audio)[0, (start - first) * HOP_SAMPLES :])
    return np.concatenate(chunks)


def render_float(model: Ddx7, features: Features, *, levels_every: int = 1) -> dict[str, Array]:
    """Renders a recording of any length with a float model.

    Args:
        model: The model.
        features: Pitch and loudness of the recording.
        levels_every: Number of frames from one that gets its levels from the network to the next;
            those between are interpolated.

    Returns:
        ``levels`` in turns, shape [n_frames, 6]; ``dry``, and ``audio`` with the learnt reverb,
        shape [64 * n_frames].
    """
    inputs = model.prepare(features.f0_hz[None], features.loudness_db[None])
    levels = keras.ops.convert_to_numpy(model.decode(inputs)[1])[0]
    if levels_every > 1:
        levels = _interpolate(levels, levels_every)
    dry = synthesize(levels, features, model)
    audio = keras.ops.convert_to_numpy(model.reverb(keras.ops.convert_to_tensor(dry[None])))[0]
    return {"levels": levels, "dry": dry, "audio": audio}


def _interpolate(levels: Array, every: int) -> Array:
    """Keeps the levels of the last of every so many frames, and interpolates the others."""
    frames = np.arange(len(levels))
    kept = frames[every - 1 :: every]
    return np.stack([np.interp(frames, kept, own) for own in levels[kept].T], axis=1)
