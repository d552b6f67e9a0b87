"""The learnt impulse response of a model, in NumPy.

The response is 1 at time 0, the direct sound, followed by decaying noise (the reverb of Engel et
al., "DDSP", ICLR 2020)::

    sigmoid(wet) * noise[t] * exp(-500 * softplus(-decay) * t)    t in seconds, up to 1 s

where ``noise``, ``decay`` and ``wet`` are learnt. `pipeline.model.reverb_layer` trains the same
formula. Generated C depends on the response, so every operation here rounds to float32 as
TensorFlow's CPU kernels do, and the result has the same bits.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.runs import WEIGHTS
from pipeline.model.weights_file import REVERB_LAYER, read_weights

DECAY_SCALE = 500.0  # per second
FADE_SECONDS = 0.02  # fade-out at the end of a shortened response

Array = npt.NDArray[np.floating]
Floats = npt.NDArray[np.float32]


def learnt_response(run_dir: Path) -> Floats:
    """Returns the impulse response of a run folder's model, float32, shape [16000].

    Raises:
        UserError: The folder has no trained model, or its weights are damaged.
    """
    path = run_dir / WEIGHTS
    stored = read_weights(path).get(REVERB_LAYER, [])
    if [weight.shape for weight in stored] != [(SAMPLE_RATE,), (), ()]:
        raise UserError(f"{path} has missing reverb weights: train the model again")
    noise, decay, wet = stored
    softplus = np.float32(np.log1p(float(np.float32(np.exp(-float(decay))))))
    odds = np.float32(np.exp(float(wet)))
    time = np.arange(len(noise), dtype=np.float32) / np.float32(SAMPLE_RATE)
    envelope = _exp(np.float32(-DECAY_SCALE) * softplus * time)
    response = odds / (np.float32(1) + odds) * noise * envelope
    response[0] = 1
    return np.asarray(response)


def _exp(x: Floats) -> Floats:
    """Computes exp() as TensorFlow does on vectors, bit for bit.

    TensorFlow's packages evaluate Eigen's polynomial (after Cephes) without fused multiply-add;
    NumPy's float32 exp() differs from it in the last bit of every other value.

    Args:
        x: float32, at most 88.
    """
    x = np.maximum(x, np.float32(-104))  # the result is 0 at and below -104
    exponent = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    # Subtracts exponent * ln(2) in two parts, the first of which is exact.
    r = x + exponent * np.float32(-0.693359375) + exponent * np.float32(2.12194440e-4)
    r2 = r * r
    even = (r2 * np.float32(1.37449638e-3) + np.float32(4.16696519e-2)) * r2 + np.float32(
        0.49999988
    )
    odd = r2 * np.float32(8.36894475e-3) + np.float32(0.16666518)
    fraction = r2 * (r * odd + even) + (r + np.float32(1))
    return np.asarray(np.ldexp(fraction, exponent.astype(np.int32)))


def shorten(response: Array, seconds: float) -> Floats:
    """Cuts a response and fades out its last 20 ms (at most a quarter), so that no click remains.

    Args:
        response: Impulse response, shape [n].
        seconds: Length to keep, above 0; a response of this length is not faded.

    Raises:
        UserError: The length is out of range, or the response is not finite.
    """
    n_samples = round(seconds * SAMPLE_RATE) if np.isfinite(seconds) else 0
    if not 1 <= n_samples <= len(response):
        longest = len(response) / SAMPLE_RATE
        raise UserError(f"no reverb of {seconds:g} s: give a length above 0, up to {longest:g} s")
    if not np.isfinite(response).all():
        raise UserError("the learnt impulse response is not finite: train the model again")
    kept = np.array(response[:n_samples], np.float32)
    if n_samples < len(response):
        n_fade = min(round(FADE_SECONDS * SAMPLE_RATE), n_samples // 4)
        kept[n_samples - n_fade :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, n_fade + 1) / n_fade)
    return kept


def wet_taps(response: Array) -> npt.NDArray[np.float64]:
    """Returns a response without the direct sound, which the device passes on unchanged."""
    taps = np.array(response, np.float64)
    taps[0] = 0
    return taps
