"""Plays the module of the instrument page in Node.js."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from pipeline.pages.html import ASSETS
from pipeline.target.player import Score, score_bytes

PROGRAM = Path(__file__).with_name("play_module.mjs")


def play_module(
    module: Path,
    *,
    score: Score = (),
    sound: np.ndarray | None = None,
    gain_db: float | str = 0.0,
    rate: int = 16_000,
    reverb: bool = False,
    noise: bool = True,
) -> np.ndarray:
    """Returns what the module plays from a score, or follows live in a sound, int16."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: Path(scratch) / name for name in ("score", "sound", "pcm")}
        paths["score"].write_bytes(score_bytes(list(score)) if len(score) else b"")
        paths["sound"].write_bytes(b"" if sound is None else np.asarray(sound, "<i2").tobytes())
        words = [ASSETS / "web", module, rate, int(reverb), int(noise)]
        words += [paths["score"], paths["sound"], gain_db, paths["pcm"]]
        done = subprocess.run(
            ["node", PROGRAM, *map(str, words)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return np.frombuffer(paths["pcm"].read_bytes(), "<i2")
