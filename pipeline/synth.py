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

from pipeline import breath
from pipeline.config import (
    HOP_SAMPLES,
    LEVEL_FLOOR,
    LOUDNESS_RANGE_DB,
    MAX_LEVEL,
    SAMPLE_RATE,
)
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
class Breath(keras.layers.Layer):
    """Learnable noise beside the operators; what it is, and its weights, says `pipeline.breath`."""

    def build(self, input_shape):
        """Creates the weights: colour, shape [20, 2], and slopes, shape [8, 2]."""
        colour, slopes = (
            self.add_weight(shape=values.shape, initializer="zeros", name=f"breath_{name}")
            for name, values in vars(breath.UNTRAINED).items()
        )
        self.colour, self.slopes = colour, slopes
        self.set_weights(list(vars(breath.UNTRAINED).values()))
        spectrum = breath.white_spectrum().astype(np.complex64)
        self.spectrum = spectrum.real[None], spectrum.imag[None]
        self.curves = breath.colour_curves().astype(np.float32)

    def tables(self):
        """Returns noise of the learnt colours, as `pipeline.breath.noise_tables` does."""
        magnitudes = _amplitude(ops.matmul(ops.transpose(self.colour), self.curves))
        parts = tuple(magnitudes * part for part in self.spectrum)
        tables = ops.transpose(ops.irfft(parts, fft_length=breath.TABLE_SAMPLES))
        return ops.concatenate([tables, tables[: breath.GRAIN_SAMPLES]])

    def gains(self, features, levels):
        """Returns the gains of frames.

        Args:
            features: Scaled features, shape [batch, n_frames, 2].
            levels: Operator levels in turns, shape [batch, n_frames, 6].

        Returns:
            Amplitude of either layer, shape [batch, n_frames, 2].
        """
        decibels = 20 / np.log(10) * ops.log(levels / MAX_LEVEL + LEVEL_FLOOR)
        controls = ops.concatenate([features, decibels / breath.UNIT_DB], axis=-1)
        level = ops.matmul(controls - np.array(breath.MIDDLE, np.float32), self.slopes)
        below = ops.relu(breath.QUIET_DB / LOUDNESS_RANGE_DB + 1.0 - features[..., 1:])
        fade_db = breath.FADE * breath.OCTAVE_DB * LOUDNESS_RANGE_DB
        return _amplitude(level - below * (fade_db / breath.UNIT_DB))

    def call(self, gains, grains):
        """Plays noise.

        Args:
            gains: Amplitudes at the end of each block, shape [batch, n_frames, 2].
            grains: From `pipeline.breath.grain_offsets`, int32, shape [batch, n_frames].

        Returns:
            Audio, shape [batch, n_frames * HOP_SAMPLES].
        """
        samples = grains[..., None] + np.arange(breath.GRAIN_SAMPLES, dtype=np.int32)
        noise = ops.sum(gains[:, :, None] * ops.take(self.tables(), samples, axis=0), axis=-1)
        ramp = np.arange(1, HOP_SAMPLES + 1, dtype=np.float32) / HOP_SAMPLES
        ending = noise[:, :-1, HOP_SAMPLES:] * (1 - ramp)
        audio = noise[..., :HOP_SAMPLES] * ramp + ops.pad(ending, [[0, 0], [1, 0], [0, 0]])
        return ops.reshape(audio, (-1, audio.shape[1] * HOP_SAMPLES))


def _amplitude(units):
    return ops.exp(units * (breath.UNIT_DB * np.log(10) / 20))


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
