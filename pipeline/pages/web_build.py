"""Builds the instrument page from run folders: its models, their costs, and the module."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.core.constants import FORMATS, NOTE_OF_1_HZ, VARIANTS
from pipeline.core.instrument_config import (
    InstrumentConfig,
    known_instruments,
    load_instrument,
)
from pipeline.core.instrument_names import instrument_label
from pipeline.core.markdown import thousands
from pipeline.core.paths import BUILD_DIR, shown
from pipeline.core.runs import decoder_name, load_run
from pipeline.emit import presets
from pipeline.evaluation.systems import FORMAT_LABELS, System
from pipeline.evaluation.voice_costs import PlayedModel, find_costs
from pipeline.model.patches import find_patch
from pipeline.pages.web_page import PlayedInstrument, PlayedKind, write_web_page
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.web_module import build_web_module

MAX_REVERB_SECONDS = ALL_BOARDS["wasm"].reverb_seconds
KINDS = {
    variant if fmt == FORMATS[0] else f"{variant}-{FORMAT_LABELS[fmt]}": (variant, fmt)
    for variant in VARIANTS
    for fmt in FORMATS
}
"""Variant and format of each kind of model that a page can compare, by name."""
SHIPPED_KINDS = ("tiny", "tiny-16x8")  # what fits into 1.5 MB beside the reduced + CD models

_TEACHING = {
    "full": "the teacher",
    "reduced": "a small network that has learnt alone",
    "reduced_ad": "the small network, taught by the teacher\N{RIGHT SINGLE QUOTATION MARK}s sound",
    "reduced_cd": "the small network, taught by the teacher\N{RIGHT SINGLE QUOTATION MARK}s levels",
    "tiny": "a tiny network, taught by the levels of Reduced + CD",
}
_ROUNDING = {"int8": "computes in 8 bits", "int16x8": "computes in 16 bits"}


def build_web_page(
    run_dirs: Sequence[Path],
    out: Path,
    say: Callable[[str], object],
    *,
    fmt: str = FORMATS[0],
    kinds: Sequence[str] = (),
    reverb_seconds: float = MAX_REVERB_SECONDS,
    measure: bool = False,
) -> Path:
    """Builds ``index.html`` in a folder and returns it.

    Args:
        run_dirs: A run folder per instrument.
        out: The folder.
        say: Called with lines about what is being done.
        fmt: Format of the models in `run_dirs`.
        kinds: Names of `KINDS` to compare these with; they are looked for beside each run folder.
        reverb_seconds: Length of the learnt reverbs; 0 for none.
        measure: Measure what all voices cost, even where it is known.

    Raises:
        UserError: A model is missing or damaged, or a tool is missing.
    """
    base = [PlayedModel(run_dir, fmt) for run_dir in run_dirs]
    rows: list[Sequence[PlayedModel | None]] = [base]
    rows += [row for kind in kinds if any(row := [_beside(model, kind, say) for model in base])]
    pairs = [pair for row in rows for pair in zip(base, row, strict=True)]
    first = {model: played for played, model in pairs if model}
    models = list(first)
    say("generating the C of the models, and compiling the firmware to WebAssembly")
    module = build_web_module(_generate([(first[m], m) for m in models], reverb_seconds))
    costs = find_costs(models, say, measure=measure)
    columns = [[m and models.index(m) for m in column] for column in zip(*rows, strict=True)]
    return write_web_page(
        module,
        [_instrument(*pair, base) for pair in zip(base, columns, strict=True)],
        [_kind([model for model in row if model]) for row in rows],
        costs,
        out,
        has_reverb=reverb_seconds > 0,
        left_out=[kind for kind in KINDS if any(_is_left_out(kind, m, models) for m in base)],
    )


def _is_left_out(kind: str, played: PlayedModel, models: Sequence[PlayedModel]) -> bool:
    """Whether there is a model of a kind beside another one, but not among those of the page."""
    variant, fmt = KINDS[kind]
    model = PlayedModel(played.run_dir.parent / variant, fmt)
    return (model.run_dir / decoder_name(fmt)).is_file() and model not in models


def _beside(played: PlayedModel, kind: str, say: Callable[[str], object]) -> PlayedModel | None:
    """Returns the model of a kind beside another one; None if there is none, or it is that one."""
    variant, fmt = KINDS[kind]
    model = PlayedModel(played.run_dir.parent / variant, fmt)
    if not (model.run_dir / decoder_name(fmt)).is_file():
        say(f"not compared: {shown(model.run_dir)} has no {decoder_name(fmt)}")
    elif find_patch(load_run(model.run_dir)) != find_patch(load_run(played.run_dir)):
        say(f"not compared: {shown(model.run_dir)} has another patch")
    elif model != played:
        return model
    return None


def _generate(models: Sequence[tuple[PlayedModel, PlayedModel]], reverb_seconds: float) -> Path:
    """Generates the C of models.

    Args:
        models: Each model, after the first one of its instrument, whose reverb it plays with.
        reverb_seconds: Length of the reverbs.
    """
    loaded: dict[PlayedModel, presets.Preset] = {}
    for first, model in models:
        preset = presets.load_preset(
            model.run_dir, fmt=model.fmt, reverb_seconds=reverb_seconds if model == first else 0
        )
        loaded[model] = replace(
            preset,
            name=preset.name if model.fmt == first.fmt else f"{preset.name}_{model.fmt}",
            response=preset.response if model == first else loaded[first].response,
        )
    described = " ".join(f"{model.run_dir.resolve()} {model.fmt}" for model in loaded)
    place = hashlib.sha256(f"{described} {reverb_seconds}".encode()).hexdigest()[:8]
    out = BUILD_DIR / "generated" / f"web-{place}"
    presets.write_firmware_source(list(loaded.values()), out)
    return out


def _instrument(
    played: PlayedModel, numbers: Sequence[int | None], base: Sequence[PlayedModel]
) -> PlayedInstrument:
    """Returns an instrument of the page.

    Args:
        played: Its first model.
        numbers: Numbers of its presets by kind.
        base: The first models of all instruments.
    """
    config = load_run(played.run_dir)
    label = instrument_label(config.instrument)
    names = [load_run(model.run_dir).instrument for model in base]
    if names.count(config.instrument) > 1:
        label += f", {config.variant}"
    known = load_instrument(config.instrument) if config.instrument in known_instruments() else None
    lowest, highest = notes = _range(known) if known else (48, 84)
    return PlayedInstrument(
        label,
        find_patch(config),
        note=12 * ((lowest + highest) // 24),
        range=notes if known else None,
        is_solo=known is not None and not known.decays,
        presets=numbers,
    )


def _range(config: InstrumentConfig) -> tuple[int, int]:
    """Returns the lowest and the highest MIDI note of an instrument."""
    if config.corpus:
        return config.corpus.lowest_note, config.corpus.highest_note
    bounds = config.data.f0_min_hz, config.data.f0_max_hz
    lowest, highest = (round(NOTE_OF_1_HZ + 12 * math.log2(f0_hz)) for f0_hz in bounds)
    return lowest, highest


def _kind(models: Sequence[PlayedModel]) -> PlayedKind:
    """Describes models of one kind; they may be of several kinds if the user has named them."""
    variants = {load_run(model.run_dir).variant for model in models}
    if len(variants) > 1:
        return PlayedKind("As given", "the models that were given for this page")
    (variant,), fmt = variants, models[0].fmt
    file = models[0].run_dir / decoder_name(fmt)
    n_mac = thousands(read_step_model(file).n_mac)
    detail = (
        f"{_TEACHING[variant]}, {_ROUNDING[fmt]}: {n_mac} multiplications every 4\u00a0ms, "
        f"{file.stat().st_size / 1000:.0f} kB"
    )
    return PlayedKind(System(variant, fmt).label, detail)
