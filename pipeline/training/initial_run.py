"""The trained model whose weights a training starts from."""

import math
from pathlib import Path

from pipeline.core.instrument_config import (
    InstrumentConfig,
    known_instruments,
    load_instrument,
    shipped_instruments,
)
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import WEIGHTS, load_run
from pipeline.model.patches import find_patch


def initial_run(start: str, config: InstrumentConfig, variant: str, folder: Path) -> Path | None:
    """Returns the run folder that a training starts from, or None for random weights.

    Args:
        start: As in `pipeline.core.profiles.Training`.
        config: The instrument.
        variant: The variant that is trained.
        folder: Folder of the instrument's own run folders.
    """
    if start == "pretrained":
        return nearest_pretrained(config, variant)
    reduced = folder / "reduced"
    return reduced if start == "reduced" and (reduced / WEIGHTS).is_file() else None


def nearest_pretrained(config: InstrumentConfig, variant: str) -> Path | None:
    """Returns the pretrained model to start from, or None if none has the same patch and shape.

    Among several, the one whose instrument has the nearest range of pitch is chosen; the pretrained
    model of the same instrument comes first.
    """
    distances = {}
    known = known_instruments()
    for name in shipped_instruments():
        run_dir = MODEL_DIR / name / variant
        if name not in known or not (run_dir / WEIGHTS).is_file():
            continue
        run, instrument = load_run(run_dir), load_instrument(name)
        if run.tcn == config.tcn(variant) and find_patch(run) == find_patch(config):
            distances[run_dir] = (name != config.instrument, _octaves_apart(instrument, config))
    return min(distances, key=distances.__getitem__, default=None)


def _octaves_apart(one: InstrumentConfig, other: InstrumentConfig) -> float:
    """Returns how far the bounds of two ranges of pitch are apart, in octaves, summed."""
    bounds = ((c.data.f0_min_hz, c.data.f0_max_hz) for c in (one, other))
    return sum(abs(math.log2(a / b)) for a, b in zip(*bounds, strict=True))
