"""The instrument as it is trained: decoder network, FM synthesizer, breath and room in one model.

Run folders hold its weights as ``model.weights.h5``, in Keras' layout.
"""

import io
from pathlib import Path

import h5py
import keras
import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.runs import RunConfig, load_run
from pipeline.model.inputs import prepend_context, scale_features
from pipeline.model.noise import grain_offsets
from pipeline.model.noise_layer import FilteredNoise
from pipeline.model.patches import PATCHES
from pipeline.model.reverb_layer import Reverb
from pipeline.model.synth import base_phase, fm_levels, fm_synthesize
from pipeline.model.tcn import build_tcn

HDF5_FORMAT = ("v110", "v110")  # small, and read by every h5py; "latest" is not, by older ones


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
        self.breath = FilteredNoise(name="breath")
        self.breath.build(None)
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
        gains = self.breath.gains(inputs["features"][:, -grains.shape[1] :], levels)
        dry = dry + self.breath(gains, grains)
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


def save_model(model: Ddx7, run_dir: Path) -> None:
    """Writes ``model.weights.h5`` into `run_dir`, in the layout that Keras reads.

    Weights have half precision, of which no system's MSS knows in its third digit. The file is
    composed in memory: HDF5 itself does not survive a disk that is full.
    """
    convolutions = [layer for layer in model.tcn.layers if isinstance(layer, keras.layers.Conv1D)]
    groups: dict[str, keras.layers.Layer] = {
        "layers/breath": model.breath,
        "layers/reverb": model.reverb,
    }
    for i, layer in enumerate(convolutions):
        groups[f"layers/functional/layers/conv1d{f'_{i}' if i else ''}"] = layer
    content = io.BytesIO()
    with h5py.File(content, "w", libver=HDF5_FORMAT) as file:
        for name, layer in groups.items():
            group = file.create_group(f"{name}/vars")
            group.attrs["name"] = layer.name
            for i, weight in enumerate(layer.weights):
                values = keras.ops.convert_to_numpy(weight).astype(np.float16)
                packing = {"compression": "gzip", "shuffle": True} if values.ndim else {}
                group.create_dataset(str(i), data=values, **packing)
    with atomic_write(run_dir / "model.weights.h5") as temporary:
        temporary.write_bytes(content.getvalue())


def load_model(run_dir: Path, *, instrument: str | None = None) -> Ddx7:
    """Loads a trained model from a run folder.

    Raises:
        UserError: The folder holds no trained model, or one of another instrument.
    """
    config = load_run(run_dir, instrument=instrument)
    path = run_dir / "model.weights.h5"
    if not path.is_file():
        raise UserError(
            f"{path} is missing: run python -m pipeline.train --instrument {config.instrument}"
        )
    model = Ddx7(config)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} does not fit its config.toml or is damaged: train it again ({error})"
        ) from None
    return model
