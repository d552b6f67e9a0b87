"""Models are measured on the test clips of every source, at the level of the recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.grids import write_sources
from support.small_run import make_run

from pipeline.ablation import judging
from pipeline.ablation.data_sets import DataSet, Library
from pipeline.ablation.grid import RECORDINGS
from pipeline.ablation.judging import judge_run
from pipeline.audio.features import Features
from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import CONTEXT_FRAMES, HOP_SAMPLES, TEST
from pipeline.core.instrument_config import load_instrument
from pipeline.model.figure_names import FIGURES

CONFIG = load_instrument("flute")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Builds a data set whose source ``far`` is held out; ``near`` has one recording to test."""
    folder = tmp_path_factory.mktemp("data")
    write_sources(folder / "in")
    library = Library(folder / "out", {name: folder / "in" / name for name in ("near", "far")})
    data: DataSet = library.describe(CONFIG, ("near", "far"), "far")
    library.build(data)
    return library.path(data)


def judge(dataset: Path, play, monkeypatch, clips: int = 4):
    monkeypatch.setattr(judging, "_float_player", lambda _, levels_every: play)
    return judge_run(Path(), dataset, CONFIG.data, "float", clips=clips, qat_epochs=0)


def player_of_recordings(dataset: Path, scale: float = 1.0):
    """Returns a player that knows the recordings by their loudness, and plays them again."""
    with np.load(dataset) as stored:
        arrays = dict(stored)

    def play(features: Features, audio: np.ndarray) -> np.ndarray:
        assert len(features.confidence) == len(features.f0_hz)
        (clip,) = [
            i
            for i, loudness_db in enumerate(arrays["loudness_db"])
            if np.array_equal(loudness_db, features.loudness_db[CONTEXT_FRAMES:])
        ]
        assert arrays["split"][clip] == TEST
        past = np.zeros(CONTEXT_FRAMES * HOP_SAMPLES, np.int16)
        return np.concatenate([past, to_pcm(scale * arrays["audio"][clip] / 32768)])

    return play


def test_the_recording_itself_has_no_error(dataset, monkeypatch):
    figures = judge(dataset, player_of_recordings(dataset), monkeypatch)
    assert {name: found["recordings"] for name, found in figures.items()} == {"near": 1, "far": 2}
    for found in figures.values():
        assert tuple(found) == (RECORDINGS, *FIGURES)
        assert found["mss"] == found["partial_error_db"] == 0
        assert found["f0_error_cents"] == found["hnr_error_db"] == 0
        assert found["silence_dbfs"] < -150  # in the mean; a last bit may be set at its ends
        # The recording's features are those of the whole file, not of what is left of the clip.
        assert found["loudness_error_db"] < 0.5


def test_half_of_the_amplitude_is_6_db(dataset, monkeypatch):
    whole = judge(dataset, player_of_recordings(dataset), monkeypatch)
    half = judge(dataset, player_of_recordings(dataset, 0.5), monkeypatch)
    for source in whole:
        assert half[source]["partial_error_db"] == pytest.approx(6.02, abs=0.05)
        assert half[source]["loudness_error_db"] == pytest.approx(6.02, abs=0.5)


def test_gains_are_taken_back_before_the_comparison(dataset, monkeypatch, tmp_path):
    copy = tmp_path / "dataset.npz"
    copy.write_bytes(dataset.read_bytes())
    summary = json.loads(dataset.with_suffix(".json").read_text())
    found = {}
    for gain_db in (0.0, 20.0):
        summary["sources"]["far"] |= {"gain_db": gain_db, "own_gains_db": {}}
        copy.with_suffix(".json").write_text(json.dumps(summary))
        found[gain_db] = judge(copy, player_of_recordings(copy, 0.5), monkeypatch)["far"]
    assert found[20.0]["mss"] < found[0.0]["mss"] - 0.05  # its linear part follows the level
    assert found[20.0]["partial_error_db"] == pytest.approx(found[0.0]["partial_error_db"], abs=0.1)
    assert found[20.0]["loudness_error_db"] == pytest.approx(6.02, abs=0.5)


def test_anchors_are_as_loud_as_the_recording_on_the_same_clips(dataset):
    found = {
        system: judge_run(Path(), dataset, CONFIG.data, system, clips=4, qat_epochs=0)
        for system in ("lpc", "lpc_noise")
    }
    for source in ("near", "far"):
        lpc, lpc_noise = found["lpc"][source], found["lpc_noise"][source]
        assert lpc["loudness_error_db"] < 1 and lpc_noise["loudness_error_db"] < 1
        assert lpc["f0_error_cents"] < 5
        assert lpc["hnr_bias_db"] > lpc_noise["hnr_bias_db"], "LPC alone has no noise"


@pytest.mark.firmware
def test_the_firmware_plays_like_the_float_model(dataset, tmp_path, build_dir):
    run = tmp_path / "flute" / "reduced"
    make_run(run, variant="reduced")
    found = {
        system: judge_run(run, dataset, CONFIG.data, system, clips=1, qat_epochs=0)["near"]
        for system in ("float", "int8")
    }
    assert found["int8"] != found["float"]
    assert found["int8"]["mss"] == pytest.approx(found["float"]["mss"], rel=0.03)
    assert found["int8"]["loudness_error_db"] == pytest.approx(
        found["float"]["loudness_error_db"], abs=1
    )
