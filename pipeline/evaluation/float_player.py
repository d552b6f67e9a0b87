"""Plays MIDI scores with the float model instead of the decoder and voices of the firmware."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.paths import BUILD_DIR
from pipeline.core.runs import load_run
from pipeline.emit import presets
from pipeline.model import reverb as model_reverb
from pipeline.model.ddx7 import Ddx7, load_model
from pipeline.model.expression import find_expression
from pipeline.model.inputs import scale_features
from pipeline.model.noise import UNTRAINED, grain_offsets
from pipeline.model.patches import find_patch
from pipeline.quantization import tflite_writer
from pipeline.reference import reverb as reference_reverb
from pipeline.reference.frame import clamp_frames
from pipeline.reference.limiter import limit
from pipeline.target.player import Performance, Score, perform_preset, stretches


def render_stretches(performance: Performance, model: Ddx7) -> np.ndarray:
    """Renders the frames that the player sent to its voices with the float model, dry.

    Returns:
        int16 PCM, shape [64 * n_blocks].
    """
    mix = np.zeros(len(performance.pcm), np.int64)
    for stretch in stretches(performance):
        f0_hz, loudness_db = clamp_frames(stretch.frames).T
        inputs = model.prepare(f0_hz[None], loudness_db[None])
        levels = np.array(model.decode(inputs)[1])
        features = scale_features(f0_hz, loudness_db)[None]
        gains = np.array(model.noise.gains(features, levels))
        if stretch.is_faded:
            levels[:, -1] = gains[:, -1] = 0
        grains = grain_offsets(len(f0_hz), voice=stretch.voice)[None]
        sound = model.synthesize(levels, features, inputs["phase"], grains, gains)
        begin = stretch.block * HOP_SAMPLES
        mix[begin : begin + sound.shape[1]] += to_pcm(sound[0])
    return limit(mix)


def render_score(
    score: Score, run_dir: Path, instrument: str, *, n_voices: int, reverb_seconds: float = 0.0
) -> Performance:
    """Plays a score with the float model; the firmware's player makes the frames, on the host.

    Args:
        score: From `pipeline.target.midi_score.load_piece`.
        run_dir: Run folder with the model.
        instrument: The instrument that the folder must belong to.
        n_voices: Number of the player's voices.
        reverb_seconds: Length of the learnt reverb; 0 to play dry.

    Raises:
        UserError: The model is missing or damaged, or a tool is missing.
    """
    model = load_model(run_dir, instrument=instrument)
    performance = perform_preset(_generate_for_frames(run_dir), score, "host", n_voices=n_voices)
    pcm = render_stretches(performance, model)
    if reverb_seconds:
        response = model_reverb.shorten(model_reverb.learnt_response(run_dir), reverb_seconds)
        pcm = reference_reverb.play_reverb(np.pad(pcm, (0, len(response))), response)
    return replace(performance, pcm=pcm)


def _generate_for_frames(run_dir: Path) -> Path:
    """Generates a firmware with a model's expression and an arbitrary tiny decoder."""
    config = load_run(run_dir)
    expression = find_expression(run_dir)
    place = hashlib.sha256(str(run_dir.resolve()).encode()).hexdigest()[:8]
    out = BUILD_DIR / "generated" / f"frames-{config.instrument}-{place}"
    out.mkdir(parents=True, exist_ok=True)
    tflite = out / "decoder.tflite"
    tflite.write_bytes(
        tflite_writer.random_step_model(TcnConfig(n_blocks=2, hidden_channels=8), 0, "int8")
    )
    preset = presets.Preset(
        config.instrument, tflite, find_patch(config), UNTRAINED, expression=expression
    )
    presets.write_firmware_source([preset], out)
    return out
