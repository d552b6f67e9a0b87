"""The instrument as it is trained: decoder network, FM synthesizer, noise and reverb in one model.

Run folders hold its weights as ``model.weights.h5``, in Keras' layout.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.core.runs import WEIGHTS, RunConfig, load_run
from pipeline.model.dry import synthesize_dry
from pipeline.model.gate import loudness_gate
from pipeline.model.inputs import prepend_context, scale_features
from pipeline.model.noise import grains_like
from pipeline.model.noise_layer import FilteredNoise
from pipeline.model.patches import find_patch
from pipeline.model.reverb_layer import Reverb
from pipeline.model.synth import Tensor, base_phase, fm_levels
from pipeline.model.tcn import build_tcn
from pipeline.model.weights_file import (
    NOISE_LAYER,
    REVERB_LAYER,
    read_weights,
    write_weights,
)

Floats = npt.NDArray[np.floating]


class Ddx7(keras.Model):
    """Computes logits, levels and audio from scaled features and the base phase.

    Attributes:
        tcn: The decoder network.
        noise: The noise that is added to the operators.
        reverb: The reverb.
        patch: The FM patch.
    """

    def __init__(self, config: RunConfig, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        self.patch = find_patch(config)
        train = config.train
        self.tcn = build_tcn(
            config.tcn, initial_logit=train.initial_logit, dropout=train.dropout, seed=train.seed
        )
        self.noise = FilteredNoise(name=NOISE_LAYER)
        self.noise.build()
        self.reverb = Reverb(seed=config.train.seed, name=REVERB_LAYER)
        self.reverb.build()
        self.built = True

    def call(
        self, inputs: Mapping[str, Tensor], training: bool = False, dry: bool = False
    ) -> dict[str, Tensor]:
        """Renders clips.

        Args:
            inputs: ``features``, scaled (see `pipeline.model.inputs.scale_features`), shape [batch,
                n_context + n_frames, 2]; ``phase`` (see `pipeline.model.synth.base_phase`), shape
                [batch, n_samples], 64 samples per frame; ``grains`` (see
                `pipeline.model.noise.grain_offsets`), shape [batch, n_frames]. The context fills
                the network's receptive field (see `pipeline.model.inputs.prepend_context`) and is
                not rendered.
            training: Whether dropout is active.
            dry: Whether to leave out the reverb.

        Returns:
            ``logits`` of the network and ``levels`` in turns, shape [batch, n_frames, 6]; ``dry``
            and, unless it is left out, with reverb, ``audio``, shape [batch, n_samples].
        """
        grains = inputs["grains"]
        logits, levels = self.decode(inputs, training=training)
        features = inputs["features"][:, -grains.shape[1] :]
        sound = self.synthesize(levels, features, inputs["phase"], grains)
        outputs = {"logits": logits, "levels": levels, "dry": sound}
        return outputs if dry else {**outputs, "audio": self.reverb(sound)}

    def decode(self, inputs: Mapping[str, Tensor], training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns ``logits`` and ``levels`` alone; see `call`."""
        n_frames = inputs["grains"].shape[1]
        logits = self.tcn(inputs["features"], training=training)[:, -n_frames:]
        return logits, fm_levels(logits, loudness_gate(inputs["features"][:, -n_frames:]))

    def synthesize(
        self,
        levels: Tensor,
        features: Tensor,
        phase: Tensor,
        grains: Tensor,
        gains: Tensor | None = None,
    ) -> Tensor:
        """Plays frames with this model's patch and noise, dry; see `synthesize_dry`."""
        return synthesize_dry(
            levels, features, phase, grains, patch=self.patch, noise=self.noise, gains=gains
        )

    def prepare(self, f0_hz: Floats, loudness_db: Floats) -> dict[str, npt.NDArray[Any]]:
        """Returns the inputs of `call` for clips that follow silence.

        Args:
            f0_hz: Pitch in Hz, shape [batch, n_frames].
            loudness_db: Loudness in dB from -80 to 0, shape [batch, n_frames].
        """
        return {
            "features": prepend_context(scale_features(f0_hz, loudness_db), self.config.tcn),
            "phase": base_phase(f0_hz, self.patch),
            "grains": grains_like(f0_hz),
        }

    def render(self, f0_hz: Floats, loudness_db: Floats) -> dict[str, npt.NDArray[Any]]:
        """Renders clips: the outputs of `call` for the inputs from `prepare`, as NumPy arrays."""
        outputs = self(self.prepare(f0_hz, loudness_db))
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


def weighted_layers(model: Ddx7) -> dict[str, keras.layers.Layer]:
    """Returns the layers that have weights, by their names in the weights file."""
    layers = {NOISE_LAYER: model.noise, REVERB_LAYER: model.reverb}
    return layers | {
        layer.name: layer for layer in model.tcn.layers if isinstance(layer, keras.layers.Conv1D)
    }


def save_model(model: Ddx7, run_dir: Path) -> None:
    """Writes the model's weights into `run_dir` (see `pipeline.model.weights_file`)."""
    layers = weighted_layers(model).items()
    write_weights(run_dir / WEIGHTS, {name: layer.get_weights() for name, layer in layers})


def restore_weights(model: Ddx7, run_dir: Path) -> None:
    """Sets a model's weights to those of a run folder.

    Raises:
        UserError: The folder has no weights file, or the file is damaged or has other shapes.
    """
    path = run_dir / WEIGHTS
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

    Args:
        run_dir: The run folder.
        instrument: If given, the instrument that the folder must belong to.

    Raises:
        UserError: The folder has no trained model, or belongs to another instrument.
    """
    config = load_run(run_dir, instrument=instrument)
    model = Ddx7(config)
    restore_weights(model, run_dir)
    return model
