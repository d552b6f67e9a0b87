"""The FM arithmetic of the device in NumPy, bit for bit (``tflm_app/fm``).

A turn of phase is 2**64 units for the base oscillator from block to block, 2**40 for the stretch,
2**32 within a block, 2**31 for modulation, and 2**24 for the argument of the sine. A sine and a
level are multiplied with 16 bits each.
"""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import (
    HOP_SAMPLES,
    MAX_F0_HZ,
    MIN_F0_HZ,
    N_OPERATORS,
    SAMPLE_RATE,
)
from pipeline.core.patch import MAX_SHARED_MULTIPLE, Patch
from pipeline.core.stretch import PARTS_PER_OCTAVE, STRETCH_BITS

LEVEL_MAX_Q32 = 1374367488  # 0.32 turns, minus the rounding of a full-scale level
SINE_LINES = 512
Ints = npt.NDArray[np.int64]


def sine_table() -> npt.NDArray[np.int32]:
    """Fits a straight line to the sine over every 512th of a turn.

    From each 256th of a turn, one line leads back and one leads ahead. The low 16 bits of a phase
    (2**24 per turn), signed, are the distance from that point, and ``sine = line + distance *
    int16(line)`` in Q31. The slope in the lower half of the word therefore also adds to the value
    above it, so the word is found by search: among the words near the best line, the one with the
    least squared error that fits 32 bits. Half a unit of the upper 16 bits is added, so that
    cutting off the lower ones rounds.

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
    return np.asarray(word[np.arange(SINE_LINES), choice], np.int32)


SINE_TABLE = sine_table()


def sine(turns: npt.ArrayLike) -> Ints:
    """Returns the sine from the table, Q31 as int64; its upper 16 bits are the rounded result.

    Args:
        turns: Phase, 2**24 per turn; higher bits are ignored.
    """
    phases = np.asarray(turns, np.int64)
    line = SINE_TABLE[(phases >> 15) % SINE_LINES].astype(np.int64)
    return np.asarray(line + _lower_half(phases) * _lower_half(line))


def increment_per_f0(patch: Patch) -> int:
    """Returns the base oscillator's increment per 2**-19 Hz, in 2**-64 turns per sample, as Q32."""
    return round(patch.base_ratio * Fraction(2**64, 2**19 * SAMPLE_RATE) * 2**32)


