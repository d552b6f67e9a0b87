"""The Pico plays a polyphonic MIDI file with all voices, without an underrun.

`support.pico_performance` plays longer pieces and other models by hand.
"""

import numpy as np
import pytest
from support.pico_performance import perform_on_pico

from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets

pytestmark = pytest.mark.firmware

SECONDS = 1.6  # two chords
VOICES = {"reduced_cd": 2, "tiny": 16}
LARGEST_LOAD = {  # of each core
    "reduced_cd": {16_000: 0.5, 48_000: 0.65},
    "tiny": {16_000: 0.65, 48_000: 0.8},
}


@pytest.mark.parametrize("sample_rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("variant", VOICES)
def test_uf2_plays_a_midi_file_with_all_voices_as_the_host_does(tmp_path, variant, sample_rate_hz):
    generated = tmp_path / "generated"
    presets.write_firmware_source([presets.load_preset(MODEL_DIR / "flute" / variant)], generated)
    played = perform_on_pico(
        generated, SECONDS, VOICES[variant], tmp_path, sample_rate_hz=sample_rate_hz
    )
    assert np.abs(played.pcm).max() > 1000
    np.testing.assert_array_equal(played.samples, played.pcm)
    stats = played.recording.stats
    assert stats["sounding"] == VOICES[variant]
    assert stats["underruns"] == stats["midi lost"] == stats["core 1 late"] == 0
    assert len(played.largest_loads) == 2
    assert max(played.largest_loads) < LARGEST_LOAD[variant][sample_rate_hz]
    assert min(played.largest_loads) > 0.3
