"""The cache of analyses: its key covers the code that makes them, and its entries are complete."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from support.sounds import make_tone

from pipeline.audio import analysis
from pipeline.audio.recordings import open_recordings
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute").data


def test_cache_key_covers_all_modules_that_features_depend_on() -> None:
    covered = {module.__name__ for module in analysis.ANALYSIS_CODE}
    used = {
        str(getattr(value, "__module__", ""))
        for module in analysis.ANALYSIS_CODE
        for value in vars(module).values()
    }
    assert {name for name in used if name.startswith("pipeline.audio.")} <= covered
    assert {"pipeline.core.constants", "pipeline.audio.autocorrelation"} < covered


def test_cache_key_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = analysis._settings_hash(FLUTE)
    assert analysis._settings_hash(FLUTE) == before
    for module in analysis.ANALYSIS_CODE:
        altered = tmp_path / "altered.py"
        altered.write_text(Path(str(module.__file__)).read_text() + "# altered\n")
        with monkeypatch.context() as patch:
            patch.setattr(module, "__file__", str(altered))
            assert analysis._settings_hash(FLUTE) != before, module.__name__


def change_array(path: Path, name: str, change: Callable[[Any], Any]) -> None:
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, name: change(arrays[name])})


@pytest.mark.parametrize(
    "damage",
    [
        lambda samples, entry: np.save(samples, np.load(samples)[:-100]),
        lambda samples, entry: change_array(entry, "f0_hz", lambda x: x[:-1]),
        lambda samples, entry: change_array(entry, "confidence", lambda x: x[:, None]),
        lambda samples, entry: change_array(entry, "n_cut", lambda x: x + np.array((-64, 64))),
        lambda samples, entry: change_array(entry, "n_cut", lambda x: x + 90_000),
    ],
)
def test_entry_that_does_not_fit_its_samples_is_named(
    tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    sf.write(tmp_path / "tone.wav", make_tone(1.0, 440.0), SAMPLE_RATE)
    recordings = open_recordings([tmp_path], FLUTE).recordings
    cache = tmp_path / "features"
    (found,) = analysis.analyse(recordings, FLUTE, cache)
    assert len(found.features.f0_hz) == 250
    (samples,), (entry,) = cache.glob("*.npy"), cache.glob("*.npz")
    damage(samples, entry)
    with pytest.raises(UserError, match=rf"{entry.name} is damaged .*samples beside it.*: delete"):
        list(analysis.analyse(recordings, FLUTE, cache))
    entry.unlink()  # as the message says
    (again,) = analysis.analyse(recordings, FLUTE, cache)
    np.testing.assert_array_equal(again.audio, found.audio)
    np.testing.assert_array_equal(again.features.f0_hz, found.features.f0_hz)
