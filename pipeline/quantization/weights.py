"""The network as plain arrays: its layers and values by name, its arithmetic, its files.

What quantization and conversion share, without TensorFlow. A *value* is what a layer gives, named
after it; ``frame``, ``block0_sum`` and ``logits`` are those that no layer gives.
"""

import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.noise import UNTRAINED, NoiseParameters
from pipeline.model.topology import kernel_shapes

Weights = dict[str, tuple[np.ndarray, np.ndarray]]  # layer -> kernel [taps, in, out], bias [out]
Ranges = dict[str, tuple[float, float]]  # value -> smallest, largest


def fold_residual_bias(weights: Weights, config: TcnConfig) -> Weights:
    """Moves the last residual's bias into the convolution that it is added to.

    Two equal biases would be merged by the converter, and one addition is saved.
    """
    conv, residual = f"block{config.n_blocks - 1}_conv2", f"block{config.n_blocks - 1}_residual"
    bias = weights[residual][1]
    return {
        **weights,
        conv: (weights[conv][0], weights[conv][1] + bias),
        residual: (weights[residual][0], np.zeros_like(bias)),
    }


def round_kernels(weights: Weights) -> Weights:
    """Rounds every kernel to int8 steps per output channel, the largest weight being 127 steps."""
    return {layer: (_scale(*_round(kernel)), bias) for layer, (kernel, bias) in weights.items()}


def _round(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    largest = np.abs(kernel).max(axis=(0, 1))
    step = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(127)
    return np.round(kernel / step).astype(np.int8), step


def _scale(steps: np.ndarray, step: np.ndarray) -> np.ndarray:
    return (steps * step).astype(np.float32)


def load_weights(path: Path, config: TcnConfig) -> Weights:
    """Loads weights from ``model.weights.h5``, or from ``decoder_<format>.npz``, there rounded.

    Raises:
        UserError: The file is missing, damaged, or of a network of another shape.
    """
    arrays = _load_arrays(path)
    weights = {}
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
    """Loads what a run's model has learnt of its noise.

    Raises:
        UserError: The folder holds no trained model, or a damaged one.
    """
    path = run_dir / "model.weights.h5"
    arrays = _load_arrays(path)
    breath = NoiseParameters(
        *(arrays.get(f"breath/{name}", np.empty(0)) for name in ("colour", "slopes"))
    )
    if any(vars(breath)[name].shape != values.shape for name, values in vars(UNTRAINED).items()):
        raise UserError(f"{path} knows no breath, or another kind: train the model again")
    return breath


def load_ranges(path: Path) -> Ranges:
    """Loads the ranges from ``decoder_<format>.npz``."""
    arrays = _load_arrays(path)
    ranges = {
        name.removeprefix("range/"): value
        for name, value in arrays.items()
        if name.startswith("range/")
    }
    return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def save_quantization(path: Path, weights: Weights, ranges: Ranges) -> None:
    """Writes ``decoder_<format>.npz``: kernels as int8 and step per channel, biases, ranges."""
    arrays: dict[str, np.ndarray] = {}
    for layer, (kernel, bias) in weights.items():
        arrays[f"{layer}/kernel"], arrays[f"{layer}/step"] = _round(kernel)
        arrays[f"{layer}/bias"] = bias
    arrays |= {f"range/{name}": np.asarray(limits, np.float64) for name, limits in ranges.items()}
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        stage = "pipeline.train" if path.suffix == ".h5" else "pipeline.quantize"
        raise UserError(f"{path} is missing: run python -m {stage} first")
    try:
        if path.suffix == ".h5":
            return _read_keras_weights(path)
        with np.load(path) as stored:
            return dict(stored)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and make it again") from None


def _read_keras_weights(path: Path) -> dict[str, np.ndarray]:
    """Reads the network and the breath of what Keras saved; a layer's group bears its name."""
    arrays = {}

    def collect(_: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Group) and "0" in node and "1" in node:
            layer = node.attrs["name"]
            names = {"breath": ("colour", "slopes")}.get(layer, ("kernel", "bias"))
            for i, name in enumerate(names):
                arrays[f"{layer}/{name}"] = node[str(i)][()].astype(np.float32)

    with h5py.File(path) as stored:
        stored.visititems(collect)
    return arrays
