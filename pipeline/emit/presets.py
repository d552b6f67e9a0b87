"""Compiles quantized step models and FM patches to the C that goes into a firmware.

For every instrument this writes a decoder (`pipeline.decoder_codegen`), a patch
(`pipeline.fm_codegen`) and the noise beside it (`pipeline.breath`); for all of them together
``decoder_config.h``, which says how large the decoder's state is, ``instruments.c``, the table of
presets, and ``expressions.c``, how they play MIDI (`pipeline.expression_table`). Rooms
(`pipeline.room`) are written where they are asked for; a firmware that finds them plays every
preset in its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.runs import load_run
from pipeline.emit import decoder as emit_decoder
from pipeline.emit import fm as emit_fm
from pipeline.emit import reverb as emit_reverb
from pipeline.emit.c_text import BANNER
from pipeline.emit.expression import expressions_text
from pipeline.emit.noise import noise_text
from pipeline.model import reverb as model_reverb
from pipeline.model.expression import PLAIN, Expression, find_expression
from pipeline.model.noise import NoiseParameters
from pipeline.model.patches import PATCHES
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.weights import load_noise


@dataclass(frozen=True)
class Preset:
    """What a preset of the firmware is made from.

    Attributes:
        name: Of the preset, and what its C symbols begin with.
        tflite: A quantized step model.
        patch: Name of an FM patch.
        noise: What the model has learnt of its noise.
        response: Impulse response of its room (`pipeline.room.shorten`), None to play it dry; all
            presets of a firmware have a room, or none.
        expression: How its notes become frames.
    """

    name: str
    tflite: Path
    patch: str
    noise: NoiseParameters
    response: npt.NDArray[np.floating] | None = None
    expression: Expression = PLAIN


def load_preset(run_dir: Path, *, fmt: str = "int8", reverb_seconds: float = 0.0) -> Preset:
    """Returns the preset of a run folder's model, named after its instrument and variant.

    Args:
        run_dir: Run folder with a quantized model.
        fmt: Format of the model.
        reverb_seconds: Length of the learnt room; 0 for a dry instrument.

    Raises:
        UserError: The run folder is missing or damaged, or has no room of that length.
    """
    config = load_run(run_dir)
    response = None
    if reverb_seconds:
        response = model_reverb.shorten(model_reverb.learnt_response(run_dir), reverb_seconds)
    return Preset(
        name=f"{config.instrument}_{config.variant}",
        tflite=run_dir / f"decoder_{fmt}.tflite",
        patch=config.patch,
        noise=load_noise(run_dir),
        response=response,
        expression=find_expression(config.instrument, run_dir.resolve().parent.parent),
    )


def _instruments_text(instruments: Sequence[Preset]) -> str:
    patches = sorted({instrument.patch for instrument in instruments})
    includes = [f"{instrument.name}_model.h" for instrument in instruments] + [
        f"{p}_patch.h" for p in patches
    ]
    presets = "".join(
        f'    {{"{i.name}", &{i.name}_model, &{i.patch}_patch, &{i.name}_noise}},\n'
        for i in instruments
    )
    lines = "".join(f'#include "{name}"\n' for name in includes)
    breaths = "".join(f"extern const noise_preset_t {i.name}_noise;\n" for i in instruments)
    return f"""\
{BANNER}#include "instrument/instrument.h"
{lines}
{breaths}
const instrument_preset_t instrument_presets[] = {{
{presets}}};

const size_t instrument_n_presets = {len(instruments)};
"""


def generate(instruments: Sequence[Preset], out: Path) -> list[Path]:
    """Writes the C of some instruments for one firmware.

    Args:
        instruments: At least one, of different names.
        out: Folder, made if needed; what an earlier call left there is replaced.

    Returns:
        The files, in the order in which they were written.

    Raises:
        UserError: A model is missing, damaged, or not one that the engine can run.
    """
    names = [instrument.name for instrument in instruments]
    for instrument in instruments:
        if (
            not re.fullmatch(r"[A-Za-z_]\w*", instrument.name, re.ASCII)
            or names.count(instrument.name) > 1
        ):
            raise UserError(f"{instrument.name!r} is no C identifier of its own: rename the preset")
        if instrument.patch not in PATCHES:
            known = ", ".join(PATCHES)
            raise UserError(f"unknown patch {instrument.patch!r}: choose one of {known}")
    models = [read_step_model(instrument.tflite) for instrument in instruments]
    texts = {
        "decoder_config.h": emit_decoder.config_text(models),
        "instruments.c": _instruments_text(instruments),
        "expressions.c": expressions_text({i.name: i.expression for i in instruments}),
    }
    for instrument, model in zip(instruments, models, strict=True):
        texts |= emit_decoder.model_texts(instrument.name, model)
        texts |= emit_fm.patch_texts(PATCHES[instrument.patch])
        texts[f"{instrument.name}_noise.c"] = noise_text(instrument.name, instrument.noise)
    responses = [i.response for i in instruments if i.response is not None]
    if responses:
        if len(responses) < len(instruments):
            raise UserError("some presets have a room and others none: give all of them one")
        texts |= emit_reverb.shared_texts(names, responses)
        for name, response in zip(names, responses, strict=True):
            texts[f"{name}_room.c"] = emit_reverb.reverb_text(name, response)
    out.mkdir(parents=True, exist_ok=True)
    for path in (*out.glob("*.c"), *out.glob("*.h")):
        if path.name not in texts and path.read_text(errors="replace").startswith(BANNER):
            path.unlink()
    for name, text in texts.items():
        path = out / name
        # An unchanged file is left alone, so that it is not compiled again.
        if not path.is_file() or path.read_text() != text:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
    return [out / name for name in texts]
