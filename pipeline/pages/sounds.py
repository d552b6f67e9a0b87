"""Writes the files beside the listening page: the sounds of each take, and spectrograms."""

import base64
import io
import json
from pathlib import Path

import soundfile as sf

from pipeline.audio.loading import load_audio
from pipeline.core.files import atomic_write
from pipeline.evaluation.systems import System
from pipeline.pages import html
from pipeline.pages.catalogue import Take

SPECTROGRAM_SIZE = (480, 160)  # pixels


def image_path(take: Take, system: System) -> str:
    """Returns the path of a spectrogram, relative to the page."""
    return f"images/{take.id}.{system.name}.png"


def write_take(take: Take, out: Path) -> None:
    """Writes the sounds of a take as one script, and a spectrogram of each sound.

    The script passes the sounds to the page as FLAC; ``mixer.js`` explains why a script is used.

    Args:
        take: Take whose WAV files exist.
        out: Folder of the page.
    """
    sounds = {}
    for system, wav in take.sounds.items():
        sounds[system.name] = base64.b64encode(_flac(wav)).decode()
        with atomic_write(out / image_path(take, system)) as temporary:
            temporary.write_bytes(html.spectrogram_png(load_audio(wav), SPECTROGRAM_SIZE))
    with atomic_write(out / "sounds" / f"{take.id}.js") as temporary:
        temporary.write_text(f'deliver("{take.id}", {json.dumps(sounds, indent=0)});\n')


def _flac(wav: Path) -> bytes:
    samples, rate = sf.read(wav, dtype="int16")
    flac = io.BytesIO()
    sf.write(flac, samples, rate, format="FLAC")
    return flac.getvalue()
