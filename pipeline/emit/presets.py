"""Generates all C of a firmware from its presets: step models, FM patches, noise, reverbs.

Each preset has its own decoder, patch and noise. All presets share ``decoder_config.h``, which
states the sizes of the decoder's state, ``instruments.c``, the table of presets, and
``expressions.c``, which describes how they play MIDI. Reverbs are written only if the presets have
them; a firmware that finds them plays every preset with its own reverb.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.patch import Patch
from pipeline.core.runs import load_run
from pipeline.emit.c_text import BANNER, braces, float_text, includes
from pipeline.emit.decoder import config_text, model_texts
from pipeline.emit.expression import expressions_text
from pipeline.emit.fm import patch_texts
from pipeline.emit.noise import noise_text
from pipeline.emit.reverb import reverb_text, shared_texts
from pipeline.emit.silent_state import frame_scaling
from pipeline.model.expression import PLAIN, Expression, find_expression
from pipeline.model.noise import NoiseParameters
from pipeline.model.patches import find_patch
from pipeline.model.reverb import Array, learnt_response, shorten
from pipeline.quantization.tflite_reader import StepModel, read_step_model
from pipeline.quantization.weights import load_noise


@dataclass(frozen=True)
class Preset:
    """A preset of the firmware.

    Attributes:
        name: Name of the preset and prefix of its C symbols.
        tflite: A quantized step model.
        patch: The FM patch.
        noise: The noise that the model has learnt.
        response: Impulse response of the reverb (see `pipeline.model.reverb.shorten`), None to play
            dry. Either all presets of a firmware have a response or none.
        expression: Table from notes to frames.
    """

    name: str
    tflite: Path
    patch: Patch
    noise: NoiseParameters
    response: Array | None = None
    expression: Expression = PLAIN


def load_preset(run_dir: Path, *, fmt: str = "int8", reverb_seconds: float = 0.0) -> Preset:
    """Returns the preset of a run folder's model, named after its instrument and variant.

    Args:
        run_dir: Run folder with a quantized model.
        fmt: Format of the model.
        reverb_seconds: Length of the learnt reverb in seconds; 0 for a dry instrument.

    Raises:
        UserError: The run folder is missing or damaged, or has no reverb of that length.
    """
    config = load_run(run_dir)
    return Preset(
        name=f"{config.instrument}_{config.variant}",
        tflite=run_dir / f"decoder_{fmt}.tflite",
        patch=find_patch(config),
        noise=load_noise(run_dir),
        response=shorten(learnt_response(run_dir), reverb_seconds) if reverb_seconds else None,
        expression=find_expression(run_dir),
    )


def write_firmware_source(
    presets: Sequence[Preset], out: Path, *, loadable: Sequence[Preset] = ()
) -> list[Path]:
    """Writes the C of the presets of one firmware.

    Args:
        presets: At least one, of different names.
        out: Folder, created if needed. Files of an earlier call are replaced or removed.
        loadable: Presets that are not compiled in, but for which the firmware gets the FM patch and
            the size of the decoder's state, so that it can load them from files.

    Returns:
        The files, in the order in which they were written.

    Raises:
        UserError: A model is missing or damaged, or the engine cannot run it.
    """
    everything = _tell_patches_apart([*presets, *loadable])
    check_names(everything)
    presets = everything[: len(presets)]
    every_model = [read_step_model(preset.tflite) for preset in everything]
    models = every_model[: len(presets)]
    patches = [preset.patch for preset in everything]
    texts = {
        "decoder_config.h": config_text(every_model),
        "instruments.c": _instruments_text(presets, models, patches),
        "expressions.c": expressions_text({preset.name: preset.expression for preset in presets}),
    }
    for patch in patches:
        texts |= patch_texts(patch)
    for preset, model in zip(presets, models, strict=True):
        texts |= model_texts(preset.name, model)
        texts[f"{preset.name}_noise.c"] = noise_text(preset.name, preset.noise)
    texts |= _reverb_texts(presets)
    _replace_generated(texts, out)
    return [out / name for name in texts]


def check_names(presets: Sequence[Preset]) -> None:
    """Raises a `UserError` unless the presets have different names that are C identifiers."""
    names = [preset.name for preset in presets]
    for preset in presets:
        if not re.fullmatch(r"[A-Za-z_]\w*", preset.name, re.ASCII):
            raise UserError(
                f"{preset.name!r} is not a C identifier: rename the instrument or the variant"
            )
        if names.count(preset.name) > 1:
            raise UserError(
                f"two models are {preset.name!r}: give each its own instrument or variant"
            )


def _tell_patches_apart(presets: Sequence[Preset]) -> list[Preset]:
    """Renames patches that share the name of a different one, because names become C symbols."""
    named: dict[str, Patch] = {}
    renamed = []
    for preset in presets:
        patch = preset.patch
        if named.setdefault(patch.name, patch) != patch:
            patch = replace(patch, name=f"{preset.name}_{patch.name}")
            named[patch.name] = patch
        renamed.append(replace(preset, patch=patch))
    return renamed


def _instruments_text(
    presets: Sequence[Preset], models: Sequence[StepModel], patches: Sequence[Patch]
) -> str:
    """Returns ``instruments.c``, the tables of presets and of patches."""
    patch_names = sorted({patch.name for patch in patches})
    headers = [f"{preset.name}_model.h" for preset in presets]
    headers += [f"{name}_patch.h" for name in patch_names]
    addresses = "".join(f"    &{name}_patch,\n" for name in patch_names)
    noises = "".join(f"extern const noise_preset_t {preset.name}_noise;\n" for preset in presets)
    table = "".join(
        f'    {{"{preset.name}", &{preset.name}_model, &{preset.patch.name}_patch, '
        f"&{preset.name}_noise,\n     {_scaling_text(model)}}},\n"
        for preset, model in zip(presets, models, strict=True)
    )
    return f"""\
{BANNER}#include "instrument/instrument.h"
{includes(headers)}
{noises}
const instrument_preset_t instrument_presets[] = {{
{table}}};

const size_t instrument_n_presets = {len(presets)};

const fm_patch_t *const instrument_patches[] = {{
{addresses}}};

const size_t instrument_n_patches = {len(patch_names)};
"""


def _scaling_text(model: StepModel) -> str:
    """Returns the ``frame_scaling_t`` of a model."""
    return braces(float_text(value) for value in vars(frame_scaling(model)).values())


def _reverb_texts(presets: Sequence[Preset]) -> dict[str, str]:
    """Returns the C of the reverbs; presets with equal impulse responses share one."""
    responses = {preset.name: preset.response for preset in presets if preset.response is not None}
    if not responses:
        return {}
    if len(responses) < len(presets):
        raise UserError("some presets have a reverb and others do not: give all of them one")
    owners = {
        name: next(owner for owner, own in responses.items() if np.array_equal(own, response))
        for name, response in responses.items()
    }
    texts = shared_texts(list(owners.values()), list(responses.values()))
    for name in dict.fromkeys(owners.values()):
        texts[f"{name}_reverb.c"] = reverb_text(name, responses[name])
    return texts


def _replace_generated(texts: dict[str, str], out: Path) -> None:
    """Writes files into a folder and removes other generated files from it."""
    out.mkdir(parents=True, exist_ok=True)
    for path in (*out.glob("*.c"), *out.glob("*.h")):
        if path.name not in texts and path.read_text(errors="replace").startswith(BANNER):
            path.unlink()
    for name, text in texts.items():
        path = out / name
        # An unchanged file keeps its time stamp, so that it is not compiled again.
        if not path.is_file() or path.read_text() != text:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
