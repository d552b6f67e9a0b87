"""The network input: scaled pitch and loudness, and the context before them."""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pitch import hz_to_note, note_to_hz
from pipeline.core.constants import DEFAULT_F0_HZ, LOUDNESS_RANGE_DB, MAX_NOTE
from pipeline.core.instrument_config import TcnConfig

Floats = npt.NDArray[np.float32]


def scale_features(f0_hz: npt.ArrayLike, loudness_db: npt.ArrayLike) -> Floats:
    """Scales features to the network's input.

    Args:
        f0_hz: Pitch in Hz, above 0, shape [..., n_frames].
        loudness_db: Loudness in dB from -80 to 0, same shape.

    Returns:
        float32, shape [..., n_frames, 2]: MIDI note / 127 and loudness / 80 + 1, both about 0 to 1.
    """
    pitch = hz_to_note(f0_hz) / MAX_NOTE
    loudness = np.asarray(loudness_db) / LOUDNESS_RANGE_DB + 1.0
    return np.stack([pitch, loudness], axis=-1).astype(np.float32)


def unscale_f0(features: Floats) -> npt.NDArray[np.float64]:
    """Returns the pitch in Hz of scaled features; shape [..., n_frames, 2] to [..., n_frames]."""
    return np.asarray(note_to_hz(features[..., 0].astype(np.float64) * MAX_NOTE), np.float64)


def prepend_context(features: Floats, config: TcnConfig) -> Floats:
    """Prepends as many frames of silence as the network looks back.

    A playing decoder has received silence before its first note, and not zeros;
    ``tflm_app/instrument/instrument.c`` fills its rings with the same frames.

    Args:
        features: Scaled features, shape [..., n_frames, 2].
        config: The network's shape.

    Returns:
        Shape [..., receptive_field - 1 + n_frames, 2].
    """
    silence = scale_features(DEFAULT_F0_HZ, -LOUDNESS_RANGE_DB)
    shape = (*features.shape[:-2], config.receptive_field - 1, 2)
    return np.concatenate([np.broadcast_to(silence, shape), features], axis=-2)
