"""Recordings that every command must refuse."""

from pathlib import Path

import numpy as np
import soundfile as sf
from support.sounds import make_curve_tone

from pipeline.core.constants import SAMPLE_RATE


def write_bad_recordings(folder: Path) -> dict[str, str]:
    """Writes bad recordings; maps each name to a word that its error message must contain.

    The last one, ``absent.wav``, is not written.
    """
    sf.write(folder / "empty.wav", np.zeros(0), SAMPLE_RATE)
    sf.write(folder / "one.wav", np.ones(1), SAMPLE_RATE)
    sf.write(folder / "silence.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    sf.write(folder / "nan.wav", np.full(SAMPLE_RATE, np.nan), SAMPLE_RATE, subtype="FLOAT")
    (folder / "text.wav").write_text("not a recording\n" * 100)
    (folder / "nothing.wav").write_bytes(b"")
    tone = make_curve_tone(440)
    sf.write(folder / "cut.flac", tone, SAMPLE_RATE)
    data = (folder / "cut.flac").read_bytes()
    (folder / "cut.flac").write_bytes(data[: len(data) // 2])
    sf.write(folder / "opposed.wav", np.stack([tone, -tone], axis=1), SAMPLE_RATE)
    return {
        "empty.wav": "0 samples",
        "one.wav": "1 samples",
        "silence.wav": "silent",
        "nan.wav": "NaN",
        "text.wav": "not readable audio",
        "nothing.wav": "not readable audio",
        "cut.flac": "not readable audio",
        "opposed.wav": "silent",
        "absent.wav": "not a file",
    }
