"""The device's FM arithmetic in NumPy: the integers of ``tflm_app/fm``, bit for bit, on every core.

Units of a phase: 2**64 a turn for the base oscillator from block to block and 2**32 within one,
2**31 for modulation, 2**24 for the sine's argument. A sine and a level have 16 bits when they meet.
"""

from fractions import Fraction

import numpy as np

from pipeline.core.constants import (
    HOP_SAMPLES,
    MAX_F0_HZ,
    MIN_F0_HZ,
    N_OPERATORS,
    SAMPLE_RATE,
)
from pipeline.model.patches import Patch

LEVEL_MAX_Q32 = 1374367488  # 0.32 turns, less what rounding a level of full scale takes
MAX_SUMMED = 3  # so many products keep within 32 bits
SINE_LINES = 512


def sine_table() -> np.ndarray:
    """Fits a straight line to the sine over every 512th of a turn.

    From each 256th of a turn one line leads back and one ahead; a phase's low 16 bits (2**24 a
    turn), signed, are the distance from that point, and ``sine = line + distance * int16(line)`` in
    Q31. The slope, in the word's lower half, thus adds to the value above it. So the word is found
    by search: of those near the best line, the one of least squared error that keeps within 32
    bits. Half a unit of the upper 16 bits is added, so that cutting the lower ones off rounds.

    Returns:
        int32, shape [SINE_LINES].
    """
    line = np.arange(SINE_LINES)[:, None]
    is_back = line % 2
    distance = np.arange(64, 2**15, 128) - 2**15 * is_back
    phase = (line + is_back) // 2 / (SINE_LINES / 2) + distance / 2**24
    target = 2.0**31 * np.sin(2 * np.pi * phase) + 2.0**15

    centre = distance.mean(axis=1, keepdims=True)
    offset = distance - centre
    best_slope = (offset * target).sum(axis=1) / (offset**2).sum(axis=1)
    slopes, values = (grid.ravel() for grid in np.meshgrid(np.arange(-1, 3), np.arange(-1, 3)))
    slope = np.floor(best_slope[:, None]).astype(np.int64) + slopes  # [lines, candidates]
    below = slope & 0xFFFF
    value = (target.mean(axis=1, keepdims=True) - slope * centre - below) // 2**16
    word = (value.astype(np.int64) + values) * 2**16 + below

    reach = np.stack([0 * is_back, -(2**15) * is_back, 2**15 * (1 - is_back) - 1], axis=-1)
    sines = word[..., None] + slope[..., None] * reach
    fits = (sines.min(axis=-1) >= -(2**31)) & (sines.max(axis=-1) < 2**31)
    error = word[..., None] + slope[..., None] * distance[:, None, :] - target[:, None, :]
    choice = np.where(fits, (error**2).mean(axis=-1), np.inf).argmin(axis=1)
    return word[np.arange(SINE_LINES), choice].astype(np.int32)


SINE_TABLE = sine_table()


def sine(turns: np.ndarray) -> np.ndarray:
    """Sine by the table, Q31 as int64; its upper 16 bits are the rounded result.

    Args:
        turns: Phase, 2**24 a turn; higher bits are ignored.
    """
    turns = np.asarray(turns, np.int64)
    line = SINE_TABLE[(turns >> 15) % SINE_LINES].astype(np.int64)
    return line + _lower_half(turns) * _lower_half(line)


def increment_per_f0(patch: Patch) -> int:
    """Base oscillator's increment, 2**-64 turns a sample, for 2**-19 Hz: 32.32 fixed point."""
    return round(patch.base_ratio * Fraction(2**64, 2**19 * SAMPLE_RATE) * 2**32)


def carrier_bits(patch: Patch) -> int:
    """Binary digits of a carrier's product below the audio's LSB; one less to add carriers up."""
    return 15 if len(patch.carriers) == 1 else 14


