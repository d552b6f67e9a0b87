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

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.breath import Breath, grain_offsets
from pipeline.calibration import Calibration
from pipeline.config import LOGIT_RANGE, RunConfig, TcnConfig, load_run, run_main, write_json
from pipeline.convert import Format, convert_run, convert_step_model
from pipeline.network import (
    Ranges,
    Weights,
    fold_residual_bias,
    load_breath,
    load_weights,
    ring_sources,
    round_kernels,
    save_quantization,
    tcn_activations,
)
from pipeline.step_model import StreamingDecoder

AUDIBLE_DB = -60.0  # of the largest level: below, an error of a level counts for nothing
SMALLEST_SHARE = 1e-3  # of the largest channel: smaller ones are not made more of
LARGEST_SUM_STEP = 0.24  # of the output's
TINY = 1e-20


def collect_values(weights: Weights, config: TcnConfig, clips: np.ndarray) -> dict[str, np.ndarray]:
    """Streams clips through the float network; returns every value by name, clips joined."""
    streams = [tcn_activations(weights, config, clip) for clip in clips]
    return {name: np.concatenate([stream[name] for stream in streams]) for name in streams[0]}


def plain_ranges(values: dict[str, np.ndarray]) -> Ranges:
    """Returns the ends of all values; the frame's are 0 to 1, the logits' are clamped."""
    ranges = {
        name: (min(float(value.min()), 0.0), max(float(value.max()), 0.0))
        for name, value in values.items()
    }
    low, high = ranges["logits"]
    return {
        **ranges,
        "frame": (0.0, 1.0),
        "logits": (max(low, LOGIT_RANGE[0]), min(high, LOGIT_RANGE[1])),
    }


def equalize_channels(
    weights: Weights, config: TcnConfig, values: dict[str, np.ndarray]
) -> Weights:
    """Scales the hidden channels so that rounding costs each about the same; the logits stay.

    A hidden value shares one scale among its channels, a kernel one among the inputs of an output.
    Behind a ReLU a channel may be divided by any factor above 0 if the kernels that read it are
    multiplied by it; the factor here balances its largest value against its largest weight (Nagel
    et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).

    Args:
        weights: Weights of the network.
        config: Its shape.
        values: What `collect_values` found.

    Returns:
        Weights of the same function.
    """
    weights = dict(weights)
    last = config.n_blocks - 1
    readers: dict[str, list[str]] = {}
    for layer, source in ring_sources(config).items():
        readers.setdefault(source, []).append(layer)
        if layer == f"block{last}_conv1":
            readers[source].append(f"block{last}_residual")
    del readers["frame"]
    for value, layers in readers.items():
        largest = np.abs(values[value]).max(axis=0)
        kernels = [np.abs(weights[layer][0]) for layer in layers]
        shares = [kernel / np.maximum(kernel.max(axis=(0, 1)), TINY) for kernel in kernels]
        share = np.max([each.max(axis=(0, 2)) for each in shares], axis=0)
        largest, share = (np.maximum(x, x.max() * SMALLEST_SHARE + TINY) for x in (largest, share))
        factor = np.sqrt(largest / share).astype(np.float32)
        givers = ["block0_conv2", "block0_residual"] if value == "block0_sum" else [value]
        for layer in givers:
            weights[layer] = weights[layer][0] / factor, weights[layer][1] / factor
        for layer in layers:
            weights[layer] = weights[layer][0] * factor[:, None], weights[layer][1]
    return weights


