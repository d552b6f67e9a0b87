"""Fits constant levels to frames of recordings with several patches, and ranks the patches."""

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
from pipeline.core.files import write_json
from pipeline.core.instrument_config import DataConfig
from pipeline.core.patch import Patch
from pipeline.core.patch_files import known_patches, load_patch, patch_table
from pipeline.core.processes import worker_count
from pipeline.model.static_fit import N_PARTIALS, Partials, fit_levels, make_partials

N_FRAMES = 120  # that `rank_patches` fits levels to
LOUD_DB = 30.0  # frames further below the loudest of their recording do not count
EDGE_FRAMES = 8  # frames at the ends of a recording, whose windows reach beyond it

Place = tuple[int, int]  # numbers of a recording and of a frame within it


@dataclass(frozen=True)
class Fit:
    """How well a patch imitates recordings.

    Attributes:
        patch: The patch.
        errors_db: Mean absolute error of the audible partials of each frame in dB.
        mss: Dry distance after a short training, None without one.
    """

    patch: Patch
    errors_db: tuple[float, ...]
    mss: float | None = None

    @property
    def error_db(self) -> float:
        """Mean over the frames."""
        return float(np.mean(self.errors_db))


def harmonic_patches() -> list[Patch]:
    """Loads the patches of ``data/patches``, but not stretched ones.

    The stretch of a patch is that of one kind of string, which static fits do not see.
    """
    patches = map(load_patch, known_patches())
    return [patch for patch in patches if not patch.is_stretched]


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


def rank_patches(
    patches: Sequence[Patch], recordings: Sequence[Recording], config: DataConfig, cache: Path
) -> list[Fit]:
    """Fits patches to frames of recordings; returns the best patch first.

    Args:
        patches: The patches.
        recordings: The recordings.
        config: The pitch range, and which frames have a clear pitch.
        cache: Where the analyses of recordings are kept.

    Raises:
        UserError: A recording is not usable audio, or none has a clear pitch.
    """
    analyses = list(analyse(recordings, config, cache))
    places = find_places(analyses, config)
    if not places:
        raise UserError(
            f"none of {len(analyses)} recordings has a clear pitch from {config.f0_min_hz:g} to "
            f"{config.f0_max_hz:g} Hz: choose another --instrument, or see python -m "
            "pipeline.inspect"
        )
    return fit_patches(patches, sample_partials(analyses, places, N_FRAMES))


def write_fits(path: Path, fits: Sequence[Fit]) -> None:
    """Writes patches with their errors to a JSON file, the best first."""
    rows = [
        patch_table(fit.patch)
        | {"error_db": fit.error_db, "errors_db": fit.errors_db, "mss_dry": fit.mss}
        for fit in fits
    ]
    write_json(path, {"n_frames": len(fits[0].errors_db), "patches": rows})


def find_places(analyses: Sequence[Analysis], config: DataConfig) -> list[Place]:
    """Lists the frames of recordings that are loud and have a clear pitch.

    Args:
        analyses: The recordings.
        config: The pitch range, and which frames have a clear pitch.
    """
    return [
        (number, int(frame))
        for number, analysis in enumerate(analyses)
        for frame in _usable_frames(analysis, config)
    ]


def _usable_frames(analysis: Analysis, config: DataConfig) -> npt.NDArray[np.int64]:
    features = analysis.features
    usable = features.confidence >= config.confidence_threshold
    usable &= features.loudness_db > features.loudness_db.max() - LOUD_DB
    usable &= (features.f0_hz >= config.f0_min_hz) & (features.f0_hz <= config.f0_max_hz)
    usable[:EDGE_FRAMES] = usable[-EDGE_FRAMES:] = False
    return np.flatnonzero(usable)


def sample_partials(
    analyses: Sequence[Analysis], places: Sequence[Place], n_frames: int
) -> Partials:
    """Measures the partials of frames that are spread evenly over places.

    Args:
        analyses: The recordings.
        places: From `find_places`; at least one.
        n_frames: Number of frames; fewer if there are fewer places.
    """
    spread = np.unique(np.linspace(0, len(places) - 1, n_frames).astype(int))
    chosen = [places[i] for i in spread]
    measured = []
    for i in sorted({i for i, _ in chosen}):
        frames = np.array([frame for at, frame in chosen if at == i])
        analysis = analyses[i]
        f0_hz = analysis.features.f0_hz[frames]
        measured.append(measure_partials(analysis.audio, frames, f0_hz, N_PARTIALS))
    amplitudes, known = (np.concatenate(arrays) for arrays in zip(*measured, strict=True))
    return make_partials(amplitudes, known)


def fit_patches(patches: Sequence[Patch], partials: Partials) -> list[Fit]:
    """Fits constant levels with every patch, on all cores; returns the best patch first."""
    with ThreadPoolExecutor(worker_count()) as pool:  # NumPy releases the interpreter's lock
        found = pool.map(partial(fit_levels, partials=partials), patches)
        errors = list(tqdm((e for e, _ in found), "fit", len(patches), unit="patch", disable=None))
    fits = [Fit(patch, tuple(map(float, e))) for patch, e in zip(patches, errors, strict=True)]
    return sorted(fits, key=lambda fit: fit.error_db)
