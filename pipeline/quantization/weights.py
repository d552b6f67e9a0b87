"""The weights and ranges of the network as plain arrays, and the files that hold them.

Layers and values are named as in `pipeline.model.topology`. Nothing here needs TensorFlow.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import MAX_NOTE
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, load_arrays
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.runs import WEIGHTS
from pipeline.model.noise import UNTRAINED, NoiseParameters
from pipeline.model.topology import FRAME, kernel_shapes, topology
from pipeline.model.weights_file import NOISE_LAYER, read_weights
from pipeline.quantization.pitch_range import FLOAT_RANGE, PitchRange

Floats = npt.NDArray[np.float32]
Weights = dict[str, tuple[Floats, Floats]]  # layer -> kernel [taps, in, out], bias [out]
Ranges = dict[str, tuple[float, float]]  # value -> smallest, largest
PITCH_RANGE = "pitch_range"  # name of the array in decoder_<format>.npz


def fold_residual_bias(weights: Weights, config: TcnConfig) -> Weights:
    """Moves the last residual's bias into the convolution that it is added to.

    The converter would merge two equal biases. Folding also saves an addition.
    """
    folded = dict(weights)
    for layer in topology(config):
        if layer.has_folded_bias and layer.sum:
            kernel, bias = folded[layer.name]
            target_kernel, target_bias = folded[layer.sum.addend]
            folded[layer.sum.addend] = target_kernel, target_bias + bias
            folded[layer.name] = kernel, np.zeros_like(bias)
    return folded


def fold_pitch_range(weights: Weights, config: TcnConfig, pitch: PitchRange) -> Weights:
    """Returns weights that compute from narrowed features what `weights` do from scaled ones.

    Args:
        weights: Weights of the float network.
        config: Shape of the network.
        pitch: The range to which `PitchRange.narrow` narrows the features.
    """
    gains = np.array([pitch.n_semitones / MAX_NOTE, 1.0])
    lowest = np.array([pitch.lowest_note / MAX_NOTE, 0.0])
    folded = dict(weights)
    for layer in topology(config):
        if layer.source == FRAME:
            kernel, bias = (array.astype(np.float64) for array in weights[layer.name])
            bias = bias + (kernel * lowest[:, None]).sum(axis=(0, 1))
            kernel = kernel * gains[:, None]
            folded[layer.name] = kernel.astype(np.float32), bias.astype(np.float32)
    return folded


def round_kernels(weights: Weights) -> Weights:
    """Rounds kernels to int8 steps per output channel, in which the largest weight is 127."""
    return {layer: (_scale(*_round(kernel)), bias) for layer, (kernel, bias) in weights.items()}


def _round(kernel: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    largest = np.abs(kernel).max(axis=(0, 1))
    step = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(127)
    return np.round(kernel / step).astype(np.int8), step


def _scale(steps: npt.NDArray[Any], step: Floats) -> Floats:
    return (steps * step).astype(np.float32)


def load_weights(path: Path, config: TcnConfig) -> Weights:
    """Loads weights from ``model.weights.h5``, or rounded ones from ``decoder_<format>.npz``.

    Raises:
        UserError: The file is missing or damaged, or holds a network of another shape.
    """
    arrays = _load_layers(path) if path.suffix == ".h5" else _load_quantization(path)
    weights: Weights = {}
    for layer, shape in kernel_shapes(config).items():
        kernel, bias = arrays.get(f"{layer}/kernel"), arrays.get(f"{layer}/bias")
        if kernel is not None and f"{layer}/step" in arrays:
            kernel = _scale(kernel, arrays[f"{layer}/step"])
        if kernel is None or bias is None or kernel.shape != shape or bias.shape != shape[-1:]:
            raise UserError(
                f"{path} does not fit its config.toml at layer {layer}: train the model again"
            )
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise UserError(
                f"{path} has weights that are not finite at layer {layer}: train the model again"
            )
        weights[layer] = kernel.astype(np.float32), bias.astype(np.float32)
    return weights


def load_noise(run_dir: Path) -> NoiseParameters:
    """Loads the noise parameters that a run's model has learnt.

    Raises:
        UserError: The folder has no trained model, or the model is damaged.
    """
    path = run_dir / WEIGHTS
    stored = read_weights(path).get(NOISE_LAYER, [])
    if [weight.shape for weight in stored] != [w.shape for w in vars(UNTRAINED).values()]:
        raise UserError(f"{path} has missing noise weights: train the model again")
    return NoiseParameters(*stored)


def load_ranges(path: Path) -> Ranges:
    """Loads the ranges from ``decoder_<format>.npz``."""
    ranges = {
        name.removeprefix("range/"): limits
        for name, limits in _load_quantization(path).items()
        if name.startswith("range/")
    }
    return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def load_pitch_range(path: Path) -> PitchRange:
    """Loads the notes that the input spans from ``decoder_<format>.npz``."""
    notes = _load_quantization(path).get(PITCH_RANGE)
    return FLOAT_RANGE if notes is None else PitchRange(*notes.tolist())


def save_quantization(
    path: Path, weights: Weights, ranges: Ranges, pitch: PitchRange = FLOAT_RANGE
) -> None:
    """Writes ``decoder_<format>.npz``: int8 kernels, a step per channel, biases and ranges."""
    arrays: dict[str, npt.NDArray[Any]] = {
        PITCH_RANGE: np.array([pitch.lowest_note, pitch.highest_note], np.uint8)
    }
    for layer, (kernel, bias) in weights.items():
        arrays[f"{layer}/kernel"], arrays[f"{layer}/step"] = _round(kernel)
        arrays[f"{layer}/bias"] = bias
    arrays |= {f"range/{name}": np.asarray(limits, np.float64) for name, limits in ranges.items()}
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def _load_layers(path: Path) -> dict[str, npt.NDArray[Any]]:
    return {
        f"{layer}/{name}": weight
        for layer, weights in read_weights(path).items()
        for name, weight in zip(("kernel", "bias"), weights, strict=False)
    }


def _load_quantization(path: Path) -> dict[str, npt.NDArray[Any]]:
    return load_arrays(path, remedy="run python -m pipeline.quantize to make it again")
