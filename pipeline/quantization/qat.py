"""Quantization-aware training with tfmot: the network learns to compensate its own rounding.

The student is its own teacher: the quantized network is trained to output the levels of the float
network, so no audio is needed. tfmot's own quantizers start at -6 to 6 and approach the true ranges
by moving averages, which gives worse results than no training at all. Here every quantizer starts
at a calibrated range and learns its width by gradient (Esser et al., "Learned Step Size
Quantization", ICLR 2020). tfmot needs Keras 2 (tf_keras), which is installed beside Keras 3.
"""

from typing import Any

import numpy as np

from pipeline.core.instrument_config import TcnConfig
from pipeline.quantization.step_model import import_tensorflow
from pipeline.quantization.weights import Floats, Ranges, Weights

FRAME_STEPS = 255  # steps of the int8 frame over its range 0 to 1
LEARNING_RATE = 3e-4
CLIPS_PER_STEP = 8
PATIENCE = 40  # epochs without improvement before training stops


def train_quantized(
    weights: Weights,
    config: TcnConfig,
    ranges: Ranges,
    train: tuple[Floats, Floats],
    valid: tuple[Floats, Floats],
    *,
    epochs: int,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
) -> tuple[Weights, Ranges]:
    """Trains weights and ranges for int8.

    Args:
        weights: Weights of the float network, with the last residual's bias folded.
        config: Shape of the network.
        ranges: Calibrated range of every value.
        train: Scaled features, shape [n_clips, n_frames, 2], and the float network's logits,
            [n_clips, n_frames, 6].
        valid: The same for other clips; the epoch with the best result on them is kept.
        epochs: Largest number of passes over `train`.
        learning_rate: Learning rate of the first step; it falls to 0.
        seed: Seed of the order of the clips.

    Returns:
        The trained weights and ranges.
    """
    import_tensorflow()
    import tf_keras as keras

    from pipeline.quantization.qat_network import level_distance, quantized_tcn

    keras.utils.set_random_seed(seed)
    model = quantized_tcn(weights, config, ranges)
    n_steps = epochs * -(-len(train[0]) // CLIPS_PER_STEP)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    model.compile(keras.optimizers.Adam(schedule), loss=level_distance)
    best = keras.callbacks.EarlyStopping(
        patience=PATIENCE, restore_best_weights=True, start_from_epoch=1
    )
    model.fit(
        *_batch_arrays(train),
        CLIPS_PER_STEP,
        epochs,
        verbose=0,
        validation_data=_batch_arrays(valid),
        callbacks=[best],
    )
    return _trained(model, weights, ranges)


def _batch_arrays(clips: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Rounds frames to int8 steps; adds the second spatial axis that Conv2D needs."""
    frames, logits = clips
    rounded = np.round(frames * FRAME_STEPS) / np.float32(FRAME_STEPS)
    return rounded[:, :, None], logits[:, :, None]


def _trained(model: Any, weights: Weights, ranges: Ranges) -> tuple[Weights, Ranges]:
    """Reads weights and ranges from a trained model; those that it does not train are kept."""
    trained_weights, trained_ranges = dict(weights), dict(ranges)
    for wrapper in model.layers:
        name = wrapper.name.removeprefix("quant_")
        found = {
            weight.name.rsplit("/")[-1].split(":")[0]: weight.numpy() for weight in wrapper.weights
        }
        if "kernel" in found:
            kernel, bias = weights[name]
            trained_weights[name] = found["kernel"].reshape(kernel.shape), found.get("bias", bias)
        if "range_factor" in found:
            low, high = (end * float(found["range_factor"]) for end in ranges[name])
            trained_ranges[name] = low, high
    return trained_weights, trained_ranges