def widen_for_device(weights: Weights, ranges: Ranges, config: TcnConfig, fmt: Format) -> Ranges:
    """Widens ranges over which the device's arithmetic would not hold (see `pipeline.aot`).

    A bias counts in steps of input times kernel: where a network has hardly learnt anything, or
    heard next to nothing, its values are so small that these are too fine for its sums. And a step
    of a sum is to be less than a quarter of the output's: where a network is very sensitive to its
    input, that is too fine.

    Args:
        weights: Rounded weights.
        ranges: Of every value.
        config: Shape of the network.
        fmt: ``int8``, where `pipeline.aot` sums up to 2**23, or ``int16x8``, up to 2**31.

    Returns:
        The ranges, of which most stay as they are.
    """
    ranges, sources = dict(ranges), ring_sources(config)
    most_steps, levels = (2**22, 2**8) if fmt == "int8" else (2**30, 2**15)
    last = config.n_blocks - 1
    sources["block0_residual"] = "frame"
    sources[f"block{last}_residual"] = sources[f"block{last}_conv1"]
    for layer, value in sources.items():
        kernel, bias = weights[layer]
        step = np.maximum(np.abs(kernel).max(axis=(0, 1)) / 127, TINY)
        narrowest = float((np.abs(bias) / step).max()) * levels / most_steps
        low, high = ranges[value]
        if value != "frame":
            ranges[value] = low, max(high, narrowest)
    for layer, value in sources.items():
        step = float(np.abs(weights[layer][0]).max()) / 127
        needed = step * _extent(ranges[value], fmt) / LARGEST_SUM_STEP
        wider = max(1.0, needed / max(_extent(ranges[layer], fmt), TINY))
        low, high = ranges[layer]
        ranges[layer] = low * wider, high * wider
    return ranges


def _extent(limits: tuple[float, float], fmt: Format) -> float:
    """Returns the width of a range, or of the half that is wider where zero is in the middle."""
    low, high = limits
    return high - low if fmt == "int8" else max(-low, high)


def level_error_db(logits: np.ndarray, reference: np.ndarray) -> float:
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
    breath: Breath,
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
        "level_error_db": level_error_db(np.stack(logits), reference),
        "mss_to_float": _mss(np.stack(logits), reference, clips, run.patch, breath),
    }


def _mss(
    logits: np.ndarray,
    reference: np.ndarray,
    clips: np.ndarray,
    patch_name: str,
    breath: Breath,
) -> float:
    """Mean spectral distance between the audio of two sets of logits."""
    import keras

    from pipeline.losses import mss
    from pipeline.patches import PATCHES
    from pipeline.synth import Breath as BreathLayer
    from pipeline.synth import base_phase, fm_levels, fm_synthesize

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
    breath = load_breath(run_dir)
    plain = plain_ranges(values["train"])
    equal_weights = equalize_channels(weights, run.tcn, values["train"])
    equal_ranges = plain_ranges(collect_values(equal_weights, run.tcn, calibration.train))
    candidates = {"ptq": (weights, plain), "ptq_equalized": (equal_weights, equal_ranges)}
    if epochs:
        from pipeline.qat import train_quantized

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


def main(argv: list[str] | None = None) -> None:
    """Compares ways to quantize a trained network and leaves the best in its run folder."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.quantize", description=main.__doc__)
    parser.add_argument("--run", type=Path, required=True, help="trained run folder")
    parser.add_argument("--dataset", type=Path, help="data set to draw calibration clips from anew")
    parser.add_argument("--epochs", type=int, default=150, help="most epochs of training, 0: none")
    args = parser.parse_args(argv)
    figures = quantize_run(args.run, dataset=args.dataset, epochs=args.epochs)
    print(f"{'format':8} {'method':14} {'level error':>12} {'MSS to float':>13}")
    for fmt, methods in figures["methods"].items():
        for method, row in methods.items():
            shipped = "  shipped" if figures["shipped"][fmt] == method else ""
            error, distance = row["level_error_db"], row["mss_to_float"]
            print(f"{fmt:8} {method:14} {error:9.3f} dB {distance:13.3f}{shipped}")
    print(f"wrote {args.run}/decoder_int8.tflite, decoder_int16x8.tflite and quantization.json")
    print(f"next: python -m pipeline.codegen --run {args.run}")


if __name__ == "__main__":
    run_main(main)
