"""The data set that tests of batches and of training share; no test changes it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.tone_dataset import INSTRUMENT, write_dataset

from pipeline.training.dataset import load_dataset
from pipeline.training.dataset_arrays import FEATURES, Arrays


@pytest.fixture(scope="session")
def dataset_path(generate_once: Callable[..., Path]) -> Path:
    name = "dataset.npz"
    return generate_once("tones", lambda folder: write_dataset(folder / name)) / name


@pytest.fixture(scope="session")
def dataset(dataset_path: Path) -> Arrays:
    return load_dataset(dataset_path, INSTRUMENT)


@pytest.fixture(scope="session")
def live_dataset(tmp_path_factory: pytest.TempPathFactory, dataset_path: Path) -> Arrays:
    """Returns the data set with live features that are an octave above the others, and softer."""
    with np.load(dataset_path) as stored:
        arrays = dict(stored)
    for name in FEATURES:
        change = (lambda x: 2 * x) if name.endswith("hz") else (lambda x: np.maximum(x - 9, -80))
        arrays[f"live_{name}"] = change(arrays[name]).astype(np.float32)
    path = tmp_path_factory.mktemp("live") / "dataset.npz"
    np.savez(path, **arrays)
    return load_dataset(path, INSTRUMENT)
