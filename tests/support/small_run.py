"""A run folder with a small untrained model."""

from pathlib import Path

import numpy as np
from support.networks import tcn_weights

from pipeline.core.constants import FRAME_RATE
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.patch_files import PatchValue
from pipeline.core.runs import RunConfig
from pipeline.model.ddx7 import Ddx7, save_model
from pipeline.model.inputs import scale_features
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.tflite_writer import convert_step_model
from pipeline.quantization.weights import fold_residual_bias

TCN = TcnConfig(n_blocks=2, hidden_channels=8)


def make_run(
    folder: Path,
    *,
    instrument: str = "flute",
    variant: str = "reduced_cd",
    patch: PatchValue | None = None,
) -> Ddx7:
    """Writes a run folder with an untrained model and its int8 decoder; returns the model."""
    config = RunConfig(
        instrument, patch or instrument, variant, TCN, TrainConfig(initial_logit=-3.0)
    )
    model = Ddx7(config)
    folder.mkdir(parents=True)
    config.save(folder)
    save_model(model, folder)
    n_frames = 2 * FRAME_RATE
    frames = scale_features(np.geomspace(250, 2000, n_frames), np.linspace(-80, 0, n_frames))
    weights = tcn_weights(model.tcn)
    values = tcn_activations(fold_residual_bias(weights, TCN), TCN, frames)
    ranges = {name: (float(value.min()), float(value.max())) for name, value in values.items()}
    decoder = convert_step_model(weights, TCN, {**ranges, "frame": (0.0, 1.0)}, "int8")
    (folder / "decoder_int8.tflite").write_bytes(decoder)
    return model
