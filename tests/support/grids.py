"""A small grid with recordings of two sources, for tests of the ablations."""

from pathlib import Path

import soundfile as sf
from support.takes import make_note

from pipeline.core.constants import SAMPLE_RATE

SOURCES = ("near", "far")
NOTES_HZ = (392.0, 523.25, 659.26)
HEAD = """\
description = "What is tested"
instruments = ["flute"]
sources = ["near", "far"]
profile = "laptop"
train = {steps = 4, dry_steps = 99, batch_size = 2, crop_frames = 64, validate_every = 2}
"""
SETTINGS = """
[evaluate]
clips = 2
figures = ["mss", "loudness_error_db"]

[settings.small]
start = "random"
instrument.reduced = {n_blocks = 2, hidden_channels = 4}
"""
CHAIN = """
[settings.full]
variant = "full"
start = "random"
[settings.reduced]
start = "random"
[settings.CD]
variant = "reduced_cd"
start = "reduced"
teacher = "full"
[settings.longer]
start = "reduced"
as_long_as = "CD"
"""  # a teacher, its student before and after distillation, and a control


def write_sources(folder: Path) -> list[str]:
    """Writes recordings of two sources and returns the options that bind them."""
    for number, source in enumerate(SOURCES):
        place = folder / source / "flute"
        place.mkdir(parents=True)
        for name, f0_hz in zip("abc", NOTES_HZ, strict=True):
            note = make_note(1.5, f0_hz * 1.1**number) * 0.5**number
            sf.write(place / f"take_{name}.wav", note, SAMPLE_RATE)
    return [word for source in SOURCES for word in ("--source", f"{source}={folder / source}")]


def write_grid(path: Path, *, head: str = "", settings: str = SETTINGS) -> Path:
    """Writes a grid of the sources; `head` has further entries of the top level."""
    path.write_text(HEAD + head + settings)
    return path
