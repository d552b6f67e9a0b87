"""The cache of analyses: its key covers the code that makes them, and its entries are complete."""

from pathlib import Path

import pytest

from pipeline.audio import analysis
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
