"""Decides how the network is rounded to integers, by comparison, and keeps the table.

What a quantized network needs, beyond weights, is the range of every value. It is calibrated on a
fixed list of clips, drawn once and kept as ``calibration.npz`` in the run folder, so that
everything here can be repeated without the data set. For int8 three ways are compared:

- ``ptq``: ranges from the smallest to the largest value;
- ``ptq_equalized``: the same after scaling the hidden channels to similar ranges, which the
  float network does not notice;
- ``qat``: training under quantization with tfmot from there on (`pipeline.qat`).

Each is converted, streamed through the kernels that the device's are bit-exact with, and judged by
its distance to the float network: the error of the audible levels in dB, and the spectral distance
of the audio. The best, by the product of both, is left as ``decoder_int8.npz``, plain ``ptq`` at
16x8 as ``decoder_int16x8.npz``, and the .tflite files beside.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.files import write_json
from pipeline.core.runs import RunConfig, load_run
from pipeline.model.losses import mss
from pipeline.model.noise import NoiseParameters, grain_offsets
from pipeline.model.noise_layer import FilteredNoise as BreathLayer
from pipeline.model.patches import PATCHES
from pipeline.model.synth import base_phase, fm_levels, fm_synthesize
from pipeline.quantization.calibration import Calibration
from pipeline.quantization.float_network import collect_values
from pipeline.quantization.qat import train_quantized
from pipeline.quantization.ranges import equalize_channels, plain_ranges, widen_for_device
from pipeline.quantization.step_model import StreamingDecoder
from pipeline.quantization.tflite_writer import Format, convert_run, convert_step_model
from pipeline.quantization.weights import (
    Ranges,
    Weights,
    fold_residual_bias,
    load_noise,
    load_weights,
    round_kernels,
    save_quantization,
)

AUDIBLE_DB = -60.0  # of the largest level: below, an error of a level counts for nothing


def logit_error_db(logits: np.ndarray, reference: np.ndarray) -> float:
    """Returns the mean absolute error of the audible levels in dB.

    Args:
        logits: Any shape.
        reference: The float network's, same shape. Levels of it below `AUDIBLE_DB` are left out.
    """

    def level_db(values: np.ndarray) -> np.ndarray:
        return -20 * np.log10(1 + np.exp(-values.astype(np.float64)))

    audible = level_db(reference) > AUDIBLE_DB
    return float(np.mean(np.abs(level_db(logits) - level_db(reference))[audible]))


def judge(
    weights: Weights,
    ranges: Ranges,
    fmt: Format,
    run: RunConfig,
    clips: np.ndarray,
    reference: np.ndarray,
    breath: NoiseParameters,
) -> dict[str, float]:
    """Converts a candidate and measures its distance to the float network over clips.

    Args:
        weights: The candidate's weights.
        ranges: The candidate's ranges.
        fmt: The format to convert to.
        run: The run's configuration.
        clips: Scaled features, shape [n_clips, n_frames, 2].
        reference: The float network's logits for them, shape [n_clips, n_frames, 6].
        breath: The noise with which both are played.
    """
    decoder = StreamingDecoder(convert_step_model(weights, run.tcn, ranges, fmt))
    logits = []
    for clip in clips:
        decoder.reset()
        logits.append(decoder.dequantize_logits(decoder.run(decoder.quantize_frames(clip))))
    return {
        "level_error_db": logit_error_db(np.stack(logits), reference),
        "mss_to_float": _mss(np.stack(logits), reference, clips, run.patch, breath),
    }


def _mss(
    logits: np.ndarray,
    reference: np.ndarray,
    clips: np.ndarray,
    patch_name: str,
    breath: NoiseParameters,
) -> float:
    """Mean spectral distance between the audio of two sets of logits."""
    import keras

    patch = PATCHES[patch_name]
    phase = base_phase(440.0 * 2 ** ((clips[..., 0].astype(np.float64) * 127 - 69) / 12), patch)
    layer = BreathLayer()
    layer.build(None)
    layer.set_weights(list(vars(breath).values()))
    grains = grain_offsets(clips.shape[1])[None]

    def play(logits: np.ndarray):
        levels = fm_levels(keras.ops.convert_to_tensor(logits))
        return fm_synthesize(levels, phase, patch) + layer(layer.gains(clips, levels), grains)

    audio = [play(reference), play(logits)]
    return float(keras.ops.convert_to_numpy(mss(*audio)).mean())


def quantize_run(
    run_dir: Path, *, dataset: Path | None = None, epochs: int = 150
) -> dict[str, Any]:
    """Compares the ways to quantize a run's network and leaves the best in its folder.

    Args:
        run_dir: A trained run folder.
        dataset: The data set to draw calibration clips from; without it the folder's
            ``calibration.npz`` is used, or else the data set beside the run folder.
        epochs: Most epochs of training under quantization; 0 leaves it out.

    Returns:
        The table, as written to ``quantization.json``.
    """
    run = load_run(run_dir)
    weights = fold_residual_bias(load_weights(run_dir / "model.weights.h5", run.tcn), run.tcn)
    stored = run_dir / "calibration.npz"
    if dataset is not None or not stored.is_file():
        Calibration.draw(dataset or run_dir.parent / "dataset.npz").save(stored)
    calibration = Calibration.load(stored)
    values = {
        name: collect_values(weights, run.tcn, clips) for name, clips in vars(calibration).items()
    }
    logits = {
        name: values[name]["logits"].reshape(*clips.shape[:2], -1)
        for name, clips in vars(calibration).items()
    }
    breath = load_noise(run_dir)
    plain = plain_ranges(values["train"])
    equal_weights = equalize_channels(weights, run.tcn, values["train"])
    equal_ranges = plain_ranges(collect_values(equal_weights, run.tcn, calibration.train))
    candidates = {"ptq": (weights, plain), "ptq_equalized": (equal_weights, equal_ranges)}
    if epochs:
        candidates["qat"] = train_quantized(
            equal_weights,
            run.tcn,
            equal_ranges,
            (calibration.train, logits["train"]),
            (calibration.valid, logits["valid"]),
            epochs=epochs,
        )

    def finish(candidate: tuple[Weights, Ranges], fmt: Format) -> tuple[Weights, Ranges]:
        rounded = round_kernels(candidate[0])
        return rounded, widen_for_device(rounded, candidate[1], run.tcn, fmt)

    fine = finish(candidates["ptq"], "int16x8")
    candidates = {name: finish(candidate, "int8") for name, candidate in candidates.items()}

    def measure(candidate: tuple[Weights, Ranges], fmt: Format) -> dict[str, float]:
        return judge(*candidate, fmt, run, calibration.valid, logits["valid"], breath)

    table = {
        "int8": {name: measure(candidate, "int8") for name, candidate in candidates.items()},
        "int16x8": {"ptq": measure(fine, "int16x8")},
    }
    best = min(table["int8"], key=lambda name: math.prod(table["int8"][name].values()))
    save_quantization(run_dir / "decoder_int8.npz", *candidates[best])
    save_quantization(run_dir / "decoder_int16x8.npz", *fine)
    convert_run(run_dir)
    figures = {
        "instrument": run.instrument,
        "variant": run.variant,
        "audible_db": AUDIBLE_DB,
        "n_frames": {
            name: clips.shape[0] * clips.shape[1] for name, clips in vars(calibration).items()
        },
        "methods": table,
        "shipped": {"int8": best, "int16x8": "ptq"},
    }
    write_json(run_dir / "quantization.json", figures)
    return figures
