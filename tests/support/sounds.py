"""Tones for test input, and the envelope of an output."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import SAMPLE_RATE

Floats = npt.NDArray[np.float32]


def make_tone(seconds: float, f0_hz: float = 523.25, *, level: float = 0.3) -> Floats:
    """Makes a steady tone with harmonics below 8 kHz that fall geometrically, float32."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = [n for n in range(1, 11) if n * f0_hz < SAMPLE_RATE / 2]
    wave = sum(0.6**n * np.sin(2 * np.pi * n * f0_hz * t) for n in harmonics)
    return np.asarray(level * wave / np.abs(wave).max(), np.float32)


def write_tones(folder: Path, *names: str) -> None:
    """Writes short tones as WAV files, whatever their names end in."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(folder / name, make_tone(0.1), SAMPLE_RATE, format="WAV")


def make_curve_tone(
    f0_hz: npt.ArrayLike, seconds: float = 1.0, partials: int = 6, level: float = 0.5
) -> Floats:
    """Makes a tone of partials with amplitudes 1/n; `f0_hz` may be a curve at audio rate."""
    curve = np.broadcast_to(f0_hz, (round(seconds * SAMPLE_RATE),)).astype(np.float64)
    phase = 2 * np.pi * np.cumsum(curve) / SAMPLE_RATE
    audible = [n for n in range(1, partials + 1) if n * curve.max() < SAMPLE_RATE / 2]
    total = sum(np.sin(n * phase + 0.3 * n) / n for n in audible)
    return (level * total / np.abs(total).max()).astype(np.float32)


def make_string(f0_hz: float, inharmonicity: float, seconds: float = 0.8) -> Floats:
    """Makes a dying tone with the stretched partials of a stiff string."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    numbers = np.arange(1, 17)
    partials_hz = numbers * f0_hz * np.sqrt(1 + inharmonicity * numbers**2)
    audible = zip(numbers, partials_hz[partials_hz < SAMPLE_RATE / 2], strict=False)
    wave = sum(np.sin(2 * np.pi * hz * t + n) * np.exp(-t * n / 2) / n**2 for n, hz in audible)
    return (0.4 * wave / np.abs(wave).max()).astype(np.float32)


def envelope(pcm: npt.NDArray[np.int16]) -> Floats:
    """Returns the peak of the last 2.5 ms at every sample."""
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(from_pcm(pcm)), 40)
    return np.pad(windows.max(axis=1), (39, 0))
