"""Compares FM patches by how well they imitate recordings.

First, constant levels are fitted to frames of the recordings with every patch. Then a reduced model
is trained for a short time, without reverb or distillation, with each of the best.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio.analysis import Analysis, analyse
from pipeline.audio.partials import measure_partials
from pipeline.audio.recordings import Recording
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import DataConfig, InstrumentConfig, TrainConfig
from pipeline.core.patch import Patch
from pipeline.core.patch_files import patch_table
from pipeline.core.runs import RunConfig
from pipeline.model.static_fit import N_PARTIALS, Partials, fit_levels, make_partials
from pipeline.training.dataset import load_dataset
from pipeline.training.dataset_building import build_dataset
from pipeline.training.loop import train_model

N_FRAMES = 120
LOUD_DB = 30.0  # frames further below the loudest of their recording do not count
EDGE_FRAMES = 8  # frames at the ends of a recording, whose windows reach beyond it
N_TRAINED = 5
SHORT = TrainConfig(
    steps=300,
    dry_steps=300,
    batch_size=8,
    crop_frames=125,  # 0.5 s
    learning_rate=3e-3,
    warmup_steps=30,
    validate_every=300,
)


@dataclass(frozen=True)
class Fit:
    """How well a patch imitates recordings.

    Attributes:
        patch: The patch.
        errors_db: Mean absolute error of the audible partials of each frame in dB.
        mss: Dry distance after the short training, None without one.
    """

    patch: Patch
    errors_db: tuple[float, ...]
    mss: float | None = None

    @property
    def error_db(self) -> float:
        """Mean over the frames."""
        return float(np.mean(self.errors_db))


def distinct_patches(patches: Iterable[Patch]) -> list[Patch]:
    """Leaves out repeated patches, and numbers different ones of the same name."""
    chosen: dict[Patch, Patch] = {}
    names: set[str] = set()
    for patch in patches:
        if patch in chosen:
            continue
        name, number = patch.name, 1
        while name in names:
            number += 1
            name = f"{patch.name}_{number}"
        names.add(name)
        chosen[patch] = replace(patch, name=name)
    return list(chosen.values())


def sample_partials(recordings: Sequence[Recording], config: DataConfig, cache: Path) -> Partials:
    """Measures the partials of `N_FRAMES` frames, spread evenly over what sounds in recordings.

    Args:
        recordings: The recordings.
        config: The pitch range, and which frames have a clear pitch.
        cache: Folder for the analyses of the recordings.

    Raises:
        UserError: No frame has a clear pitch.
    """
    analyses = list(analyse(recordings, config, cache))
    usable = [_usable_frames(analysis, config) for analysis in analyses]
    places = [(i, frame) for i, frames in enumerate(usable) for frame in frames]
    if not places:
        raise UserError(
            f"none of {len(analyses)} recordings has a clear pitch from {config.f0_min_hz:g} to "
            f"{config.f0_max_hz:g} Hz: choose another --instrument, or see python -m "
            "pipeline.inspect"
        )
    chosen = [places[i] for i in np.linspace(0, len(places) - 1, N_FRAMES).astype(int)]
    measured = []
    for i in sorted({i for i, _ in chosen}):
        frames = np.unique([frame for at, frame in chosen if at == i])
        analysis = analyses[i]
        f0_hz = analysis.features.f0_hz[frames]
        measured.append(measure_partials(analysis.audio, frames, f0_hz, N_PARTIALS))
    amplitudes, known = (np.concatenate(arrays) for arrays in zip(*measured, strict=True))
    return make_partials(amplitudes, known)


def _usable_frames(analysis: Analysis, config: DataConfig) -> npt.NDArray[np.int64]:
    features = analysis.features
    usable = features.confidence >= config.confidence_threshold
    usable &= features.loudness_db > features.loudness_db.max() - LOUD_DB
    usable[:EDGE_FRAMES] = usable[-EDGE_FRAMES:] = False
    return np.flatnonzero(usable)


def fit_patches(patches: Sequence[Patch], partials: Partials) -> list[Fit]:
    """Fits constant levels with every patch, on all cores; returns the best patch first."""
    n_threads = max(1, len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(n_threads) as pool:  # NumPy releases the interpreter's lock
        found = pool.map(partial(fit_levels, partials=partials), patches)
        errors = list(tqdm((e for e, _ in found), "fit", len(patches), unit="patch", disable=None))
    fits = [Fit(patch, tuple(map(float, e))) for patch, e in zip(patches, errors, strict=True)]
    return sorted(fits, key=lambda fit: fit.error_db)


def train_best(
    fits: Sequence[Fit],
    config: InstrumentConfig,
    recordings: Sequence[Recording],
    folder: Path,
    settings: TrainConfig = SHORT,
) -> list[Fit]:
    """Trains a reduced model for a short time with each of the best patches.

    Args:
        fits: From `fit_patches`, the best first.
        config: The instrument.
        recordings: The recordings; those that are kept for validation measure the distance.
        folder: Receives the data set and the run folders.
        settings: How the models are trained.

    Returns:
        The same patches; the trained ones come first, by their distances.
    """
    build_dataset(config, recordings, folder)
    trained = []
    for fit in fits[:N_TRAINED]:
        table = patch_table(fit.patch)
        dataset = load_dataset(folder / "dataset.npz", replace(config, patch=table))
        run = RunConfig(config.instrument, table, "reduced", config.reduced, settings)
        metrics = train_model(folder / fit.patch.name, run, dataset, resume=False)
        figures = metrics["mss"]["valid"]
        distance = figures.get("real_dry", figures.get("rendered_dry", figures["train_loss"]))
        trained.append(replace(fit, mss=float(distance)))
    return sorted(trained, key=lambda fit: fit.mss or 0.0) + list(fits[N_TRAINED:])
