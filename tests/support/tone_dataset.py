"""A data set of tones that are easy to learn, and short trainings on it."""

import keras
import numpy as np

from pipeline.core.constants import CLIP_FRAMES, CONTEXT_FRAMES, MIN_LOUDNESS_DB
from pipeline.core.instrument_config import load_instrument
from pipeline.core.patch_files import load_patch
from pipeline.core.profiles import load_profile
from pipeline.model.synth import base_phase, fm_synthesize
from pipeline.training import options

INSTRUMENT = load_instrument("flute")
SETTINGS = {"batch_size": 2, "crop_frames": 64, "warmup_steps": 2, "validate_every": 3}


def write_dataset(path, n_clips=6):
    """Writes tones of the flute patch whose level follows the loudness, which are easy to learn."""
    random = np.random.default_rng(7)
    f0_hz = np.tile(random.uniform(300, 900, (n_clips, 1)), (1, CLIP_FRAMES))
    loudness_db = -30 + 15 * np.sin(
        np.linspace(0, 9, CLIP_FRAMES) + random.uniform(0, 6, (n_clips, 1))
    )
    levels = np.full((n_clips, CLIP_FRAMES, 6), 0.02)
    levels[..., 0] = 0.32 * 10 ** (loudness_db / 20)
    phase = base_phase(f0_hz, load_patch("flute"))
    audio = fm_synthesize(
        keras.ops.convert_to_tensor(levels.astype(np.float32)), phase, load_patch("flute")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        audio=np.round(np.asarray(audio) * 32767).astype(np.int16),
        f0_hz=f0_hz.astype(np.float32),
        loudness_db=loudness_db.astype(np.float32),
        confidence=np.ones((n_clips, CLIP_FRAMES), np.float32),
        n_valid_frames=np.full(n_clips, CLIP_FRAMES, np.int32),
        sounding=np.ones((n_clips, CLIP_FRAMES), bool),
        context_f0_hz=np.repeat(f0_hz[:, :1], CONTEXT_FRAMES, axis=1).astype(np.float32),
        context_loudness_db=np.full((n_clips, CONTEXT_FRAMES), MIN_LOUDNESS_DB, np.float32),
        split=(np.arange(n_clips) % 3 == 2).astype(np.uint8),
        recording=np.array([f"tone{i}" for i in range(n_clips)]),
        source=np.array([("played", "rendered")[i % 2] for i in range(n_clips)]),
        joined=np.zeros(n_clips, bool),
        real=np.arange(n_clips) % 2 == 0,
    )


def settings(**changes):
    training = load_profile("full").training("reduced", **{**SETTINGS, "steps": 9, **changes})
    return options.resolve(INSTRUMENT, "reduced", training)
