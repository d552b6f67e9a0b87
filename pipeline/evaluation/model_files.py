"""Finds the files of the models that are evaluated."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.audio.recordings import Recording
from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.paths import REPOSITORY
from pipeline.core.runs import WEIGHTS, find_run
from pipeline.evaluation.systems import System, float_system


def file_digest(path: Path) -> str:
    """Returns a short hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def output_names(recordings: Sequence[Recording]) -> dict[str, Recording]:
    """Names the results of recordings.

    Returns:
        The recordings by their file's stem; by their path within the source if several share the
        stem; with the source before it if several share that, too.
    """
    stems = Counter(recording.path.stem for recording in recordings)
    within = Counter(_path_within(recording) for recording in recordings)
    names = {}
    for recording in recordings:
        if stems[recording.path.stem] == 1:
            name = recording.path.stem
        elif within[_path_within(recording)] == 1:
            name = _path_within(recording)
        else:
            name = recording.name
        names[name.replace("/", "__")] = recording
    return names


def _path_within(recording: Recording) -> str:
    return recording.name.removeprefix(f"{recording.source}/")


def find_models(
    instrument: str, systems: Sequence[System], runs: Path | None = None
) -> tuple[dict[System, Path], dict[System, str]]:
    """Finds the model file of every system.

    Args:
        instrument: Name of the instrument.
        systems: Float models and firmware.
        runs: Folder of run folders; pretrained models are used for what it does not contain.

    Returns:
        The file of each system, including the float model of every variant that the firmware plays.
        And, for each system without a file, the reason and the command to run first.
    """
    files: dict[System, Path] = {}
    missing: dict[System, str] = {}
    for variant in dict.fromkeys(system.variant for system in systems if system.variant):
        own = [system for system in systems if system.variant == variant]
        own = [float_system(variant), *(s for s in own if s != float_system(variant))]
        try:
            folder = find_run(instrument, variant, runs)
        except UserError as error:
            missing |= dict.fromkeys(own, str(error))
            continue
        for system in own:
            if not system.is_firmware:
                files[system] = folder / WEIGHTS
                continue
            decoder = folder / f"decoder_{system.format}.tflite"
            if decoder.is_file():
                files[system] = decoder
            else:
                command = f"run python -m pipeline.quantize --run {folder} first"
                missing[system] = f"no {system.format} model in {folder}: {command}"
    return files, missing


def model_sources(files: Mapping[System, Path]) -> str:
    """Describes which folders contain the models that `find_models` found.

    Returns:
        One folder, such as ``data/models``, or several with their variants, such as ``runs (full,
        reduced) and data/models (reduced_ad)``.
    """
    variants: dict[str, list[str]] = {}
    for variant in VARIANTS:
        if float_system(variant) in files:
            base = files[float_system(variant)].parents[2]
            variants.setdefault(str(base).removeprefix(f"{REPOSITORY}/"), []).append(variant)
    if len(variants) < 2:
        return "".join(variants)
    return " and ".join(f"{base} ({', '.join(names)})" for base, names in variants.items())
