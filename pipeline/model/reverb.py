"""The learnt impulse response of a model."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.model.ddx7 import load_model

FADE_SECONDS = 0.02  # over which a response that is cut comes to its end
Array = npt.NDArray[np.floating]


def learnt_response(run_dir: Path) -> Array:
    """Returns the impulse response of a run folder's model, float32 of shape [16000].

    Raises:
        UserError: The folder holds no trained model.
    """

    return np.asarray(load_model(run_dir).reverb.impulse_response(), np.float32)


def shorten(response: Array, seconds: float) -> Array:
    """Cuts a response, its last 20 ms (at most a quarter) faded out so that the cut is not heard.

    Args:
        response: Impulse response, shape [n].
        seconds: Length to keep, above 0; the whole response stays as it is.

    Raises:
        UserError: The length or the response is not usable.
    """
    n_samples = round(seconds * SAMPLE_RATE) if np.isfinite(seconds) else 0
    if not 1 <= n_samples <= len(response):
        longest = len(response) / SAMPLE_RATE
        raise UserError(f"a room of {seconds:g} s is not there: ask for one up to {longest:g} s")
    if not np.isfinite(response).all():
        raise UserError("the learnt impulse response is not finite: train the model again")
    kept = np.array(response[:n_samples], np.float32)
    if n_samples < len(response):
        n_fade = min(round(FADE_SECONDS * SAMPLE_RATE), n_samples // 4)
        kept[n_samples - n_fade :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, n_fade + 1) / n_fade)
    return kept


def wet_taps(response: Array) -> npt.NDArray[np.float64]:
    """Returns a response without the direct sound, which the device passes as it is."""
    taps = np.array(response, np.float64)
    taps[0] = 0
    return taps
