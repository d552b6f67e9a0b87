"""The filtered noise as a trainable Keras layer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipeline.core.constants import HOP_SAMPLES, LEVEL_FLOOR, LOUDNESS_RANGE_DB, MAX_LEVEL
from pipeline.model import noise as model_noise
from pipeline.model.gate import loudness_gate
from pipeline.model.noise import NoiseParameters
from pipeline.model.synth import Tensor


@keras.saving.register_keras_serializable(package="ddx7")
class FilteredNoise(keras.layers.Layer):
    """Learnable noise; `pipeline.model.noise` describes it."""

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights: colour, shape [20, 2], and slopes, shape [8, 2]."""
        self.colour, self.slopes = (
            self.add_weight(shape=values.shape, initializer="zeros", name=f"noise_{name}")
            for name, values in vars(model_noise.UNTRAINED).items()
        )
        self.set_parameters(model_noise.UNTRAINED)
        spectrum = model_noise.white_spectrum().astype(np.complex64)
        self.spectrum = spectrum.real[None], spectrum.imag[None]
        self.curves = model_noise.colour_curves().astype(np.float32)

    def set_parameters(self, parameters: NoiseParameters) -> None:
        """Sets the weights to learnt parameters."""
        self.set_weights(list(vars(parameters).values()))

    def tables(self) -> Tensor:
        """Returns the noise of both layers, as `pipeline.model.noise.noise_tables` does."""
        magnitudes = _amplitude(ops.matmul(ops.transpose(self.colour), self.curves))
        parts = tuple(magnitudes * part for part in self.spectrum)
        tables = ops.transpose(ops.irfft(parts, fft_length=model_noise.TABLE_SAMPLES))
        return ops.concatenate([tables, tables[: model_noise.GRAIN_SAMPLES]])

    def gains(self, features: Tensor, levels: Tensor) -> Tensor:
        """Computes the gains of frames.

        Args:
            features: Scaled features, shape [batch, n_frames, 2].
            levels: Operator levels in turns, shape [batch, n_frames, 6].

        Returns:
            Amplitude of each layer, shape [batch, n_frames, 2].
        """
        decibels = 20 / np.log(10) * ops.log(levels / MAX_LEVEL + LEVEL_FLOOR)
        controls = ops.concatenate([features, decibels / model_noise.UNIT_DB], axis=-1)
        level = ops.matmul(controls - np.array(model_noise.MIDDLE, np.float32), self.slopes)
        below = ops.relu(model_noise.QUIET_DB / LOUDNESS_RANGE_DB + 1.0 - features[..., 1:])
        fade_db = model_noise.FADE * model_noise.OCTAVE_DB * LOUDNESS_RANGE_DB
        amplitudes = _amplitude(level - below * (fade_db / model_noise.UNIT_DB))
        return amplitudes * loudness_gate(features)

    def call(self, gains: Tensor, grains: Tensor) -> Tensor:
        """Plays noise.

        Args:
            gains: Amplitudes at the end of each block, shape [batch, n_frames, 2].
            grains: From `pipeline.model.noise.grain_offsets`, int32, shape [batch or 1, n_frames].

        Returns:
            Audio, shape [batch, n_frames * 64].
        """
        # A gather of whole grains and its gradient take a fifth of the time of one of samples.
        starts = np.arange(0, model_noise.TABLE_SAMPLES, model_noise.GRAIN_STEP)
        samples = starts[:, None] + np.arange(model_noise.GRAIN_SAMPLES)
        cut = ops.transpose(ops.take(self.tables(), samples, axis=0), (0, 2, 1))
        layers = ops.take(cut, grains // model_noise.GRAIN_STEP, axis=0)
        noise = ops.sum(gains[..., None] * layers, axis=2)
        ramp = np.arange(1, HOP_SAMPLES + 1, dtype=np.float32) / HOP_SAMPLES
        ending = noise[:, :-1, HOP_SAMPLES:] * (1 - ramp)
        audio = noise[..., :HOP_SAMPLES] * ramp + ops.pad(ending, [[0, 0], [1, 0], [0, 0]])
        return ops.reshape(audio, (-1, audio.shape[1] * HOP_SAMPLES))


def noise_layer(parameters: NoiseParameters) -> FilteredNoise:
    """Returns a layer that plays learnt parameters."""
    layer = FilteredNoise()
    layer.build()
    layer.set_parameters(parameters)
    return layer


def _amplitude(units: Tensor) -> Tensor:
    """Converts levels in units of `UNIT_DB` to amplitudes."""
    return ops.exp(units * (model_noise.UNIT_DB * np.log(10) / 20))
