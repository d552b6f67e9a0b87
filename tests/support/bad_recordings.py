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
    tone[1000] = np.inf
    sf.write(folder / "infinite.wav", tone, SAMPLE_RATE, subtype="FLOAT")
    sf.write(folder / "offset.wav", np.full(SAMPLE_RATE, 0.25), SAMPLE_RATE)
    (folder / "noise.wav").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "video.wav").write_bytes(b"\0\0\0\x20ftypisom" + bytes(2000))
    (folder / "film.wav").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(2000))
    return {
        "empty.wav": "0 samples",
        "one.wav": "1 samples",
        "silence.wav": "silent",
        "nan.wav": "NaN",
        "text.wav": "not readable audio",
        "nothing.wav": "not readable audio",
        "infinite.wav": "infinite",
        "offset.wav": "silent",
        "noise.wav": "not readable audio",
        "video.wav": "MPEG-4",
        "film.wav": "Matroska",
        "absent.wav": "not a file",
    }
