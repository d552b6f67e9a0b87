"""Frames for static fits are those with a clear pitch, and repeated patches are fitted once."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from support.sounds import make_tone

from pipeline.audio.analysis import analyse
from pipeline.audio.recordings import open_recordings
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig
from pipeline.core.patch_files import load_patch
from pipeline.model.patch_fit import LOUD_DB, distinct_patches, find_places, sample_partials

CONFIG = DataConfig(200.0, 900.0)
FLUTE, VIOLIN = load_patch("flute"), load_patch("violin")


@pytest.fixture(scope="module")
def analyses(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    for number, f0_hz in enumerate((262, 330, 392)):
        tone = make_tone(1.5, f0_hz) * np.hanning(24_000)
        soundfile.write(folder / f"{number}.wav", tone, SAMPLE_RATE)
    return list(analyse(open_recordings([folder], CONFIG).recordings, CONFIG, folder / "features"))


def test_frames_with_a_clear_pitch_are_sampled(analyses):
    places = find_places(analyses, CONFIG)
    assert {number for number, _ in places} == {0, 1, 2}
    for number, frame in places:
        features = analyses[number].features
        assert features.confidence[frame] >= CONFIG.confidence_threshold
        assert features.loudness_db[frame] > features.loudness_db.max() - LOUD_DB
    partials = sample_partials(analyses, places, 50)
    assert len(partials.amplitudes) == 50
    ratio_db = 20 * np.log10(partials.amplitudes[:, 1] / partials.amplitudes[:, 0])
    np.testing.assert_allclose(ratio_db, 20 * np.log10(0.6), atol=0.3)  # as in make_tone
    assert len(sample_partials(analyses, places[:7], 50).amplitudes) == 7


def test_frames_outside_of_the_range_are_left_out(analyses):
    assert {number for number, _ in find_places(analyses, DataConfig(300.0, 360.0))} == {1}
    assert find_places(analyses, DataConfig(1000.0, 2000.0)) == []


def test_repeated_patches_are_left_out_and_names_told_apart():
    other = replace(FLUTE, ratios=(Fraction(2), *FLUTE.ratios[1:]))
    chosen = distinct_patches([FLUTE, replace(FLUTE, name="copy"), VIOLIN, other, other])
    assert [patch.name for patch in chosen] == ["flute", "violin", "flute_2"]
    assert chosen[2] == other