def stretch_increments(patch: Patch, f0: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Interpolates the stretch of a sample in the patch's table.

    Args:
        patch: The patch.
        f0: Pitch, 2**19 per Hz, from `MIN_F0_HZ` to `MAX_F0_HZ`, any shape.

    Returns:
        2**40 per turn, same shape.
    """
    table = np.array(patch.stretch_table, np.int64)
    pitch = f0.astype(np.int64)
    part_bits = np.frexp(pitch.astype(np.float64))[1] - 3  # of the pitch within its part
    part = ((part_bits - 21) << 2) + (pitch >> part_bits) - PARTS_PER_OCTAVE
    rest = pitch & ((1 << part_bits) - 1)
    rise = (table[part + 1] - table[part]) * rest >> part_bits
    return np.asarray((table[part] + rise).astype(np.uint64))


def carrier_bits(patch: Patch) -> int:
    """Returns how many bits of a carrier's product lie below the LSB; sums need headroom."""
    n_carriers = len(patch.carriers)
    return 15 if n_carriers == 1 else 14 if n_carriers <= 3 else 13


class FixedVoice:
    """The device's voice; `render` accepts frames in portions of any size."""

    def __init__(self, patch: Patch) -> None:
        """Creates a silent voice with all phases at 0."""
        self.patch = patch
        self.reset()

    def reset(self) -> None:
        """Returns to silence and to phase 0."""
        self._phase = self._stretch = np.uint64(0)
        self._increment: np.uint64 | None = None
        self._levels = np.zeros(N_OPERATORS, np.int64)

    def render(
        self, f0_hz: npt.NDArray[np.float32], levels_q32: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int16]:
        """Plays frames; the values of a frame are reached at the end of its block of 64 samples.

        Args:
            f0_hz: float32, shape [n_frames]; limited to `MIN_F0_HZ` and `MAX_F0_HZ`, NaN counts as
                the minimum.
            levels_q32: int32, 2**32 per turn, shape [n_frames, 6]; limited to 0 and
                `LEVEL_MAX_Q32`.

        Returns:
            int16 PCM, shape [n_frames * 64].
        """
        f0_hz = np.asarray(f0_hz, np.float32)
        if len(f0_hz) == 0:
            return np.zeros(0, np.int16)
        f0_hz = np.clip(np.nan_to_num(f0_hz, nan=MIN_F0_HZ), MIN_F0_HZ, MAX_F0_HZ)
        f0 = (f0_hz.astype(np.float64) * 2**19).astype(np.uint64)  # exact
        phases = self._phases(f0)
        stretch = self._stretches(f0) if self.patch.is_stretched else {0: 0}
        levels = self._level_ramps(np.asarray(levels_q32, np.int32))
        outputs: dict[int, Ints] = {}
        for operator in self.patch.order:
            phase = phases[self.patch.multiples[operator]] + stretch[self.patch.stretch[operator]]
            turns = phase % 2**32 >> 8
            if modulators := self.patch.modulators[operator]:
                turns += sum(outputs[modulator] for modulator in modulators) >> 7
            outputs[operator] = (sine(turns) >> 16) * levels[operator]
        bits = carrier_bits(self.patch)
        total = sum(outputs[carrier] for carrier in self.patch.carriers)
        samples = np.clip((total + 2 ** (bits - 1)) >> bits, -(2**15), 2**15 - 1)
        return np.asarray(samples, np.int16)

    def _phases(self, f0: npt.NDArray[np.uint64]) -> dict[int, Ints]:
        """Returns the phase of every ratio by its multiple of the base, and advances the base.

        Small multiples are taken of the base's 32-bit phase. Large ones, which would multiply its
        rounding errors, are taken of its 64-bit phase and increments.

        Args:
            f0: Pitch, 2**19 per Hz, shape [n_frames].

        Returns:
            2**32 per turn, int64, shape [n_samples].
        """
        factor = increment_per_f0(self.patch)
        fraction = np.uint64(factor >> 16 & 0xFFFF)
        last = f0 * np.uint64(factor >> 32) + (f0 >> np.uint64(16)) * fraction
        first = np.roll(last, 1)
        first[0] = last[0] if self._increment is None else self._increment

        half_step = ((last - first).astype(np.int64) >> 7).astype(np.uint64)
        mean = ((first + last) >> np.uint64(1)) + half_step
        end = self._phase + np.cumsum(mean << np.uint64(6), dtype=np.uint64)
        start = np.concatenate([[self._phase], end[:-1]])
        self._phase, self._increment = end[-1], last[-1]
        base = _ramp(start, mean, half_step)
        return {
            multiple: base * multiple % 2**32
            if multiple <= MAX_SHARED_MULTIPLE
            else _ramp(*(words * np.uint64(multiple) for words in (start, mean, half_step)))
            for multiple in set(self.patch.multiples)
        }

    def _stretches(self, f0: npt.NDArray[np.uint64]) -> dict[int, Ints]:
        """Returns the stretch times every weight, and advances the stretch.

        Within a block, it advances by the stretch of the block's last pitch.

        Args:
            f0: Pitch, 2**19 per Hz, shape [n_frames].

        Returns:
            2**32 per turn, int64, shape [n_samples], by weight.
        """
        increment = stretch_increments(self.patch, f0)
        end = self._stretch + np.cumsum(increment << np.uint64(6), dtype=np.uint64)
        self._stretch = end[-1]
        to_go = np.arange(HOP_SAMPLES)[::-1]
        ramps = {}
        for weight in set(self.patch.stretch):
            factor, shift = np.uint64(weight % 2**64), np.uint64(STRETCH_BITS - 32)
            last, step = ((words * factor >> shift) for words in (end, increment))
            ramps[weight] = (
                _lower_word(last)[:, None] - _lower_word(step)[:, None] * to_go
            ).ravel()
        return ramps

    def _level_ramps(self, levels_q32: npt.NDArray[np.int32]) -> Ints:
        """Returns the operators' 16-bit levels at every sample, int64, shape [6, n_samples]."""
        levels = np.clip(levels_q32, 0, LEVEL_MAX_Q32).astype(np.int64)
        carriers = list(self.patch.carriers)
        level = levels[:, carriers]
        shift = 15 - carrier_bits(self.patch)
        levels[:, carriers] = (level + (level >> 1) + (level >> 4)) >> shift
        step = (levels - np.concatenate([self._levels[None], levels[:-1]])) >> 6
        self._levels = levels[-1]
        to_go = np.arange(HOP_SAMPLES)[::-1, None]
        ramp = levels[:, None] + 2**15 - step[:, None] * to_go
        return np.asarray(ramp >> 16).reshape(-1, N_OPERATORS).T


def _ramp(
    start: npt.NDArray[np.uint64], mean: npt.NDArray[np.uint64], half_step: npt.NDArray[np.uint64]
) -> Ints:
    """Returns the phases of all samples of blocks, 2**32 per turn, int64, shape [n_samples].

    Args:
        start: Phase before each block, 2**64 per turn.
        mean: Mean increment of each block.
        half_step: Half of the increment's growth per sample, as two's complement.
    """
    step = (half_step.astype(np.int64) + 2**30) >> 31
    increment = _upper_word(mean + np.uint64(2**31)) - ((63 * step) >> 1)
    n = np.arange(HOP_SAMPLES)
    ramp = np.outer(increment, n + 1) + np.outer(step, n * (n + 1) // 2)
    return np.asarray((_upper_word(start)[:, None] + ramp) % 2**32).ravel()


def _lower_half(words: Ints) -> Ints:
    """Returns the lower 16 bits as a signed number."""
    return words.astype(np.int16).astype(np.int64)


def _lower_word(words: npt.NDArray[np.uint64]) -> Ints:
    """Returns the lower 32 of 64 bits, as int64."""
    return (words & np.uint64(2**32 - 1)).astype(np.int64)


def _upper_word(words: npt.NDArray[np.uint64]) -> Ints:
    """Returns the upper 32 of 64 bits, as int64."""
    return (words >> np.uint64(32)).astype(np.int64)
