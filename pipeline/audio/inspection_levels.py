"""Measures what sounds in the pauses of a recording: noise and hum.

Each function takes the recording as 16-bit samples at 16 kHz and works in pieces, so that hours of
audio need little memory beyond the samples themselves. Levels are RMS in dB re full scale: a sine
that reaches full scale has -3 dB.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from pipeline.audio.pcm import PIECE, Pcm, from_pcm
from pipeline.core.constants import SAMPLE_RATE

Doubles = npt.NDArray[np.float64]
LOWEST_DB = -90.0  # about one step of 16 bits; quieter blocks are digital silence
NOISE_BLOCK = SAMPLE_RATE // 20
QUIET_DB = 30.0  # blocks of noise are at least this far below the loudest ones
STEADY_BLOCKS = 5  # over 0.25 s the level of noise
STEADY_DB = 4.0  # changes by less than this; notes fade faster
MIN_NOISE_BLOCKS = 4

MAINS_HZ = (50, 60)
HUM_WINDOW = 16_384  # samples: a line is two bins of 1 Hz wide
HUM_HARMONICS = 3
HUM_TOLERANCE_HZ = 0.4  # a G1 (49.0 Hz) is a note
HUM_PROMINENCE_DB = 12.0  # over the spectrum 4 to 12 Hz beside the line
HUM_BELOW_DB = 20.0  # a line as loud as the music is a note
MAX_HUM_WINDOWS = 48


@dataclass(frozen=True)
class Hum:
    """A tone of the mains supply: its frequency, 50 or 60 Hz, and its RMS level in dBFS."""

    mains_hz: int
    level_db: float


def block_levels(audio: Pcm, block: int, *, around: float | None = None) -> Doubles:
    """Returns the level of every whole block in dB, shape [n].

    Args:
        audio: Samples, shape [n_samples].
        block: Length of a block in samples.
        around: Value that deviations are measured from, re full scale; the block's mean if None.
    """
    whole = audio[: len(audio) // block * block].reshape(-1, block)
    n_rows = max(PIECE // block, 1)
    powers = [np.zeros(0)]
    for row in range(0, len(whole), n_rows):
        samples = from_pcm(whole[row : row + n_rows]).astype(np.float64)
        mean = samples.mean(axis=1, keepdims=True) if around is None else around
        powers.append(np.mean((samples - mean) ** 2, axis=1))
    return np.asarray(10 * np.log10(np.maximum(np.concatenate(powers), 1e-12)))


def noise_floor(audio: Pcm) -> float | None:
    """Returns the level of the noise in the pauses in dB, at least `LOWEST_DB`.

    A pause is far quieter than the loudest sound and steady; a note that fades is not.

    Returns:
        None if the recording has no pause.
    """
    level_db = block_levels(audio, NOISE_BLOCK)
    if len(level_db) < STEADY_BLOCKS:
        return None
    level_db = np.maximum(level_db, LOWEST_DB)
    stretches = np.lib.stride_tricks.sliding_window_view(level_db, STEADY_BLOCKS)
    steady = np.ptp(stretches, axis=1) < STEADY_DB
    pause = steady & (stretches.max(axis=1) < np.percentile(level_db, 98) - QUIET_DB)
    in_pause = np.zeros(len(level_db), bool)
    for shift in range(STEADY_BLOCKS):
        in_pause[shift : shift + len(pause)] |= pause
    if in_pause.sum() < MIN_NOISE_BLOCKS:
        return None
    return float(np.percentile(level_db[in_pause], 25))


def find_hum(audio: Pcm) -> Hum | None:
    """Finds a hum: a line at 50 or 60 Hz, or at twice that, in the quietest part of a recording.

    Returns:
        None without hum, and for a recording shorter than `HUM_WINDOW`.
    """
    n_windows = 2 * (len(audio) // HUM_WINDOW) - 1
    if n_windows < 1:
        return None
    chosen = np.unique(np.linspace(0, n_windows - 1, min(n_windows, MAX_HUM_WINDOWS)).astype(int))
    window = get_window("hann", HUM_WINDOW)
    bins = int((HUM_HARMONICS * max(MAINS_HZ) + 20) * HUM_WINDOW / SAMPLE_RATE)
    rows, levels = [], []
    for number in chosen:
        start = number * HUM_WINDOW // 2
        samples = from_pcm(audio[start : start + HUM_WINDOW])
        spectrum = np.abs(np.fft.rfft((samples - samples.mean()) * window))[:bins] ** 2
        rows.append(np.maximum(2 * spectrum / (HUM_WINDOW * np.sum(window**2)), 1e-15))
        levels.append(10 * np.log10(max(float(samples.var()), 1e-12)))
    quietest = np.argsort(levels)[: -(-len(levels) // 3)]
    power = np.median(np.array(rows)[quietest], axis=0)
    found = [hum for mains_hz in MAINS_HZ if (hum := _mains_lines(power, mains_hz))]
    hum = max(found, key=lambda hum: hum.level_db, default=None)
    return hum if hum and hum.level_db < max(levels) - HUM_BELOW_DB else None


def _mains_lines(power: Doubles, mains_hz: int) -> Hum | None:
    """Adds up the mains' lines in a spectrum; the first or the second must be there."""
    lines = [_line_power(power, order * mains_hz) for order in range(1, HUM_HARMONICS + 1)]
    if not any(lines[:2]):
        return None
    return Hum(mains_hz, float(10 * np.log10(sum(lines))))


def _line_power(power: Doubles, frequency_hz: float) -> float:
    """Returns the power of a line at a frequency in a spectrum, 0 if there is none."""
    bin_hz = SAMPLE_RATE / HUM_WINDOW
    near = np.arange(int(frequency_hz / bin_hz) - 1, int(frequency_hz / bin_hz) + 3)
    peak = int(near[power[near].argmax()])
    before, middle, after = (10 * np.log10(power[peak + shift]) for shift in (-1, 0, 1))
    if middle <= max(before, after):
        return 0.0
    offset = 0.5 * (before - after) / (before - 2 * middle + after)
    beside = [
        power[int((frequency_hz + side) / bin_hz) : int((frequency_hz + side + 8) / bin_hz)]
        for side in (-12, 4)
    ]
    prominence_db = middle - 10 * np.log10(np.median(np.concatenate(beside)))
    is_line = abs((peak + offset) * bin_hz - frequency_hz) < HUM_TOLERANCE_HZ
    has_line = is_line and prominence_db > HUM_PROMINENCE_DB
    return float(power[peak - 2 : peak + 3].sum()) if has_line else 0.0
