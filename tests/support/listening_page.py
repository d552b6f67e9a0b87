"""A listening page of small models and short tones, which tests write and use."""

import wave
from pathlib import Path

import numpy as np
import soundfile as sf
from support.replacing import replaced
from support.small_run import make_run
from support.sounds import make_tone

from pipeline import page
from pipeline.core import paths
from pipeline.core.constants import SAMPLE_RATE

SECONDS = 6.0  # long enough for a slow machine to click within
SYSTEMS = ["reference", "lpc", "lpc_noise", "full", "reduced_cd"]
SYSTEMS += ["reduced_cd_mcu", "reduced_cd_mcu_reverb"]


def make_setting(base: Path) -> None:
    """Makes small models of the flute, recordings of flute and violin, and a page of them."""
    for variant in ("full", "reduced_cd"):
        make_run(base / "runs" / "flute" / variant, variant=variant)
    recordings = {"flute": {"high": 880.0, "low & <loud>": 440.0}, "violin": {"a_note": 330.0}}
    for instrument, tones in recordings.items():
        (base / "audio" / instrument).mkdir(parents=True)
        for name, f0_hz in tones.items():
            path = base / "audio" / instrument / f"{name}.wav"
            sf.write(path, make_tone(SECONDS, f0_hz), SAMPLE_RATE, subtype="PCM_16")
    write_page(base)


def write_page(setting: Path) -> None:
    """Writes the page of a setting, or updates it."""
    with replaced(paths.MODEL_DIR, setting / "no_pretrained"):
        arguments = ["--audio", str(setting / "audio"), "--runs", str(setting / "runs")]
        arguments += ["--board", "host", "--out", str(setting / "page")]
        page.main([*arguments, "--instrument", "flute", "violin"])


def samples_of(path: Path) -> np.ndarray:
    """Returns the samples of a 16-bit WAV file."""
    with wave.open(str(path)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
