"""Digital silence is found to the sample, and quiet sound is not mistaken for it."""

import numpy as np
import pytest
from support.sounds import make_tone

from pipeline.audio.digital_silence import silent_frames, silent_runs, silent_samples
from pipeline.audio.pcm import from_pcm, to_pcm

MS = 16  # samples


@pytest.mark.parametrize("convert", [to_pcm, lambda audio: from_pcm(to_pcm(audio))])
def test_gaps_of_50_ms_are_found_to_the_sample(convert) -> None:
    tone = make_tone(0.1)
    tone[[0, -1]] = 0.1
    gap, short = np.zeros(50 * MS, np.float32), np.zeros(50 * MS - 1, np.float32)
    audio = convert(np.concatenate([gap, tone, gap, tone, short, tone, gap]))
    first, second, last = 50 * MS, 200 * MS, len(audio) - 50 * MS
    assert silent_runs(audio).tolist() == [
        [0, first],
        [second - 50 * MS, second],
        [last, len(audio)],
    ]
    assert silent_samples(audio).sum() == 3 * 50 * MS


def test_runs_are_the_same_in_pieces_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = np.full(6000, 9, np.int16)
    gaps = [[0, 800], [801, 1601], [1700, 2499], [2600, 4400], [5200, 6000]]  # one is too short
    for start, stop in gaps:
        audio[start:stop] = 0
    for length in (1, 7, 800, 801, 1000, 2600, 6000):
        monkeypatch.setattr("pipeline.audio.digital_silence.PIECE", length)
        assert silent_runs(audio).tolist() == [gap for gap in gaps if gap != [1700, 2499]], length


def test_the_last_bit_is_silence_and_two_bits_are_not() -> None:
    bits = np.random.default_rng(0).integers(-1, 2, 2000).astype(np.int16)
    assert silent_runs(bits).tolist() == [[0, 2000]]
    assert len(silent_runs((2 * bits).astype(np.int16))) == 0
    assert len(silent_runs(np.full(2000, -32768, np.int16))) == 0


def test_frames_lie_wholly_in_silence_and_the_release_is_left_out() -> None:
    audio = np.ones(64 * 30 + 10, np.float32)
    audio[64 * 3 + 1 :] = 0.0
    assert np.flatnonzero(silent_frames(audio)).tolist() == list(range(4, 31))
    late = silent_frames(audio, after_samples=50 * MS)
    assert np.flatnonzero(late).tolist() == list(range(16, 31))
