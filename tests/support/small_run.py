"""What tests of the later stages need: a tone, and a run folder of a small untrained model."""

from pathlib import Path

import numpy as np

from pipeline.core.constants import FRAME_RATE, SAMPLE_RATE
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.runs import RunConfig
from pipeline.model.ddx7 import Ddx7, save_model
from pipeline.model.inputs import scale_features
from pipeline.model.tcn import tcn_weights
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.tflite_writer import convert_step_model
from pipeline.quantization.weights import fold_residual_bias

TCN = TcnConfig(n_blocks=2, hidden_channels=8)


def make_tone(seconds: float, f0_hz: float = 523.25, *, level: float = 0.3) -> np.ndarray:
    """Makes a steady tone of falling harmonics below 8 kHz, float32."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = [n for n in range(1, 11) if n * f0_hz < SAMPLE_RATE / 2]
    wave = sum(0.6**n * np.sin(2 * np.pi * n * f0_hz * t) for n in harmonics)
    return np.asarray(level * wave / np.abs(wave).max(), np.float32)


def make_run(folder: Path, *, instrument: str = "flute", variant: str = "reduced_cd") -> Ddx7:
    """Writes a run folder with a model, untrained, and its int8 decoder; returns the model."""
    config = RunConfig(instrument, instrument, variant, TCN, TrainConfig())
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
