"""Writes a model as the binary that ``tflm_app/ddx7/ddx7_model.h`` describes and loads."""

import zlib

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.emit.decoder import silence_values
from pipeline.emit.presets import Preset
from pipeline.emit.silent_state import frame_scaling
from pipeline.emit.weight_packing import (
    Layout,
    addition_constants,
    channel_constants,
    weight_words,
)
from pipeline.model.expression import N_RELEASE_KNOTS
from pipeline.model.noise import N_LAYERS
from pipeline.quantization.tflite_reader import StepModel, read_step_model
from pipeline.reference.decoder import level_table
from pipeline.reference.expression import FixedExpression, to_fixed
from pipeline.reference.noise import FixedNoise, to_fixed_noise

SUFFIX = ".ddx7"
MAGIC, VERSION = b"DDX7", 1
ALIGNMENT = 8  # every part begins at a multiple of so many bytes
HEADER = np.dtype(
    [
        ("magic", "S4"),
        ("version", "<u2"),
        ("bits", "u1"),
        ("order", "u1"),
        ("n_bytes", "<u4"),
        ("patch", "<u4"),
        ("name", "S48"),
        ("patch_name", "S32"),
        ("n_channels", "<u2"),
        ("n_blocks", "u1"),
        ("n_taps", "u1"),
        ("logit_zero_point", "<i2"),
        ("n_curves", "u1"),
        ("lowest_note", "u1"),
        ("logit_scale", "<f4"),
        ("scaling", "<f4", 6),
        ("noise", "<i4", (N_LAYERS, 9)),
        ("slur", "<i2", N_RELEASE_KNOTS),
        ("slur_frames", "u1"),
        ("vibrato_delay", "u1"),
        ("vibrato_growth_q16", "<u2"),
        ("vibrato_depth", "<u2"),
        ("vibrato_rate", "<u4"),
        ("pitch_drift", "<u2"),
        ("loudness_drift", "<u2"),
        ("loudest_db", "<i4"),
        ("crc", "<u4"),
    ]
)


def file_name(preset_name: str, layout: Layout) -> str:
    """Returns the usual name of a model's file."""
    return f"{preset_name}.{layout}{SUFFIX}"


def model_bytes(preset: Preset, layout: Layout) -> bytes:
    """Returns the file of a preset, without its reverb.

    Args:
        preset: The preset.
        layout: Order of the weights.

    Raises:
        UserError: The model is missing or damaged, the engine cannot run it, or its name is too
            long.
    """
    model = read_step_model(preset.tflite)
    noise, expression = to_fixed_noise(preset.noise), to_fixed(preset.expression)
    parts = [
        *_layer_parts(model, layout),
        level_table(model.logits.scale, model.logits.zero_point, model.bits).astype("<i4"),
        np.array(silence_values(model), "<i2"),
        noise.tables.astype("<i2"),
        _curves(expression),
    ]
    body = b"".join(map(_padded, parts))
    header = _header(preset, model, noise, expression)
    header["order"] = int(layout == "dsp")
    header["n_bytes"] = HEADER.itemsize + len(body)
    return sealed(header.tobytes() + body)


def sealed(content: bytes) -> bytes:
    """Returns a file with the checksum that its other bytes have."""
    end = HEADER.itemsize
    crc = zlib.crc32(content[end:], zlib.crc32(content[: end - 4]))
    return content[: end - 4] + crc.to_bytes(4, "little") + content[end:]


def _header(
    preset: Preset, model: StepModel, noise: FixedNoise, expression: FixedExpression
) -> npt.NDArray[np.void]:
    """Returns the header but for the order, the size and the checksum; an array of one."""
    header = np.zeros(1, HEADER)
    room = HEADER["name"].itemsize - 1
    if len(preset.name) > room:
        raise UserError(f"the name {preset.name} is longer than {room} characters: shorten it")
    first = model.layers[0]
    values = {
        "magic": MAGIC,
        "version": VERSION,
        "bits": model.bits,
        "patch": preset.patch.id,
        "name": preset.name.encode(),
        "patch_name": preset.patch.name.encode()[: HEADER["patch_name"].itemsize - 1],
        "n_channels": first.output.channels,
        "n_blocks": 1 + model.layers[-1].spec.block,
        "n_taps": first.spec.taps,
        "logit_zero_point": model.logits.zero_point,
        "logit_scale": model.logits.scale,
        "scaling": list(vars(frame_scaling(model)).values()),
        "noise": np.column_stack(
            [noise.gain_q12, noise.per_octave_q12, noise.per_db_q16, noise.per_level_q12.T]
        ),
        "n_curves": len(expression.curves),
    }
    for name, value in values.items():
        header[name] = value
    for name in HEADER.names or ():
        if name not in values and name in vars(expression):
            header[name] = getattr(expression, name)
    return header


def _layer_parts(model: StepModel, layout: Layout) -> list[npt.NDArray[np.generic]]:
    """Returns the channels, weights and addition of every layer."""
    parts: list[npt.NDArray[np.generic]] = []
    for layer in model.layers:
        channels = np.array(channel_constants(model, layer, layout), "<i4").reshape(-1, 4, 3)
        scales = channels[:, :, 1:].reshape(-1, 8)
        parts.append(np.hstack([channels[:, :, 0], scales]))
        parts.append(weight_words(layer, model.bits, layout).astype("<u4"))
        if layer.addition:
            addition = addition_constants(model, layer, layer.addition)
            parts.append(np.array(list(addition.values()), "<i4"))
    return parts


def _curves(expression: FixedExpression) -> npt.NDArray[np.int16]:
    rows = [
        [*curve.envelope, *curve.release, curve.envelope_slope, curve.release_slope]
        for curve in expression.curves
    ]
    return np.array(rows, "<i2")


def _padded(part: npt.NDArray[np.generic]) -> bytes:
    content = part.tobytes()
    return content + bytes(-len(content) % ALIGNMENT)
