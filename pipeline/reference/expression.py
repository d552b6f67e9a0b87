"""Expression: from notes to frames, bit for bit as in ``tflm_app/player/expression.c``.

Pitch is in semitones and loudness in dB, both times 2**16. Shifts round down, as in the firmware;
only the division of a glide rounds towards 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.constants import (
    FRAME_RATE,
    NOTE_OF_1_HZ,
    RANDOM_INCREMENT,
    RANDOM_MULTIPLIER,
    SEMITONES_PER_OCTAVE,
)
from pipeline.model.expression import GAIN_DB_Q8, KNOTS, PITCH_STEP, Expression
from pipeline.reference.fm import sine

NOTHING_DB = -128 << 16  # level of a voice that does not sound
SILENCE_DB = -75 << 16  # level below which a voice has ended
LONGEST = 1 << 13  # largest count of frames
ATTACK_FRAMES = 64  # for so many frames a held note counts as sounding, however soft it is
TAKE_OVER_FRAMES = 128  # a note after another one may leave out so much of its attack
REPEAT_DB = 3  # a repeated note begins at least so far below the end of the last one
USUAL_VIBRATO = -1  # stands for the table's vibrato depth, instead of a controller's
LOG2_HZ_OF_NOTE_0_Q26 = round(2**26 * -NOTE_OF_1_HZ / SEMITONES_PER_OCTAVE)
EXP2_Q30 = [round(2**30 * 2 ** (i / 64)) for i in range(65)]
DRIFT_GAIN = 2.327  # standard deviation of the low-passed noise, relative to its largest step


@dataclass(frozen=True)
class FixedCurves:
    """The curves at one pitch, in the firmware's integers, named as in ``player/expression.h``."""

    envelope: list[int]
    release: list[int]
    envelope_slope: int
    release_slope: int


@dataclass(frozen=True)
class FixedExpression:
    """The table in the firmware's integers, named as in ``player/expression.h``.

    Attributes:
        curves: From the lowest pitch up.
    """

    curves: list[FixedCurves]
    slur: list[int]
    lowest_note: int
    slur_frames: int
    vibrato_delay: int
    vibrato_growth_q16: int
    vibrato_depth: int
    vibrato_rate: int
    pitch_drift: int
    loudness_drift: int
    loudest_db: int


def _fixed(values: Any, one: float) -> Any:
    """Rounds numbers, or lists of them, to multiples of 1 / `one`."""
    return np.round(np.asarray(values, float) * one).astype(np.int64).tolist()


def to_fixed(expression: Expression) -> FixedExpression:
    """Rounds a table to the firmware's integers."""
    curves = zip(
        _fixed(expression.envelope_db, 256),
        _fixed(expression.release_db, 256),
        _fixed(expression.envelope_slope, 2**14 / FRAME_RATE),
        _fixed(expression.release_slope, 2**14 / FRAME_RATE),
        strict=True,
    )
    growth_frames = expression.vibrato_growth_ms * FRAME_RATE / 1000
    return FixedExpression(
        curves=[FixedCurves(*each) for each in curves],
        slur=_fixed(expression.slur_db, 256),
        lowest_note=expression.lowest_note,
        slur_frames=_fixed(expression.slur_ms, FRAME_RATE / 1000),
        vibrato_delay=_fixed(expression.vibrato_delay_ms, FRAME_RATE / 1000),
        vibrato_growth_q16=min(round(65536 / growth_frames), 65535),
        vibrato_depth=_fixed(expression.vibrato_cents, 65536 / 100),
        vibrato_rate=_fixed(expression.vibrato_hz, 2**32 / FRAME_RATE),
        pitch_drift=_fixed(expression.pitch_drift_cents, 65536 / 100 / DRIFT_GAIN),
        loudness_drift=_fixed(expression.loudness_drift_db, 65536 / DRIFT_GAIN),
        loudest_db=_fixed(expression.loudest_db, 65536),
    )


