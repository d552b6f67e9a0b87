"""Quantization-aware training with tfmot: the network learns to live with its own rounding.

The student is its own teacher: the quantized network is trained to give the levels of the float
network, so that no audio is needed. tfmot's own quantizers start at -6 to 6 and approach the true
ranges by moving averages, which ends worse than no training at all; here every quantizer starts at
a calibrated range and learns its width by gradient (Esser et al., "Learned Step Size Quantization",
ICLR 2020). tfmot needs Keras 2 (tf_keras), which lives beside Keras 3.
"""

from typing import Any

import numpy as np

from pipeline.core.instrument_config import TcnConfig
from pipeline.quantization.step_model import import_tensorflow
from pipeline.quantization.weights import Ranges, Weights

FRAME_STEPS = 255  # of the int8 frame over its range 0 to 1
LEARNING_RATE = 1e-3
CLIPS_PER_STEP = 8
SILENCE_DB = -80.0  # of the largest level: below, all levels count as equal
PATIENCE = 40  # epochs without a better validation before training stops


def train_quantized(
    weights: Weights,
    config: TcnConfig,
    ranges: Ranges,
    train: tuple[np.ndarray, np.ndarray],
    valid: tuple[np.ndarray, np.ndarray],
    *,
    epochs: int,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
) -> tuple[Weights, Ranges]:
    """Trains weights and ranges for int8.

    Args:
        weights: Weights of the float network, the last residual's bias folded.
        config: Its shape.
        ranges: Calibrated range of every value.
        train: Scaled features, shape [n_clips, n_frames, 2], and the float network's logits,
            [n_clips, n_frames, 6].
        valid: The same of other clips; the epoch that does best on them is kept.
        epochs: Most passes over `train`.
        learning_rate: Of the first step; it falls to 0.
        seed: Seed of the order of the clips.

    Returns:
        The trained weights and ranges.
    """
    tf = import_tensorflow()
    import tf_keras as keras

    keras.utils.set_random_seed(seed)
    model = _quantized_tcn(weights, config, ranges)

    def level_db(logits):
        return tf.maximum(tf.math.log_sigmoid(logits) * (20 / np.log(10)), SILENCE_DB)

    def level_distance(target, found):
        return tf.reduce_mean(tf.abs(level_db(target) - level_db(found)))

    def arrays(clips):
        frames, logits = clips
        return np.round(frames * FRAME_STEPS)[:, :, None] / FRAME_STEPS, logits[:, :, None]

    n_steps = epochs * -(-len(train[0]) // CLIPS_PER_STEP)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    model.compile(keras.optimizers.Adam(schedule), loss=level_distance)
    x, y = arrays(train)
    best = keras.callbacks.EarlyStopping(
        patience=PATIENCE, restore_best_weights=True, start_from_epoch=1
    )
    model.fit(
        x, y, CLIPS_PER_STEP, epochs, verbose=0, validation_data=arrays(valid), callbacks=[best]
    )

    trained_weights, trained_ranges = dict(weights), dict(ranges)
    for wrapper in model.layers:
        name = wrapper.name.removeprefix("quant_")
        found = {
            weight.name.rsplit("/")[-1].split(":")[0]: weight.numpy() for weight in wrapper.weights
        }
        if "kernel" in found:
            bias = found.get("bias", weights[name][1])
            trained_weights[name] = found["kernel"].reshape(weights[name][0].shape), bias
        if "range_factor" in found:
            low, high = (end * float(found["range_factor"]) for end in ranges[name])
            trained_ranges[name] = low, high
    return trained_weights, trained_ranges


def _quantized_tcn(weights: Weights, config: TcnConfig, ranges: Ranges) -> Any:
    """Builds the network over whole clips with a quantizer behind every value, Keras 2.

    Layers are named by the value that they give. Time is the first spatial axis of Conv2D, as tfmot
    knows no Conv1D.
    """
    import tensorflow_model_optimization as tfmot
    import tf_keras as keras

    tf = import_tensorflow()
    quantization: Any = tfmot.quantization.keras

    class LearnedRange(quantization.quantizers.Quantizer):
        """Quantizes to int8 over a calibrated range times a learned factor."""

        def __init__(self, low: float, high: float, trainable: bool):
            self.low, self.high, self.trainable = low, high, trainable

        def build(self, tensor_shape, name, layer):
            factor = layer.add_weight(
                "range_factor", (), initializer="ones", trainable=self.trainable
            )
            return {"factor": factor}

        def __call__(self, inputs, training, weights, **kwargs):
            step = weights["factor"] * (self.high - self.low) / 255
            zero_point = round(-255 * self.low / (self.high - self.low))
            exact = inputs / step
            rounded = exact + tf.stop_gradient(tf.round(exact) - exact)
            return (tf.clip_by_value(rounded + zero_point, 0, 255) - zero_point) * step

        def get_config(self):
            return {"low": self.low, "high": self.high, "trainable": self.trainable}

    class StepConfig(quantization.QuantizeConfig):
        """Quantizes a layer's kernel per output channel, as the converter does, and its output."""

        def __init__(self, value: str):
            self.value = value
            self.kernel = quantization.quantizers.LastValueQuantizer(
                num_bits=8, per_axis=True, symmetric=True, narrow_range=True
            )

        def get_weights_and_quantizers(self, layer):
            return [(layer.kernel, self.kernel)] if hasattr(layer, "kernel") else []

        def set_quantize_weights(self, layer, quantize_weights):
            if quantize_weights:
                layer.kernel = quantize_weights[0]

        def get_activations_and_quantizers(self, layer):
            return []

        def set_quantize_activations(self, layer, quantize_activations):
            pass

        def get_output_quantizers(self, layer):
            # The logits reach down to silence, which a mean over frames would give up.
            return [LearnedRange(*ranges[self.value], trainable=self.value != "logits")]

        def get_config(self):
            return {"value": self.value}

    def quantized(layer, inputs):
        return quantization.quantize_annotate_layer(layer, StepConfig(layer.name))(inputs)

    def conv(layer: str, x, dilation: int = 1, *, relu: bool = False, bias: bool = True):
        kernel, offset = weights[layer]
        taps = len(kernel)
        x = keras.layers.ZeroPadding2D((((taps - 1) * dilation, 0), (0, 0)))(x)
        return quantized(
            keras.layers.Conv2D(
                kernel.shape[-1],
                (taps, 1),
                dilation_rate=(dilation, 1),
                activation="relu" if relu else None,
                use_bias=bias,
                kernel_initializer=keras.initializers.Constant(kernel[:, None]),
                bias_initializer=keras.initializers.Constant(offset),
                name=layer,
            ),
            x,
        )

    last = config.n_blocks - 1
    frames = x = keras.Input((None, 1, config.n_inputs))
    for block in range(config.n_blocks):
        block_input = x
        x = conv(f"block{block}_conv1", x, 2**block, relu=True)
        x = conv(f"block{block}_conv2", x, 2**block, relu=block != last)
        if block in (0, last):
            residual = conv(f"block{block}_residual", block_input, bias=block != last)
            x = quantized(
                keras.layers.Add(name="logits" if block == last else "block0_sum"), [x, residual]
            )
    with quantization.quantize_scope({"LearnedRange": LearnedRange, "StepConfig": StepConfig}):
        return quantization.quantize_apply(keras.Model(frames, x), scheme=_plain_scheme())


def _plain_scheme() -> Any:
    """Returns a tfmot scheme that quantizes what is annotated and changes nothing else."""
    from tensorflow_model_optimization.python.core.quantization.keras import quantize_scheme
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    class Unchanged:
        """A layout transformer without transforms."""

        def apply(self, model, layer_quantize_map):
            return model, layer_quantize_map

    class PlainScheme(quantize_scheme.QuantizeScheme):
        """Annotations are all there is."""

        def get_layout_transformer(self):
            return Unchanged()

        def get_quantize_registry(self):
            return registry.Default8BitQuantizeRegistry()

    return PlainScheme()
