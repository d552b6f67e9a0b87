"""The learnt reverb as a trainable Keras layer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pipeline.core.constants import SAMPLE_RATE
from pipeline.model.reverb import DECAY_SCALE
from pipeline.model.synth import Tensor


@keras.saving.register_keras_serializable(package="ddx7")
class Reverb(keras.layers.Layer):
    """Learnable reverb: one second of decaying noise; `pipeline.model.reverb` has the formula."""

    def __init__(self, n_samples: int = SAMPLE_RATE, *, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.n_samples = n_samples
        self.seed = seed

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights: noise, shape [n_samples], and the scalars decay and wet."""
        noise = keras.initializers.RandomUniform(-1.0, 1.0, seed=self.seed)
        self.noise = self.add_weight(shape=(self.n_samples,), initializer=noise, name="noise")
        self.decay = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(5.0), name="decay"
        )
        self.wet = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(-5.0), name="wet"
        )

    def impulse_response(self) -> Tensor:
        """Returns the impulse response, shape [n_samples]."""
        time = np.arange(self.n_samples, dtype=np.float32) / SAMPLE_RATE
        envelope = ops.exp(-DECAY_SCALE * ops.softplus(-self.decay) * time)
        tail = ops.sigmoid(self.wet) * self.noise * envelope
        return ops.concatenate([ops.ones((1,), tail.dtype), tail[1:]])

    def call(self, audio: Tensor) -> Tensor:
        """Convolves audio with the impulse response.

        Args:
            audio: Shape [batch, n_samples].

        Returns:
            The same shape; the tail beyond it is cut off.
        """
        n_audio = audio.shape[-1]
        n_fft = 2 ** int(np.ceil(np.log2(n_audio + self.n_samples)))
        spectrum = ops.rfft(audio, fft_length=n_fft)
        response = ops.rfft(self.impulse_response()[None], fft_length=n_fft)
        real = spectrum[0] * response[0] - spectrum[1] * response[1]
        imaginary = spectrum[0] * response[1] + spectrum[1] * response[0]
        return ops.irfft((real, imaginary), fft_length=n_fft)[:, :n_audio]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "n_samples": self.n_samples, "seed": self.seed}
