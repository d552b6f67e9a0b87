"""A folder as users have them: good recordings among damaged ones and files that are no sounds."""

import struct
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from support.sounds import Floats, make_curve_tone

from pipeline.core.constants import SAMPLE_RATE

PASSED_OVER = {  # part of the reason by name
    "zero.wav": "the file is empty",
    "text.wav": "it is text",
    "video.wav": "MPEG-4",
    "film.mp4": "mp4 is not read here",
    "loop.wav": "not a file",
    "dangling.wav": "not a file",
    "nan.wav": "NaN or infinite",
    "infinity.wav": "NaN or infinite",
    "silence.wav": "silent",
    "header_only.wav": "0 samples",
}
DOUBTS = {  # what is said about recordings that are used
    "one_silent.wav": "silent channels",
    "opposite.wav": "channels that cancel each other",
    "hum.wav": "mains hum",
    "offset.wav": "DC offset",
    "clipped.wav": "clipped samples",
}
USED = (  # without a doubt about what they sound like
    *("kazoo_C5.wav", "kazoo_D5.wav", "kazoo_E5.wav", "kazoo_G5.wav", "länge ♪ 1.wav"),
    *("header_long.wav", "header_zero.wav", "header_cut.wav", "rate_192000.wav", "short.wav"),
)
NOTE_SECONDS, PAUSE_SECONDS = 1.2, 0.4


def write_mixed_folder(folder: Path) -> None:
    """Writes the files above, and ``rate_11025.wav``, into a folder that is created."""
    (folder / "sub" / ".ipynb_checkpoints").mkdir(parents=True)
    _write_good(folder)
    _write_headers(folder)
    _write_levels(folder)
    (folder / "zero.wav").touch()
    (folder / "sub" / ".ipynb_checkpoints" / "take.wav").touch()
    (folder / "text.wav").write_text("no sound\n" * 100)
    for name in ("video.wav", "film.mp4"):
        (folder / name).write_bytes(b"\0\0\0\x20ftypisom" + bytes(2000))
    (folder / "sub" / "circle").symlink_to("..")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    for name, value in (("nan", np.nan), ("infinity", np.inf)):
        spoilt = _note(622.0)
        spoilt[1000] = value
        sf.write(folder / f"{name}.wav", spoilt, SAMPLE_RATE, subtype="FLOAT")


def _note(f0_hz: float, seconds: float = NOTE_SECONDS) -> Floats:
    tone = np.pad(make_curve_tone(f0_hz, seconds), (800, round(PAUSE_SECONDS * SAMPLE_RATE)))
    return tone + 1e-4 * np.random.default_rng(round(f0_hz)).standard_normal(len(tone), np.float32)


def _write_good(folder: Path) -> None:
    for name, f0_hz in (("C5", 523.25), ("D5", 587.33), ("E5", 659.26), ("G5", 783.99)):
        sf.write(folder / f"kazoo_{name}.wav", _note(f0_hz), SAMPLE_RATE)
    sf.write(folder / "sub" / "länge ♪ 1.wav", _note(600.0), SAMPLE_RATE)
    sf.write(folder / "short.wav", make_curve_tone(690.0, 0.2), SAMPLE_RATE)
    for rate in (11_025, 192_000):
        sound = soxr.resample(_note(640.0 + rate / 1e4), SAMPLE_RATE, rate)
        sf.write(folder / f"rate_{rate}.wav", sound, rate)


def _write_headers(folder: Path) -> None:
    """Writes files whose headers announce another length than they have."""
    for number, (name, n_bytes) in enumerate((("long", 0xFFFFFFFF), ("zero", 0), ("cut", None))):
        path = folder / f"header_{name}.wav"
        sf.write(path, _note(700.0 + 10 * number), SAMPLE_RATE)
        content = bytearray(path.read_bytes())
        at = content.find(b"data") + 4
        if n_bytes is None:
            del content[len(content) // 2 :]
        else:
            content[at : at + 4] = struct.pack("<I", n_bytes)
        path.write_bytes(content)
    (folder / "header_only.wav").write_bytes((folder / "header_long.wav").read_bytes()[:44])


def _write_levels(folder: Path) -> None:
    note, other = _note(750.0), _note(760.0)
    hum = 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(note)) / SAMPLE_RATE)
    sounds = {
        "one_silent": np.stack([note, 0 * note], axis=1),
        "opposite": np.stack([other, -other], axis=1),
        "hum": _note(770.0) + hum,
        "offset": 0.5 * _note(740.0) + 0.2,
        "clipped": np.clip(4 * _note(730.0), -1, 1),
        "silence": np.zeros(SAMPLE_RATE),
    }
    for name, sound in sounds.items():
        sf.write(folder / f"{name}.wav", sound, SAMPLE_RATE)
