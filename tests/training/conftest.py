"""The data set that tests of batches and of training share."""

import numpy as np
import pytest
from support.tone_dataset import INSTRUMENT, write_dataset

from pipeline.training.dataset import (
    FEATURES,
    load_dataset,
)


@pytest.fixture(scope="module")
def dataset_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "flute" / "dataset.npz"
    write_dataset(path)
    return path


@pytest.fixture(scope="module")
def dataset(dataset_path):
    return load_dataset(dataset_path, INSTRUMENT)


@pytest.fixture(scope="module")
def live_dataset(tmp_path_factory, dataset_path):
    """Returns the data set with live features that are an octave above the others, and softer."""
    with np.load(dataset_path) as stored:
        arrays = dict(stored)
    for name in FEATURES:
        change = (lambda x: 2 * x) if name.endswith("hz") else (lambda x: np.maximum(x - 9, -80))
        arrays[f"live_{name}"] = change(arrays[name]).astype(np.float32)
    path = tmp_path_factory.mktemp("live") / "dataset.npz"
    np.savez(path, **arrays)
    return load_dataset(path, INSTRUMENT)
