"""What the summary of a data set says is read back."""

import json
from pathlib import Path

import numpy as np

from pipeline.audio.level import Gains
from pipeline.core.instrument_config import load_instrument
from pipeline.training.dataset_summary import Account, read_gains, summarize

FRAMES = {"given": 1000, "used": 1000, "silent": 0, "unclear": 0, "lost": 0}
NAMES = ["near/long.wav", "near/note.wav", "far/note.wav"]


def test_gains_are_those_that_the_recordings_were_calibrated_with(tmp_path: Path) -> None:
    gains = Gains({"near": -2.0, "far": 3.5}, {"near/long.wav": 1.5})
    sources = [name.partition("/")[0] for name in NAMES]
    arrays = {
        "source": np.array(sources),
        "split": np.zeros(3, np.uint8),
        "real": np.ones(3, bool),
        "joined": np.zeros(3, bool),
        "sounding": np.ones((3, 10), bool),
        "f0_hz": np.full((3, 10), 440.0),
        "loudness_db": np.full((3, 10), -20.0),
        "confidence": np.ones((3, 10)),
    }
    accounts = [Account(*parts, 0, FRAMES) for parts in zip(sources, NAMES, strict=True)]
    summary = summarize(load_instrument("flute"), arrays, accounts, gains)
    (tmp_path / "dataset.json").write_text(json.dumps(summary))
    found = read_gains(tmp_path / "dataset.npz")
    assert found == gains
    assert [found.of_name(*parts) for parts in zip(sources, NAMES, strict=True)] == [1.5, -2, 3.5]
    assert found.of_name("near", "near/joined 1") == -2
