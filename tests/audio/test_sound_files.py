"""Lengths by headers take what can be read, and pass over the rest."""

import numpy as np
import pytest
import soundfile as sf

from pipeline.audio.sound_files import announced_seconds


def test_lengths_add_up_and_bad_files_do_not_count(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(8_000), 16_000)
    sf.write(tmp_path / "b.flac", np.zeros((44_100, 2)), 44_100)
    (tmp_path / "bad.wav").write_text("text")
    (tmp_path / "empty.flac").touch()
    assert announced_seconds(sorted(tmp_path.iterdir())) == pytest.approx(1.5)
