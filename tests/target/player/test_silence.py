"""The player is digitally silent when no note sounds, and when its loudness is at the floor."""

import numpy as np
import pytest
from support.performances import course
from support.small_player import control, off, on, program_change

from pipeline.core.constants import GATE_OPEN_DB, HOP_SAMPLES, MIN_LOUDNESS_DB

pytestmark = pytest.mark.firmware

VOLUME = 7


def peaks(played) -> np.ndarray:
    """Returns the peak of every block."""
    return np.abs(played.pcm.reshape(-1, HOP_SAMPLES).astype(int)).max(axis=1)


@pytest.mark.parametrize("program", range(3))
def test_released_note_ends_in_digital_zero(poly, program):
    """The decoder is random: it plays at every loudness that is above the floor."""
    played = poly((0, program_change(program)), (1, on(60)), (40, off(60)), until=700)
    loudness = course(played)[1]
    last = int(np.flatnonzero(np.isfinite(loudness))[-1])
    assert 45 < last < 300 and played.report["n_sounding"] == 0
    assert loudness[last] <= MIN_LOUDNESS_DB and peaks(played)[last - 1] > 0
    assert (peaks(played)[last + 1 :] == 0).all()


def test_note_without_volume_is_digital_zero_and_comes_back(mono):
    played = mono((0, on(60)), (50, control(VOLUME, 0)), (150, control(VOLUME, 100)), until=200)
    loudness = course(played)[1]
    assert np.isfinite(loudness[:200]).all()
    silent = np.flatnonzero(loudness <= MIN_LOUDNESS_DB)
    assert len(silent) > 50 and (peaks(played)[silent[1:]] == 0).all()
    assert peaks(played)[:50].min() > 0 and peaks(played)[170:199].min() > 0
    assert peaks(played)[1:200][loudness[1:200] > GATE_OPEN_DB].min() > 0