def pitch_to_hz(pitch: int) -> np.float32:
    """Returns the frequency of a pitch as ``pitch_to_hz`` in C does."""
    octaves = min(max(pitch, 12 << 16), 115 << 16) * 256 // 3 + LOG2_HZ_OF_NOTE_0_Q26
    index, fraction = octaves >> 20 & 63, octaves >> 8 & 0xFFF
    step = EXP2_Q30[index + 1] - EXP2_Q30[index]
    mantissa = EXP2_Q30[index] + ((step >> 5) * fraction >> 7)
    bits = ((octaves >> 26) + 126 << 23) + (mantissa + 64 >> 7)
    return np.float32(np.uint32(bits).view(np.float32))


class FixedExpressionVoice:
    """A voice that turns notes into frames; `step` returns the next one.

    Attributes:
        level: Loudness before controllers and drift.
        pitch: Pitch before bend, vibrato and drift.
    """

    def __init__(self, table: FixedExpression, seed: int) -> None:
        """Creates a silent voice; `seed` is the 32-bit seed of the drift."""
        self.table = table
        self.level = self._tail = NOTHING_DB
        self.pitch = self._pitch_goal = self._pitch_step = self._glide_frames = 0
        self._velocity = self._velocity_goal = 0
        self._frames = self._note_frames = self._tail_frames = 0
        self._vibrato_phase = self._pitch_drift = self._loudness_drift = 0
        self._noise = seed
        self._held = self._slurred = False

    def start(
        self, note: int, velocity: int, *, start: int | None = None, glide_frames: int = 0
    ) -> None:
        """Attacks a note, out of the last release; the pitch glides from `start`, if given."""
        velocity_db = GAIN_DB_Q8[velocity] * 256
        is_repeated = note << 16 == self._pitch_goal
        if velocity_db < self._velocity and self._tail > NOTHING_DB:
            self._tail += velocity_db - self._velocity
        self._held, self._slurred = True, False
        self._note_frames = 0
        self._velocity = self._velocity_goal = velocity_db
        if start is not None:
            self.pitch = start
        self._glide(note, glide_frames)
        follows = self._tail > NOTHING_DB and self.table.slur_frames > 0
        self._frames = self._take_over(is_repeated=is_repeated) if follows else 0

    def slur(self, note: int, velocity: int, glide_frames: int) -> None:
        """Moves to another note without an attack."""
        self._held = self._slurred = True
        self._tail = NOTHING_DB
        self._note_frames = 0
        self._velocity_goal = GAIN_DB_Q8[velocity] * 256
        self._glide(note, glide_frames)

    def release(self) -> None:
        """Ends the note."""
        self._held = False
        self._tail, self._tail_frames = self.level, 0

    def step(
        self, *, bend: int = 0, gain: int = 0, vibrato_depth: int = USUAL_VIBRATO
    ) -> tuple[np.float32, np.float32, bool]:
        """Returns f0 in Hz, loudness in dB, and whether the voice still sounds."""
        self._frames = _count(self._frames)
        self._note_frames = _count(self._note_frames)
        self._velocity += self._velocity_goal - self._velocity >> 2
        if self._glide_frames > 0:
            self._glide_frames -= 1
            self.pitch += self._pitch_step
            if self._glide_frames == 0:
                self.pitch = self._pitch_goal
        self.level = self._level()
        self._pitch_drift += (self._next_noise() * self.table.pitch_drift >> 15) - (
            self._pitch_drift >> 5
        )
        self._loudness_drift += (self._next_noise() * self.table.loudness_drift >> 15) - (
            self._loudness_drift >> 5
        )
        f0_hz = pitch_to_hz(self.pitch + self._pitch_drift + self._vibrato(vibrato_depth) + bend)
        loudness = min(self.level + self._loudness_drift + gain, self.table.loudest_db)
        sounds = self.level > SILENCE_DB or (self._held and self._frames < ATTACK_FRAMES)
        return f0_hz, np.float32(loudness) * np.float32(2**-16), sounds

    def _glide(self, note: int, frames: int) -> None:
        self._pitch_goal, self._glide_frames = note << 16, frames
        if frames == 0:
            self.pitch = self._pitch_goal
        else:
            way = self._pitch_goal - self.pitch
            self._pitch_step = abs(way) // frames * (1 if way >= 0 else -1)

    def _take_over(self, *, is_repeated: bool) -> int:
        """Ends the release; returns the frame at which the next attack is about as loud."""
        goal = self._release_at(self._tail_frames) if self._tail_frames else self._tail
        if is_repeated:
            goal = min(goal, self._tail - (REPEAT_DB << 16))
        self._tail = NOTHING_DB
        frames, bit = 0, TAKE_OVER_FRAMES // 2
        while bit:
            if self._envelope_at(frames | bit) + self._velocity <= goal:
                frames |= bit
            bit //= 2
        return frames

    def _envelope_at(self, frames: int) -> int:
        low, high, fraction = self._curves_around()
        below, above = (
            _curve_at(curves.envelope, curves.envelope_slope, frames) for curves in (low, high)
        )
        return _between(below, above, fraction)

    def _release_at(self, frames: int) -> int:
        low, high, fraction = self._curves_around()
        below, above = (
            _curve_at(curves.release, curves.release_slope, frames) for curves in (low, high)
        )
        return self._tail + _between(below, above, fraction)

    def _curves_around(self) -> tuple[FixedCurves, FixedCurves, int]:
        """Returns the curves below and above the pitch, and its place between them, Q11."""
        highest = len(self.table.curves) - 1 << 16
        steps = (self.pitch - (self.table.lowest_note << 16)) // PITCH_STEP
        position = min(max(steps, 0), highest - 1)
        index, fraction = position >> 16, position >> 5 & 0x7FF
        low, high = self.table.curves[index : index + 2]
        return low, high, fraction

    def _level(self) -> int:
        level = NOTHING_DB
        if self._held:
            level = self._envelope_at(self._frames) + self._velocity
            if self._slurred and self._note_frames <= 48:
                level += _curve_at(self.table.slur, 0, self._note_frames)
        if self._tail > NOTHING_DB:
            self._tail_frames = _count(self._tail_frames)
            tail = self._release_at(self._tail_frames)
            if tail < SILENCE_DB:
                self._tail = NOTHING_DB
            else:
                level = max(level, tail)
        return level

    def _next_noise(self) -> int:
        self._noise = (self._noise * RANDOM_MULTIPLIER + RANDOM_INCREMENT) % 2**32
        return (self._noise >> 16) - 32768

    def _vibrato(self, wanted_depth: int) -> int:
        depth = self.table.vibrato_depth if wanted_depth == USUAL_VIBRATO else wanted_depth
        grown = self._note_frames - self.table.vibrato_delay
        if grown <= 0 or depth == 0:
            self._vibrato_phase = 0
            return 0
        share = min(grown * self.table.vibrato_growth_q16, 65536) >> 4
        self._vibrato_phase = (self._vibrato_phase + self.table.vibrato_rate) % 2**32
        sine_q14 = int(sine(np.array(self._vibrato_phase >> 8))) >> 17
        return (depth * share >> 12) * sine_q14 >> 14


def _count(frames: int) -> int:
    return min(frames + 1, LONGEST)


def _between(low: int, high: int, fraction_q11: int) -> int:
    return low + ((high - low >> 4) * fraction_q11 >> 7)


def _curve_at(knots: Sequence[int], slope: int, frames: int) -> int:
    last = int(KNOTS[len(knots) - 1])
    if frames >= last:
        return max(knots[-1] * 256 + slope * 4 * (frames - last), NOTHING_DB)
    knot = int(np.searchsorted(KNOTS, frames, side="right")) - 1
    begin, end = int(KNOTS[knot]), int(KNOTS[knot + 1])
    return knots[knot] * 256 + (knots[knot + 1] - knots[knot]) * 256 * (frames - begin) // (
        end - begin
    )
