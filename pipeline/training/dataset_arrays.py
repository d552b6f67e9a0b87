"""Names of the arrays in ``dataset.npz``, and what identifies a data set.

They are apart from `pipeline.training.dataset` because recordings are prepared without Keras, whose
import takes seconds and half a gigabyte in every process.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.core.files import read_json

STORED = (
    *("audio", "f0_hz", "loudness_db", "confidence", "n_valid_frames", "sounding"),
    *("context_f0_hz", "context_loudness_db"),
    *("split", "recording", "source", "joined", "real"),
)
FEATURES = ("f0_hz", "loudness_db", "context_f0_hz", "context_loudness_db")
LIVE = "live_"  # how the names of live `FEATURES` begin, which a data set may have besides
Arrays = dict[str, npt.NDArray[Any]]


def live_names() -> list[str]:
    """Returns the names of live features."""
    return [LIVE + name for name in FEATURES]


def require_instrument(path: Path, instrument: str) -> None:
    """Checks that a data set was made for an instrument, if ``dataset.json`` beside it tells.

    Raises:
        UserError: It was made for another one, or that file is damaged.
    """
    summary = path.with_name("dataset.json")
    if path.name != "dataset.npz" or not summary.is_file():
        return
    made_for = read_json(summary, remedy="run python -m pipeline.data again").get("instrument")
    if made_for not in (None, instrument):
        raise UserError(
            f"{path} was made for the {made_for}, not for the {instrument}: run python -m "
            f"pipeline.data --instrument {instrument}, or give another data set"
        )


def fingerprint(dataset: Mapping[str, npt.NDArray[Any]]) -> str:
    """Returns a short hash of all that a model learns from, as `dataset.load_dataset` returns it.

    The same recordings and settings give the same hash, whenever the data set was built.
    """
    digest = hashlib.sha256()
    for name in [*STORED, *(LIVE + feature for feature in FEATURES if has_live(dataset))]:
        array = np.ascontiguousarray(dataset[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.view(np.uint8).data)
    return digest.hexdigest()[:12]


def has_live(dataset: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether a data set has live features."""
    return all(name in dataset for name in live_names())
