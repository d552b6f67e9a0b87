"""Every command that reads recordings takes what is good of a folder, and names the rest."""

import json
import shutil
from pathlib import Path

import pytest
from support.mixed_folder import (
    DOUBTS,
    NOTE_SECONDS,
    PASSED_OVER,
    PAUSE_SECONDS,
    USED,
    write_mixed_folder,
)

from pipeline import inspect, new_instrument, run
from pipeline.core import paths, plan
from pipeline.core.instrument_config import load_instrument, shipped_instruments
from pipeline.training import patch_choice


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed") / "päck"
    write_mixed_folder(folder)
    return folder


@pytest.fixture(scope="module")
def inspected(folder, tmp_path_factory):
    """A folder with the inspection in ``page``, and ``flute`` with the analyses."""
    out = tmp_path_factory.mktemp("runs")
    options = ["--instrument", "flute", "--runs", str(out), "--out", str(out / "page")]
    inspect.main(["--audio", str(folder), *options])
    return out


def by_file(found):
    """Returns figures or texts by the last part of their names."""
    return {Path(name).name: value for name, value in found.items()}


def check_passed_over(found):
    messages = by_file(found)
    assert set(messages) == set(PASSED_OVER)
    for name, reason in PASSED_OVER.items():
        assert reason in messages[name]


def check_doubts(found):
    doubts = by_file(found)
    for name, doubt in DOUBTS.items():
        assert any(text.startswith(doubt) for text in doubts[name])
    assert not set(USED) & set(doubts)


def test_inspection_uses_the_good_files_and_names_the_others(inspected):
    figures = json.loads((inspected / "page" / "inspection.json").read_text())
    check_passed_over(figures["passed_over"])
    check_doubts(figures["doubts"])
    recordings = by_file(figures["recordings"])
    assert set(recordings) == {*USED, *DOUBTS, "rate_11025.wav"}
    whole = 0.05 + NOTE_SECONDS + PAUSE_SECONDS
    for name, found in recordings.items():
        expected = {"short.wav": 0.2, "header_cut.wav": whole / 2}.get(name, whole)
        assert found["seconds"] == pytest.approx(expected, abs=0.01), name


def test_run_makes_its_data_set_of_the_good_files(inspected, folder, replace, capsys):
    planned = plan.plan_stages
    replace(plan.plan_stages, lambda *request: planned(*request)[:1])
    run.main(["--instrument", "flute", "--audio", str(folder), "--runs", str(inspected)])
    summary = json.loads((inspected / "flute" / "dataset.json").read_text())
    check_passed_over(summary["passed_over"])
    check_doubts(summary["warnings"])
    assert not any(source["unused"] for source in summary["sources"].values())
    printed = capsys.readouterr()
    assert "passed over: 2 files: NaN or infinite samples: infinity.wav, nan.wav" in printed.err
    assert "Traceback" not in printed.err and "clips from 16 recordings" in printed.out


def test_new_instrument_measures_the_good_files(folder, tmp_path, replace, monkeypatch, capsys):
    monkeypatch.setattr(patch_choice, "N_FRAMES", 2)
    for name in shipped_instruments():
        shutil.copy(paths.INSTRUMENT_DIR / f"{name}.toml", tmp_path)
    replace(paths.INSTRUMENT_DIR, tmp_path)
    new_instrument.main(["kazoo", "--audio", str(folder), "--runs", str(tmp_path / "runs")])
    config = load_instrument("kazoo")
    assert (config.corpus.lowest_note, config.corpus.highest_note) == (70, 82)  # C5 to G5, widened
    assert 430 < config.data.f0_min_hz < 445 and 930 < config.data.f0_max_hz < 945
    assert "passed over: 2 files: not a file: dangling.wav, loop.wav" in capsys.readouterr().err
