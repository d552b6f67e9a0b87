"""How long recordings are by their headers, before any of them is read."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.audio.sound_files import RecordingError, open_sound


def announced_seconds(paths: Iterable[Path]) -> float:
    """Returns how long recordings are together, as far as their headers can be read."""
    seconds = 0.0
    for path in paths:
        try:
            with open_sound(path) as sound:
                seconds += sound.frames / sound.samplerate
        except RecordingError:  # pipeline.data names it
            continue
    return seconds
