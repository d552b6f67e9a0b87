"""The systems that are evaluated."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.paths import REPOSITORY
from pipeline.core.runs import find_run

DOMAINS = {
    "reference": "recording",
    "lpc": "linear prediction of the recording",
    "float": "with the learnt room",
    "live": "with the learnt room, of live features",
    "mcu": "dry",
    "mcu_room": "with the learnt room",
}
LIVE = "_live"  # what a float model's name ends with where it is told live features
ROOM = "_room"  # what a format ends with where the firmware plays in the room
ROOM_BOARD = "qemu_m7"  # which has memory for all of it
MCU_SUFFIXES = {  # of a variant as the firmware plays it
    "int8": "_mcu",
    "int16x8": "_mcu16",
    f"int8{ROOM}": f"_mcu{ROOM}",
}


def file_digest(path: Path) -> str:
    """Returns what tells a file from another one of the same name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def output_names(paths: Sequence[Path], base: Path) -> list[str]:
    """Names recordings by their stem, or by all of their path below `base` where two share it."""
    stems = Counter(path.stem for path in paths)
    return [
        path.stem if stems[path.stem] == 1 else "__".join(path.relative_to(base).parts)
        for path in paths
    ]


def find_models(
    instrument: str,
    *,
    variants: Sequence[str],
    mcu: Sequence[str],
    formats: Sequence[str],
    runs: Path | None = None,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Finds the file of every model that is asked for; see `Evaluation` for the arguments.

    Returns:
        By system, the file (of `variants` and `mcu` the float weights in any case); and, for each
        system that cannot be had, why, and what to run first.
    """
    files: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for variant in dict.fromkeys([*variants, *mcu]):
        quantized = {fmt: variant + MCU_SUFFIXES[fmt] for fmt in formats if variant in mcu}
        try:
            folder = find_run(instrument, variant, runs)
        except UserError as error:
            missing |= dict.fromkeys([variant, *quantized.values()], str(error))
            continue
        files[variant] = folder / "model.weights.h5"
        for fmt, system in quantized.items():
            decoder = folder / f"decoder_{fmt.removesuffix(ROOM)}.tflite"
            if decoder.is_file():
                files[system] = decoder
            else:
                stage = f"run python -m pipeline.quantize --run {folder} first"
                missing[system] = f"no {fmt} model in {folder}: {stage}"
    return files, missing


def model_sources(files: Mapping[str, Path]) -> str:
    """Says which folder the models that `find_models` found lie in, and where two, which in which.

    Returns:
        Such as ``data/models``, or ``runs (full, reduced) and data/models (reduced_ad)``.
    """
    variants: dict[str, list[str]] = {}
    for variant in filter(files.__contains__, VARIANTS):
        base = str(files[variant].parents[2]).removeprefix(f"{REPOSITORY}/")
        variants.setdefault(base, []).append(variant)
    if len(variants) < 2:
        return "".join(variants)
    return " and ".join(f"{base} ({', '.join(names)})" for base, names in variants.items())
