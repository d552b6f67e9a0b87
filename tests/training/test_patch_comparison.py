"""Patches are compared by a short training with the best of them."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from support.sounds import make_tone

from pipeline.audio.recordings import open_recordings
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig, InstrumentConfig, TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.runs import load_run
from pipeline.model.patch_fit import Fit
from pipeline.model.patches import find_patch
from pipeline.training.patch_comparison import SHORT, train_best

FLUTE, VIOLIN = load_patch("flute"), load_patch("violin")
CONFIG = InstrumentConfig(
    "kazoo", "flute", DataConfig(200.0, 900.0), reduced=TcnConfig(n_blocks=2, hidden_channels=4)
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    for number, f0_hz in enumerate((262, 330, 392, 523)):
        tone = make_tone(1.5, f0_hz) * np.hanning(24_000)
        soundfile.write(folder / f"{number}.wav", tone, SAMPLE_RATE)
    return open_recordings([folder], CONFIG.data).recordings


@pytest.mark.slow
def test_best_patches_are_trained_and_sorted_by_their_distance(recordings, tmp_path, capsys):
    fits = [Fit(FLUTE, (1.0, 2.0)), Fit(VIOLIN, (2.0, 4.0))]
    settings = replace(SHORT, steps=2, dry_steps=2, warmup_steps=1, validate_every=2, batch_size=2)
    found = train_best(fits, CONFIG, recordings, tmp_path, settings)
    assert "live features" not in capsys.readouterr().out  # which these data sets never have
    assert {fit.patch.name for fit in found} == {"flute", "violin"}
    assert 0 < found[0].mss <= found[1].mss < 100
    assert [fit.error_db for fit in fits] == [1.5, 3.0]
    for fit in found:
        assert find_patch(load_run(tmp_path / fit.patch.name)) == fit.patch
