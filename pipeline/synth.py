"""The differentiable FM synthesizer: frames of levels and phases in, audio out.

This is the arithmetic that plays on the device: frame k holds the values that block k (64 samples)
reaches at its end, so levels and f0 ramp causally from frame k-1 to frame k; every operator has a
phase of its own; a level is in turns (modulation index 2*pi*level); the sum of the carriers is
divided by `MAX_LEVEL`.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipeline.config import HOP_SAMPLES, MAX_LEVEL, N_OPERATORS, SAMPLE_RATE
from pipeline.patches import Patch


def base_phase(f0_hz: np.ndarray, patch: Patch) -> np.ndarray:
    """Integrates f0 into the patch's base phase, of which every operator's is a multiple.

    In float64: a float32 cumulative sum would be radians off after seconds, and a wrapped phase of
    ratio 1 would break ratios such as 1.5; the base ratio divides them all, so that wrapping it to
    one turn loses nothing.

    Args:
        f0_hz: Pitch in Hz, shape [..., n_frames].
        patch: The FM patch.

    Returns:
        Phase in turns from 0 to 1, float32, shape [..., n_frames * HOP_SAMPLES].
    """
    f0_hz = np.asarray(f0_hz, np.float64)
    previous = np.concatenate([f0_hz[..., :1], f0_hz[..., :-1]], axis=-1)
    ramp = np.arange(1, HOP_SAMPLES + 1) / HOP_SAMPLES
    f0_hz = previous[..., None] + (f0_hz - previous)[..., None] * ramp
    f0_hz = f0_hz.reshape(*f0_hz.shape[:-2], -1)
    turns = np.cumsum(f0_hz * float(patch.base_ratio) / SAMPLE_RATE, axis=-1)
    return (turns % 1.0).astype(np.float32)


def upsample_frames(frames):
    """Ramps frames linearly to audio rate, causally; the first block ramps up from 0.

    Args:
        frames: Shape [batch, n_frames, channels].

    Returns:
        Shape [batch, n_frames * HOP_SAMPLES, channels].
    """
    previous = ops.pad(frames[:, :-1], [[0, 0], [1, 0], [0, 0]])
    ramp = ops.reshape(
        ops.arange(1, HOP_SAMPLES + 1, dtype=frames.dtype) / HOP_SAMPLES, (1, 1, -1, 1)
    )
    samples = previous[:, :, None] + (frames - previous)[:, :, None] * ramp
    batch, n_frames, channels = ops.shape(frames)
    return ops.reshape(samples, (batch, n_frames * HOP_SAMPLES, channels))


def fm_levels(logits):
    """Maps the decoder's logits to operator levels in turns, 0 to `MAX_LEVEL`, same shape."""
    return MAX_LEVEL * ops.sigmoid(logits)


def fm_synthesize(levels, phase, patch: Patch):
    """Plays a patch.

    Args:
        levels: Operator levels in turns, shape [batch, n_frames, 6].
        phase: Base phase in turns (see `base_phase`), shape [batch, n_samples].
        patch: Routing and ratios.

    Returns:
        Audio, shape [batch, n_samples]; one carrier reaches from -1 to 1.
    """
    levels = upsample_frames(levels)
    outputs: dict[int, Any] = {}
    for operator in patch.order:
        turns = phase * patch.multiples[operator]
        turns = turns - ops.floor(turns)  # small arguments keep float32 sines accurate
        for modulator in patch.modulators[operator]:
            turns = turns + outputs[modulator]
        outputs[operator] = levels[..., operator] * ops.sin(2.0 * np.pi * turns)
    return sum(outputs[carrier] for carrier in patch.carriers) / MAX_LEVEL


@keras.saving.register_keras_serializable(package="ddx7")
class Shimmer(keras.layers.Layer):
    """Breath: levels flutter at random from frame to frame, each operator's by a learnt depth.

    A level is multiplied by 1 - depth * u, u uniform from 0 to 1. Between two frames it ramps, so
    that noise lies around every partial, up to 125 Hz away, and sounds like breath or bow. Without
    it a network has to imitate noise by levels that it makes flutter itself, which a small one can
    not and an integer one does otherwise.
    """

    def build(self, input_shape):
        """Creates the weight: depths before the sigmoid."""
        self.logits = self.add_weight(shape=(N_OPERATORS,), initializer="zeros", name="shimmer")

    def depths(self):
        """Returns the depth of every operator, 0 to 1, shape [6]."""
        return ops.sigmoid(self.logits)

    def call(self, levels, noise):
        """Multiplies levels, shape [batch, n_frames, 6].

        Args:
            levels: Operator levels.
            noise: Uniform from 0 to 1, same shape.
        """
        return levels * (1.0 - self.depths() * noise)


@keras.saving.register_keras_serializable(package="ddx7")
class Reverb(keras.layers.Layer):
    """Learnable room: a second of decaying noise (the reverb of Engel et al., ICLR 2020).

    The impulse response is 1 at time 0 followed by ``sigmoid(wet) * noise * exp(-500 *
    softplus(-decay) * t)``, where noise, wet and decay are learnt.
    """

    def __init__(self, n_samples: int = SAMPLE_RATE, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.n_samples = n_samples
        self.seed = seed

    def build(self, input_shape):
        """Creates the weights."""
        noise = keras.initializers.RandomUniform(-1.0, 1.0, seed=self.seed)
        self.noise = self.add_weight(shape=(self.n_samples,), initializer=noise, name="noise")
        self.decay = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(5.0), name="decay"
        )
        self.wet = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(-5.0), name="wet"
        )

    def impulse_response(self):
        """Returns the impulse response, shape [n_samples]."""
        time = np.arange(self.n_samples, dtype=np.float32) / SAMPLE_RATE
        envelope = ops.exp(-500.0 * ops.softplus(-self.decay) * time)
        tail = ops.sigmoid(self.wet) * self.noise * envelope
        return ops.concatenate([ops.ones((1,), tail.dtype), tail[1:]])

    def call(self, audio):
        """Convolves audio, shape [batch, n_samples], with the room; the length stays."""
        n_audio = audio.shape[-1]
        n_fft = 2 ** int(np.ceil(np.log2(n_audio + self.n_samples)))
        spectrum = ops.rfft(audio, fft_length=n_fft)
        response = ops.rfft(self.impulse_response()[None], fft_length=n_fft)
        real = spectrum[0] * response[0] - spectrum[1] * response[1]
        imaginary = spectrum[0] * response[1] + spectrum[1] * response[0]
        return ops.irfft((real, imaginary), fft_length=n_fft)[:, :n_audio]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "n_samples": self.n_samples, "seed": self.seed}
