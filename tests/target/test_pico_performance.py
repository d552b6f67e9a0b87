"""The Pico plays a polyphonic MIDI file with all voices, without an underrun.

`support.pico_performance` plays longer pieces and other models by hand.
"""

from pathlib import Path

import numpy as np
import pytest
from support.pico_performance import N_VOICES, perform_on_pico

from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets

pytestmark = pytest.mark.firmware

SECONDS = 1.6  # two chords
LARGEST_LOAD = {16_000: 0.5, 48_000: 0.65}  # of each core


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """Generated code of the default flute."""
    folder = tmp_path_factory.mktemp("performance") / "generated"
    presets.write_firmware_source([presets.load_preset(MODEL_DIR / "flute" / "reduced_cd")], folder)
    return folder


@pytest.mark.parametrize("sample_rate_hz", [16_000, 48_000])
def test_uf2_plays_a_midi_file_with_all_voices_as_the_host_does(
    generated, tmp_path, sample_rate_hz
):
    played = perform_on_pico(generated, SECONDS, tmp_path, sample_rate_hz=sample_rate_hz)
    assert np.abs(played.pcm).max() > 1000
    np.testing.assert_array_equal(played.samples, played.pcm)
    stats = played.recording.stats
    assert stats["sounding"] == N_VOICES
    assert stats["underruns"] == stats["midi lost"] == stats["core 1 late"] == 0
    assert len(played.largest_loads) == 2
    assert max(played.largest_loads) < LARGEST_LOAD[sample_rate_hz]
    assert min(played.largest_loads) > 0.3
