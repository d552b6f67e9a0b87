"""The network with a quantizer after every value, for training with tfmot and Keras 2.

This module imports TensorFlow, tfmot and tf_keras, so import it only where a network is trained.
"""

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from tensorflow_model_optimization.python.core.quantization.keras import quantize_scheme
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_registry as registry,
)

from pipeline.core.instrument_config import TcnConfig
from pipeline.model.topology import FRAME, LOGITS, LayerSpec, topology
from pipeline.quantization.step_model import import_tensorflow
from pipeline.quantization.weights import Ranges, Weights

tf: Any = import_tensorflow()
quantization: Any = tfmot.quantization.keras
Tensor = Any

SILENCE_DB = -80.0  # relative to the largest level; all lower levels count as equal


class LearnedRange(quantization.quantizers.Quantizer):
    """Quantizes to int8 over a calibrated range times a learned factor."""

    def __init__(self, low: float, high: float, trainable: bool) -> None:
        self.low, self.high, self.trainable = low, high, trainable

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Creates the factor."""
        factor = layer.add_weight("range_factor", (), initializer="ones", trainable=self.trainable)
        return {"factor": factor}

    def __call__(
        self, inputs: Tensor, training: Any, weights: dict[str, Any], **kwargs: Any
    ) -> Tensor:
        """Rounds values; the gradient passes through the rounding."""
        step = weights["factor"] * (self.high - self.low) / 255
        zero_point = round(-255 * self.low / (self.high - self.low))
        exact = inputs / step
        rounded = exact + tf.stop_gradient(tf.round(exact) - exact)
        return (tf.clip_by_value(rounded + zero_point, 0, 255) - zero_point) * step

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"low": self.low, "high": self.high, "trainable": self.trainable}


class StepConfig(quantization.QuantizeConfig):
    """Quantizes a layer's kernel per output channel, as the converter does, and its output."""

    def __init__(self, low: float, high: float, trainable: bool) -> None:
        self.range = low, high, trainable
        self.kernel = quantization.quantizers.LastValueQuantizer(
            num_bits=8, per_axis=True, symmetric=True, narrow_range=True
        )

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Returns the kernel, if there is one, and its quantizer."""
        return [(layer.kernel, self.kernel)] if hasattr(layer, "kernel") else []

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Replaces the kernel by the quantized one."""
        if quantize_weights:
            layer.kernel = quantize_weights[0]

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        """Returns none; the output is quantized instead."""
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """Does nothing; there are none."""
        pass  # AutoGraph cannot transform a function without a statement

    def get_output_quantizers(self, layer: Any) -> list[LearnedRange]:
        """Returns the quantizer of the output."""
        return [LearnedRange(*self.range)]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        low, high, trainable = self.range
        return {"low": low, "high": high, "trainable": trainable}


def level_distance(target: Tensor, found: Tensor) -> Tensor:
    """Returns the mean distance in dB between the levels of two sets of logits."""

    def level_db(logits: Tensor) -> Tensor:
        return tf.maximum(tf.math.log_sigmoid(logits) * (20 / np.log(10)), SILENCE_DB)

    return tf.reduce_mean(tf.abs(level_db(target) - level_db(found)))


class _Unchanged:
    """A layout transformer without transforms."""

    def apply(self, model: Any, layer_quantize_map: Any) -> tuple[Any, Any]:
        return model, layer_quantize_map


class _PlainScheme(quantize_scheme.QuantizeScheme):
    """Quantizes the annotated layers and changes nothing else."""

    def get_layout_transformer(self) -> _Unchanged:
        return _Unchanged()

    def get_quantize_registry(self) -> Any:
        return registry.Default8BitQuantizeRegistry()


def quantized_tcn(weights: Weights, config: TcnConfig, ranges: Ranges) -> Any:
    """Builds the network over whole clips, from frames [batch, n_frames, 1, 2] to logits.

    Layers are named after their outputs. Time is the first spatial axis of Conv2D because tfmot
    does not support Conv1D.
    """

    def quantized(layer: Any, inputs: Any) -> Tensor:
        # The range of the logits is not trained, because the loss is a mean over frames, which
        # would sacrifice the end of the range that stands for silence.
        step = StepConfig(*ranges[layer.name], trainable=layer.name != LOGITS)
        return quantization.quantize_annotate_layer(layer, step)(inputs)

    def conv(layer: LayerSpec, x: Tensor) -> Tensor:
        kernel, bias = weights[layer.name]
        x = keras.layers.ZeroPadding2D(((layer.n_past * layer.dilation, 0), (0, 0)))(x)
        convolution = keras.layers.Conv2D(
            layer.out_channels,
            (layer.taps, 1),
            dilation_rate=(layer.dilation, 1),
            activation="relu" if layer.relu else None,
            use_bias=not layer.has_folded_bias,
            kernel_initializer=keras.initializers.Constant(kernel[:, None]),
            bias_initializer=keras.initializers.Constant(bias),
            name=layer.name,
        )
        return quantized(convolution, x)

    values = {FRAME: keras.Input((None, 1, config.n_inputs))}
    for layer in topology(config):
        values[layer.name] = conv(layer, values[layer.source])
        if layer.sum:
            addends = [values[layer.sum.addend], values[layer.name]]
            values[layer.sum.name] = quantized(keras.layers.Add(name=layer.sum.name), addends)
    model = keras.Model(values[FRAME], values[LOGITS])
    with quantization.quantize_scope({"LearnedRange": LearnedRange, "StepConfig": StepConfig}):
        return quantization.quantize_apply(model, scheme=_PlainScheme())
