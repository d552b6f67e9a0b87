"""Compares the ways to round a network to integers, and keeps the best.

Besides weights, a quantized network needs the range of every value. Ranges are calibrated on a
fixed list of clips, drawn once and kept as ``calibration.npz`` in the run folder, so that
quantization can be repeated without the data set. For int8, four methods are compared:

- ``ptq``: ranges from the smallest to the largest value;
- ``ptq_equalized``: the same after scaling the hidden channels to similar ranges, which does not
  change the function of the float network;
- ``ptq_narrowed``: the same with narrower ranges (`pipeline.quantization.narrowing`);
- ``qat``: quantization-aware training that starts from ``ptq_narrowed``
  (`pipeline.quantization.qat`).

Each candidate is converted and run by kernels that equal the device's bit for bit. It is judged by
its distance to the float network: the error of the audible levels in dB, and the spectral distance
of the audio. The candidate with the smallest product of both is stored as ``decoder_int8.npz``, and
plain ``ptq`` at 16x8 as ``decoder_int16x8.npz``, with the .tflite files beside them.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.constants import Format
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.runs import WEIGHTS, RunConfig, load_run
from pipeline.model.dry import synthesize_dry
from pipeline.model.gate import loudness_gate
from pipeline.model.inputs import unscale_f0
from pipeline.model.losses import mss
from pipeline.model.metrics import AUDIBLE_DB, logit_error_db
from pipeline.model.noise import NoiseParameters, grain_offsets
from pipeline.model.noise_layer import noise_layer
from pipeline.model.patches import find_patch
from pipeline.model.synth import base_phase, fm_levels
from pipeline.quantization.calibration import Calibration, vary_clips
from pipeline.quantization.float_network import collect_values
from pipeline.quantization.narrowing import narrow_ranges
from pipeline.quantization.pitch_range import FLOAT_RANGE, PitchRange
from pipeline.quantization.qat import train_quantized
from pipeline.quantization.ranges import equalize_channels, plain_ranges, widen_for_device
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_writer import convert_run, convert_step_model
from pipeline.quantization.weights import (
    Floats,
    Ranges,
    Weights,
    fold_pitch_range,
    fold_residual_bias,
    load_noise,
    load_weights,
    round_kernels,
    save_quantization,
)
from pipeline.training.dataset_arrays import require_instrument

NARROWING_STRIDE = 4  # every fourth clip for training is enough to narrow the ranges
VARIATIONS = 3  # copies of the clips for training, in other keys and dynamics
Candidate = tuple[Weights, Ranges]


def judge(
    weights: Weights,
    ranges: Ranges,
    fmt: Format,
    run: RunConfig,
    clips: Floats,
    reference: Floats,
    noise: NoiseParameters,
    pitch: PitchRange = FLOAT_RANGE,
) -> dict[str, float]:
    """Converts a candidate and measures its distance to the float network over clips.

    Args:
        weights: Weights of the candidate.
        ranges: Ranges of the candidate.
        fmt: The format to convert to.
        run: Configuration of the run.
        clips: Scaled features, shape [n_clips, n_frames, 2].
        reference: The float network's logits for them, shape [n_clips, n_frames, 6].
        noise: The noise with which both are played.
        pitch: The notes that the candidate's input spans.

    Returns:
        ``level_error_db`` and ``mss_to_float``.
    """
    decoder = StreamingDecoder(convert_step_model(weights, run.tcn, ranges, fmt, pitch))
    logits = []
    for clip in clips:
        decoder.reset()
        logits.append(decoder.dequantize_logits(decoder.run(decoder.quantize_frames(clip))))
    return {
        "level_error_db": logit_error_db(reference, np.stack(logits)),
        "mss_to_float": _mss(np.stack(logits), reference, clips, run, noise),
    }


def _mss(
    logits: Floats, reference: Floats, clips: Floats, run: RunConfig, noise: NoiseParameters
) -> float:
    """Returns the mean spectral distance between the audio of two sets of logits."""
    import keras

    patch = find_patch(run)
    phase = base_phase(unscale_f0(clips), patch)
    layer = noise_layer(noise)
    grains = grain_offsets(clips.shape[1])[None]

    def play(logits: Floats) -> Any:
        levels = fm_levels(keras.ops.convert_to_tensor(logits), loudness_gate(clips))
        return synthesize_dry(levels, clips, phase, grains, patch=patch, noise=layer)

    distances = mss(play(reference), play(logits))
    return float(keras.ops.convert_to_numpy(distances).mean())


@dataclass(frozen=True)
class _Task:
    """A run's network, and the clips on which it is quantized.

    Attributes:
        run: Configuration of the run.
        pitch: The notes that the quantized network's input spans.
        weights: Weights of the float network for that input, with the last residual's bias folded.
        noise: The noise that the model has learnt.
        calibration: The clips.
        train: The clips for training as the network reads them.
        valid: The clips for judging as the network reads them.
        values: The network's values over the clips for training.
        train_logits: The float network's logits for them, shape [n_clips, n_frames, 6].
        valid_logits: The float network's logits for the clips for judging.
    """

    run: RunConfig
    pitch: PitchRange
    weights: Weights
    noise: NoiseParameters
    calibration: Calibration
    train: Floats
    valid: Floats
    values: dict[str, Floats]
    train_logits: Floats
    valid_logits: Floats

    @classmethod
    def load(cls, run_dir: Path, dataset: Path | None) -> "_Task":
        run = load_run(run_dir)
        if dataset is not None:
            require_instrument(dataset, run.instrument)
        pitch = PitchRange.tracked(load_instrument(run.instrument).data)
        weights = fold_residual_bias(load_weights(run_dir / WEIGHTS, run.tcn), run.tcn)
        weights = fold_pitch_range(weights, run.tcn, pitch)
        calibration = Calibration.of_run(run_dir, dataset)
        train, valid = pitch.narrow(calibration.train), pitch.narrow(calibration.valid)
        values = collect_values(weights, run.tcn, train)
        valid_logits = collect_values(weights, run.tcn, valid)["logits"]
        return cls(
            run=run,
            pitch=pitch,
            weights=weights,
            noise=load_noise(run_dir),
            calibration=calibration,
            train=train,
            valid=valid,
            values=values,
            train_logits=values["logits"].reshape(*train.shape[:2], -1),
            valid_logits=valid_logits.reshape(*valid.shape[:2], -1),
        )

    def candidates(self, epochs: int) -> dict[str, Candidate]:
        """Returns weights and ranges by method."""
        tcn = self.run.tcn
        plain = self.weights, plain_ranges(self.values)
        weights = equalize_channels(self.weights, tcn, self.values)
        ranges = plain_ranges(collect_values(weights, tcn, self.train))
        few = slice(None, None, NARROWING_STRIDE)
        narrow = narrow_ranges(
            round_kernels(weights), tcn, ranges, self.train[few], self.train_logits[few]
        )
        candidates = {
            "ptq": plain,
            "ptq_equalized": (weights, ranges),
            "ptq_narrowed": (weights, narrow),
        }
        if epochs:
            varied = vary_clips(self.train, VARIATIONS)
            logits = collect_values(self.weights, tcn, varied)["logits"]
            train = varied, logits.reshape(*varied.shape[:2], -1)
            valid = self.valid, self.valid_logits
            candidates["qat"] = train_quantized(weights, tcn, narrow, train, valid, epochs=epochs)
        return candidates

    def finish(self, candidate: Candidate, fmt: Format) -> Candidate:
        """Rounds the weights of a candidate and widens its ranges where the device requires it."""
        weights = round_kernels(candidate[0])
        return weights, widen_for_device(weights, candidate[1], self.run.tcn, fmt)

    def judge(self, candidate: Candidate, fmt: Format) -> dict[str, float]:
        valid = self.calibration.valid
        logits = self.valid_logits
        return judge(*candidate, fmt, self.run, valid, logits, self.noise, self.pitch)


def quantize_run(run_dir: Path, *, dataset: Path | None = None, epochs: int = 40) -> dict[str, Any]:
    """Compares the ways to quantize a run's network and keeps the best in its folder.

    Args:
        run_dir: A trained run folder.
        dataset: The data set to draw calibration clips from; see `Calibration.of_run`.
        epochs: Largest number of epochs of quantization-aware training; 0 skips it.

    Returns:
        The results, as written to ``quantization.json``.
    """
    task = _Task.load(run_dir, dataset)
    candidates = task.candidates(epochs)
    fine = task.finish(candidates["ptq"], "int16x8")
    candidates = {name: task.finish(candidate, "int8") for name, candidate in candidates.items()}
    methods = {name: task.judge(candidate, "int8") for name, candidate in candidates.items()}
    best = min(methods, key=lambda name: math.prod(methods[name].values()))
    results = {
        "instrument": task.run.instrument,
        "variant": task.run.variant,
        "audible_db": AUDIBLE_DB,
        "pitch_range": vars(task.pitch),
        "n_frames": {
            name: clips.shape[0] * clips.shape[1] for name, clips in vars(task.calibration).items()
        },
        "methods": {"int8": methods, "int16x8": {"ptq": task.judge(fine, "int16x8")}},
        "shipped": {"int8": best, "int16x8": "ptq"},
    }
    save_quantization(run_dir / "decoder_int8.npz", *candidates[best], task.pitch)
    save_quantization(run_dir / "decoder_int16x8.npz", *fine, task.pitch)
    convert_run(run_dir)
    write_json(run_dir / "quantization.json", results)
    return results
