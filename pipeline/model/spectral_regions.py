"""The multi-scale spectral distance of the sounding parts of a recording, and of its pauses."""

from typing import Any

import numpy as np
from keras import ops

from pipeline.audio.features import Features
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES
from pipeline.model import losses
from pipeline.model.metrics import MSS_SECONDS, Array

PART_FRAMES = MSS_SECONDS * FRAME_RATE  # longer recordings are compared in parts
SHORTEST_FRAMES = losses.MSS_WINDOWS[0] // HOP_SAMPLES


def region_figures(
    reference: Array, estimate: Array, features: Features
) -> dict[str, float | None]:
    """Measures the spectral distance in sounding frames and in the others.

    Args:
        reference: The recording, shape [n].
        estimate: The rendering, shape [n].
        features: Features of the recording.

    Returns:
        ``mss_sound``: the sound distance of `pipeline.model.losses`, from 200 to 7000 Hz, over the
        frames within 35 dB of the loud ones. ``mss_pauses``: the MSS over the others. None where
        the recording has no such frame.
    """
    n_frames = len(features.loudness_db)
    sounding = losses.sound_frames(features.loudness_db)
    regions: dict[str, tuple[Any, Any]] = {
        "mss_sound": (losses.sound_distance, sounding),
        "mss_pauses": (losses.mss, ~sounding),
    }
    totals = {name: 0.0 for name in regions}
    for start in range(0, n_frames, PART_FRAMES):
        frames = slice(start, start + PART_FRAMES)
        pair = [
            _spectra(audio, start, min(PART_FRAMES, n_frames - start))
            for audio in (reference, estimate)
        ]
        for name, (distance, region) in regions.items():
            part = region[frames]
            padded = np.pad(part, (0, max(SHORTEST_FRAMES - len(part), 0)))
            weights = losses.window_weights(padded[None])
            found = ops.convert_to_numpy(distance(*pair, weights))[0]
            totals[name] += float(found) * int(part.sum())
    return {
        name: totals[name] / int(region.sum()) if region.any() else None
        for name, (_, region) in regions.items()
    }


def _spectra(audio: Array, first_frame: int, n_frames: int) -> Any:
    """Computes the spectra of some frames of audio, which zeros follow."""
    first, n_samples = first_frame * HOP_SAMPLES, max(n_frames, SHORTEST_FRAMES) * HOP_SAMPLES
    part = np.asarray(audio[first : first + n_frames * HOP_SAMPLES], np.float32)
    return losses.spectra(np.pad(part, (0, n_samples - len(part)))[None])
