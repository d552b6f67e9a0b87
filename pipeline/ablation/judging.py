"""Measures a trained model on the test clips of every source of its data set."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.ablation.grid import FLOAT_125, INT8, RECORDINGS
from pipeline.audio.features import Features
from pipeline.audio.level import Gains
from pipeline.audio.lpc import lpc_anchor, lpc_noise_anchor
from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.core.constants import (
    CONTEXT_FRAMES,
    HOP_SAMPLES,
    MAX_LOUDNESS_DB,
    MIN_LOUDNESS_DB,
    TEST,
)
from pipeline.core.files import load_arrays
from pipeline.core.instrument_config import DataConfig
from pipeline.evaluation.rendering import render_float
from pipeline.evaluation.systems import LPC, LPC_NOISE
from pipeline.model.ddx7 import load_model
from pipeline.model.measurement import measure
from pipeline.model.silence_metrics import silence_level_dbfs
from pipeline.quantization.selection import quantize_run
from pipeline.target import firmware, sources
from pipeline.training.dataset_arrays import STORED, Arrays
from pipeline.training.dataset_summary import read_gains

BOARD = "host"  # plays the same samples as every other board
Pcm = npt.NDArray[np.int16]
Audio = npt.NDArray[np.float32]
Player = Callable[[Features, Audio], Pcm]  # the audio is that of the recording, for the anchors
SourceFigures = dict[str, dict[str, Any]]


def judge_run(
    run_dir: Path, dataset: Path, data: DataConfig, system: str, *, clips: int, qat_epochs: int
) -> SourceFigures:
    """Plays test clips with a model and measures how close the results are.

    Models play dry. They play the frames before a clip, too, and pauses between joined notes; only
    frames of the recordings count, except for the silence in these pauses.

    Args:
        run_dir: Run folder of the model; receives the decoder if it is quantized.
        dataset: The ``dataset.npz``.
        data: Pitch range and confidence threshold.
        system: One of `grid.SYSTEMS`.
        clips: Largest number of clips per source, which are spread over its test split.
        qat_epochs: Largest number of epochs of quantization-aware training.

    Returns:
        By source, the number of ``recordings`` and the mean over these of every figure of
        `measure`; None where no recording has the figure.
    """
    arrays = load_arrays(dataset, remedy="delete it", names=STORED)
    gains = read_gains(dataset)
    if system in ANCHOR_PLAYERS:
        play = ANCHOR_PLAYERS[system]
    elif system == INT8:
        play = _firmware_player(run_dir, dataset, qat_epochs=qat_epochs)
    else:
        play = _float_player(run_dir, levels_every=2 if system == FLOAT_125 else 1)
    figures = {}
    for source in np.unique(arrays["source"]):
        found = np.flatnonzero((arrays["split"] == TEST) & (arrays["source"] == source))
        chosen = found[np.unique(np.linspace(0, len(found) - 1, clips).round().astype(int))]
        if len(found):
            rows = [_judge_clip(arrays, clip, play, data, gains) for clip in chosen]
            figures[str(source)] = _mean_by_recording(rows, arrays["recording"][chosen])
    return figures


def _play_lpc(features: Features, audio: Audio) -> Pcm:
    return to_pcm(lpc_anchor(audio, features.f0_hz))


def _play_lpc_noise(features: Features, audio: Audio) -> Pcm:
    return to_pcm(lpc_noise_anchor(audio, features.f0_hz, features.confidence))


ANCHOR_PLAYERS: Mapping[str, Player] = {LPC.name: _play_lpc, LPC_NOISE.name: _play_lpc_noise}


def _float_player(run_dir: Path, *, levels_every: int) -> Player:
    model = load_model(run_dir)

    def play(features: Features, _audio: Audio) -> Pcm:
        return to_pcm(render_float(model, features, levels_every=levels_every)["dry"])

    return play


def _firmware_player(run_dir: Path, dataset: Path, *, qat_epochs: int) -> Player:
    """Quantizes a model and builds its firmware."""
    quantize_run(run_dir, dataset=dataset, epochs=qat_epochs)
    built = firmware.build(BOARD, sources.generate(run_dir, fmt=INT8))

    def play(features: Features, _audio: Audio) -> Pcm:
        return firmware.render(built, features.frames).pcm

    return play


def _judge_clip(
    arrays: Arrays, clip: int, play: Player, data: DataConfig, gains: Gains
) -> dict[str, float | None]:
    """Plays a clip with its past and returns its figures, at the level of the recording."""
    names = ("f0_hz", "loudness_db")
    past = {name: arrays[f"context_{name}"][clip] for name in names}
    present = {name: arrays[name][clip] for name in (*names, "confidence")}
    whole = {name: np.concatenate([past[name], present[name]]) for name in names}
    confidence = np.pad(present["confidence"], (CONTEXT_FRAMES, 0))
    audio = from_pcm(arrays["audio"][clip])
    played = play(
        Features(**whole, confidence=confidence), np.pad(audio, (CONTEXT_FRAMES * HOP_SAMPLES, 0))
    )
    gain_db = gains.of_name(str(arrays["source"][clip]), str(arrays["recording"][clip]))
    scale = np.float32(10 ** (-gain_db / 20))
    estimate = scale * from_pcm(played[CONTEXT_FRAMES * HOP_SAMPLES :])
    reference = scale * audio
    loudness_db = present["loudness_db"] - np.float32(gain_db)
    present["loudness_db"] = np.clip(loudness_db, MIN_LOUDNESS_DB, MAX_LOUDNESS_DB)
    kept = arrays["sounding"][clip]
    samples = np.repeat(kept, HOP_SAMPLES)
    features = Features(**{name: values[kept] for name, values in present.items()})
    figures = measure(reference[samples], estimate[samples], features, data)
    return figures | {"silence_dbfs": silence_level_dbfs(reference, estimate)}


def _mean_by_recording(
    rows: list[dict[str, float | None]], recordings: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """Averages figures over the clips of each recording, then over recordings, ignoring None."""
    means: dict[str, Any] = {RECORDINGS: len(np.unique(recordings))}
    for name in rows[0]:
        known = [(r, row[name]) for r, row in zip(recordings, rows, strict=True)]
        values = {r: [v for key, v in known if key == r and v is not None] for r in recordings}
        per_recording = [np.mean(own) for own in values.values() if own]
        means[name] = round(float(np.mean(per_recording)), 4) if per_recording else None
    return means
