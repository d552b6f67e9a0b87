"""The instrument as it is trained: decoder network, FM synthesizer, breath and room in one model.

Run folders hold its weights as ``model.weights.h5``, in Keras' layout.
"""

from pathlib import Path

import keras
import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.runs import RunConfig, load_run
from pipeline.model.inputs import prepend_context, scale_features
from pipeline.model.noise import grain_offsets
from pipeline.model.noise_layer import FilteredNoise
from pipeline.model.patches import PATCHES
from pipeline.model.reverb_layer import Reverb
from pipeline.model.synth import base_phase, fm_levels, fm_synthesize
from pipeline.model.tcn import build_tcn
from pipeline.model.weights_file import (
    FILE_NAME,
    NOISE_LAYER,
    REVERB_LAYER,
    read_weights,
    write_weights,
)


class Ddx7(keras.Model):
    """From scaled features and base phase to logits, levels and audio.

    Attributes:
        tcn: The decoder network.
        breath: The noise beside the operators.
        reverb: The room.
        patch: The FM algorithm.
    """

    def __init__(self, config: RunConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.patch = PATCHES[config.patch]
        self.tcn = build_tcn(config.tcn, dropout=config.train.dropout, seed=config.train.seed)
        self.noise = FilteredNoise(name="breath")
        self.noise.build(None)
        self.reverb = Reverb(seed=config.train.seed, name="reverb")
        self.reverb.build(None)
        self.built = True

    def call(self, inputs, training=False):
        """Renders clips.

        Args:
            inputs: Dict of ``features``, shape [batch, n_lead + n_frames, 2] (see
                `tcn.scale_features`), ``phase``, shape [batch, n_samples] (see
                `synth.base_phase`), 64 samples a frame, and ``grains``, shape [batch, n_frames]
                (see `breath.grain_offsets`). Of the frames that lead in, nothing is heard (see
                `tcn.lead_in`).
            training: Whether dropout is on.

        Returns:
            Dict of ``logits`` of the network and ``levels`` in turns, shape [batch, n_frames, 6],
            ``dry`` and ``audio``, the latter with the room, shape [batch, n_samples].
        """
        grains = inputs["grains"]
        logits, levels = self.decode(inputs, training=training)
        dry = fm_synthesize(levels, inputs["phase"], self.patch)
        gains = self.noise.gains(inputs["features"][:, -grains.shape[1] :], levels)
        dry = dry + self.noise(gains, grains)
        return {"logits": logits, "levels": levels, "dry": dry, "audio": self.reverb(dry)}

    def decode(self, inputs, training=False):
        """Returns ``logits`` and ``levels`` alone; see `call`."""
        logits = self.tcn(inputs["features"], training=training)[:, -inputs["grains"].shape[1] :]
        return logits, fm_levels(logits)

    def prepare(self, f0_hz: np.ndarray, loudness_db: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what `call` reads for clips that follow silence.

        Args:
            f0_hz: Pitch in Hz, shape [batch, n_frames].
            loudness_db: Loudness in dB from -80 to 0, shape [batch, n_frames].
        """
        return {
            "features": prepend_context(scale_features(f0_hz, loudness_db), self.config.tcn),
            "phase": base_phase(f0_hz, self.patch),
            "grains": grains_like(f0_hz),
        }

    def render(self, f0_hz: np.ndarray, loudness_db: np.ndarray) -> dict[str, np.ndarray]:
        """Renders clips: what `call` returns for `prepare`."""
        outputs = self(self.prepare(f0_hz, loudness_db))
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


def grains_like(frames: np.ndarray) -> np.ndarray:
    """Returns the grains that `synth.Breath` reads, the same for each clip.

    Args:
        frames: Of which there are to be as many: shape [n_clips, n_frames, ...].

    Returns:
        int32, shape [n_clips, n_frames].
    """
    return np.broadcast_to(grain_offsets(frames.shape[1]), frames.shape[:2])


def weighted_layers(model: Ddx7) -> dict[str, keras.layers.Layer]:
    """Returns the layers that have weights by the names that they have in the weights file."""
    layers = {NOISE_LAYER: model.noise, REVERB_LAYER: model.reverb}
    return layers | {
        layer.name: layer for layer in model.tcn.layers if isinstance(layer, keras.layers.Conv1D)
    }


def save_model(model: Ddx7, run_dir: Path) -> None:
    """Writes the model's weights into `run_dir` (see `pipeline.model.weights_file`)."""
    layers = weighted_layers(model).items()
    write_weights(run_dir / FILE_NAME, {name: layer.get_weights() for name, layer in layers})


def restore_weights(model: Ddx7, run_dir: Path) -> None:
    """Sets a model's weights to those of a run folder.

    Raises:
        UserError: The folder has no weights file, or one that is damaged or of another shape.
    """
    path = run_dir / FILE_NAME
    stored = read_weights(path)
    for name, layer in weighted_layers(model).items():
        try:
            layer.set_weights(stored.get(name, []))
        except ValueError as error:
            raise UserError(
                f"{path} does not fit its config.toml at layer {name}: train it again ({error})"
            ) from None


def load_model(run_dir: Path, *, instrument: str | None = None) -> Ddx7:
    """Loads a trained model from a run folder.

    Raises:
        UserError: The folder holds no trained model, or one of another instrument.
    """
    config = load_run(run_dir, instrument=instrument)
    model = Ddx7(config)
    restore_weights(model, run_dir)
    return model