class FixedVoice:
    """The device's voice: `render` takes frames in portions of any size."""

    def __init__(self, patch: Patch):
        """Starts silent, all phases at 0."""
        self.patch = patch
        self.reset()

    def reset(self) -> None:
        """Forgets the past."""
        self._phase = np.uint64(0)
        self._increment: np.uint64 | None = None
        self._levels = np.zeros(N_OPERATORS, np.int64)

    def render(self, f0_hz: np.ndarray, levels_q32: np.ndarray) -> np.ndarray:
        """Plays frames; each holds what its block of 64 samples reaches at the end.

        Args:
            f0_hz: float32, shape [n_frames]; held within `MIN_F0_HZ` and `MAX_F0_HZ`, NaN counts as
                the minimum.
            levels_q32: int32, 2**32 a turn, shape [n_frames, 6]; held within 0 and `LEVEL_MAX_Q32`.

        Returns:
            int16 PCM, shape [n_frames * 64].
        """
        f0_hz = np.asarray(f0_hz, np.float32)
        if len(f0_hz) == 0:
            return np.zeros(0, np.int16)
        base = self._base_phase(f0_hz)
        levels = self._level_ramps(np.asarray(levels_q32, np.int32))
        outputs: dict[int, np.ndarray] = {}
        for operator in self.patch.order:
            turns = (base * self.patch.multiples[operator] % 2**32) >> 8
            if modulators := self.patch.modulators[operator]:
                turns += sum(outputs[modulator] for modulator in modulators) >> 7
            outputs[operator] = (sine(turns) >> 16) * levels[operator]
        bits = carrier_bits(self.patch)
        total = sum(outputs[carrier] for carrier in self.patch.carriers)
        return np.clip((total + 2 ** (bits - 1)) >> bits, -(2**15), 2**15 - 1).astype(np.int16)

    def _base_phase(self, f0_hz: np.ndarray) -> np.ndarray:
        """Phase of the base oscillator at every sample, 2**32 a turn, int64, shape [n_samples]."""
        f0_hz = np.clip(np.nan_to_num(f0_hz, nan=MIN_F0_HZ), MIN_F0_HZ, MAX_F0_HZ)
        f0 = (f0_hz.astype(np.float64) * 2**19).astype(np.uint64)  # exact
        factor = increment_per_f0(self.patch)
        fraction = np.uint64(factor >> 16 & 0xFFFF)
        last = f0 * np.uint64(factor >> 32) + (f0 >> np.uint64(16)) * fraction
        first = np.roll(last, 1)
        first[0] = last[0] if self._increment is None else self._increment

        half_step = (last - first).astype(np.int64) >> 7
        mean = ((first + last) >> np.uint64(1)) + half_step.astype(np.uint64)
        end = self._phase + np.cumsum(mean << np.uint64(6), dtype=np.uint64)
        start = np.concatenate([[self._phase], end[:-1]])
        self._phase, self._increment = end[-1], last[-1]

        step = (half_step + 2**30) >> 31
        increment = _upper_word(mean + np.uint64(2**31)) - ((63 * step) >> 1)
        n = np.arange(HOP_SAMPLES)
        ramp = np.outer(increment, n + 1) + np.outer(step, n * (n + 1) // 2)
        return ((_upper_word(start)[:, None] + ramp) % 2**32).ravel()

    def _level_ramps(self, levels_q32: np.ndarray) -> np.ndarray:
        """The operators' 16-bit levels at every sample, int64, shape [6, n_samples]."""
        levels = np.clip(levels_q32, 0, LEVEL_MAX_Q32).astype(np.int64)
        carriers = list(self.patch.carriers)
        level = levels[:, carriers]
        shift = 15 - carrier_bits(self.patch)
        levels[:, carriers] = (level + (level >> 1) + (level >> 4)) >> shift
        step = (levels - np.concatenate([self._levels[None], levels[:-1]])) >> 6
        self._levels = levels[-1]
        to_go = np.arange(HOP_SAMPLES)[::-1, None]
        ramp = levels[:, None] + 2**15 - step[:, None] * to_go
        return (ramp >> 16).reshape(-1, N_OPERATORS).T


def _lower_half(words: np.ndarray) -> np.ndarray:
    """The lower 16 bits as a signed number."""
    return words.astype(np.int16).astype(np.int64)


def _upper_word(words: np.ndarray) -> np.ndarray:
    """The upper 32 of 64 bits, as int64."""
    return (words >> np.uint64(32)).astype(np.int64)
