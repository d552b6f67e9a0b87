"""What the listening page says of figures."""

import pytest

from pipeline.model.silence_metrics import ZERO_DBFS
from pipeline.pages.heard import LEGEND, describe


def test_figures_are_put_into_words():
    figures = {
        "partial_error_db": 4.2,
        "partial_bias_mid_db": -3.0,
        "partial_bias_high_db": -7.0,
        "noise_bias_mid_db": 1.0,
        "noise_bias_high_db": 5.0,
        "onset_loudness_error_db": 2.6,
        "silence_dbfs": -88.2,
    }
    assert describe(figures) == [
        "overtones off by 4 dB",
        "5 dB too dull",
        "hiss 3 dB above the recording’s",
        "onsets off by 3 dB",
        "−88 dB where the recording is silent",
    ]
    assert len(LEGEND) == 5


@pytest.mark.parametrize(
    ("figures", "phrase"),
    [
        ({"partial_bias_mid_db": 6.0, "partial_bias_high_db": None}, "6 dB too bright"),
        ({"noise_bias_mid_db": -9.6}, "hiss 10 dB below the recording’s"),
        ({"noise_bias_high_db": 1.4}, "as much hiss as the recording"),
        ({"silence_dbfs": ZERO_DBFS}, "silent where the recording is silent"),
    ],
)
def test_single_figures_are_put_into_words(figures, phrase):
    assert describe(figures) == [phrase]


def test_unknown_and_unheard_figures_are_left_out():
    assert describe({"mss": 5.0, "partial_error_db": None, "silence_dbfs": None}) == []
    assert describe({"partial_bias_mid_db": 1.5}) == []
