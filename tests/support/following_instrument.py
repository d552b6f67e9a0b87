"""An instrument whose levels follow the loudness of the current block without delay."""

from pathlib import Path

import numpy as np

from pipeline.core.constants import N_OPERATORS
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.emit import presets
from pipeline.model.inputs import scale_features
from pipeline.model.noise import UNTRAINED
from pipeline.model.topology import kernel_shapes
from pipeline.quantization import tflite_writer
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.weights import fold_residual_bias

TCN = TcnConfig(n_blocks=2, hidden_channels=8)


def following_decoder() -> bytes:
    """Returns a decoder whose levels are silent at -80 dB and all at their maximum at 0 dB."""
    weights = {
        name: (np.zeros(shape, np.float32), np.zeros(shape[-1], np.float32))
        for name, shape in kernel_shapes(TCN).items()
    }
    for name, (source, n, gain) in {
        "block0_conv1": (1, 1, 1.0),  # from loudness to channel 0
        "block0_conv2": (0, 1, 1.0),
        "block1_conv1": (0, 1, 1.0),
        "block1_conv2": (0, N_OPERATORS, 18.0),
    }.items():
        weights[name][0][-1, source, :n] = gain  # the tap of the current frame
    weights["block1_conv2"][1][:] = -12
    frames = scale_features(np.full(81, 440.0), np.arange(-80.0, 1.0))
    values = tcn_activations(fold_residual_bias(weights, TCN), TCN, frames)
    ranges = {
        name: (float(value.min()), max(float(value.max()), 0.1)) for name, value in values.items()
    }
    return tflite_writer.convert_step_model(weights, TCN, {**ranges, "frame": (0.0, 1.0)}, "int8")


def generate_following(folder: Path) -> Path:
    """Generates the C of the instrument in `folder` and returns the folder."""
    folder.mkdir()
    tflite = folder / "decoder.tflite"
    tflite.write_bytes(following_decoder())
    presets.write_firmware_source(
        [presets.Preset("violin", tflite, load_patch("violin"), UNTRAINED)], folder
    )
    return folder
