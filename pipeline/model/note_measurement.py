"""Measures notes in the features of a rendered corpus, whose score is known."""

from collections.abc import Iterator
from dataclasses import dataclass

import mido
import numpy as np
import numpy.typing as npt

from pipeline.audio.composition import EXPRESSION
from pipeline.audio.pitch import hz_to_note
from pipeline.core.constants import FRAME_RATE
from pipeline.model.expression import GAIN_DB_Q8, KNOTS, N_RELEASE_KNOTS

Floats = npt.NDArray[np.floating]
GAIN_DB = np.array(GAIN_DB_Q8) / 256  # gain of each velocity and controller value
EDGE_SECONDS = 0.06  # half a loudness window; notes are not measured closer to their neighbours
SLIDE_SECONDS = 0.25  # a pitch slide is measured between notes of at least this length
BEFORE_END_SECONDS = 0.08  # the loudness at the end of a note is measured this much earlier
SLIDE_FRAMES = np.arange(-12, 25)  # frames relative to the onset


@dataclass(frozen=True)
class Note:
    """A note of the corpus with its measurements.

    Attributes:
        pitch: MIDI note.
        gap: Seconds since the end of the previous note; negative in a slur.
        rest: Seconds from the end of the note to the next one.
        seconds: From the onset to the end, or to the next onset.
        loudness_db: Loudness at `KNOTS` frames after the onset, without the gain of velocity and
            controllers; NaN where the note or a neighbour begins or ends.
        release_db: Loudness at the first `KNOTS` frames after the end, relative to that before the
            end; NaN as for `loudness_db`.
        slide: Pitch at every frame from 12 before to 24 after the onset, where 0 is the pitch of
            the previous note and 1 that of this one; None if it was not measured.
    """

    pitch: int
    gap: float
    rest: float
    seconds: float
    loudness_db: Floats
    release_db: Floats
    slide: Floats | None


@dataclass(frozen=True)
class _ScoreNote:
    """A note of the score: onset and end in seconds, MIDI pitch and velocity."""

    start: float
    end: float
    pitch: int
    velocity: int


def measure_notes(midi: mido.MidiFile, f0_hz: Floats, loudness_db: Floats) -> Iterator[Note]:
    """Measures the notes of a score in the features of its rendering.

    Args:
        midi: The score, a single part.
        f0_hz: Pitch of the rendering, shape [n_frames].
        loudness_db: Loudness of the rendering, shape [n_frames].
    """
    score, times, gains = _read_score(midi)
    semitones = hz_to_note(f0_hz)
    previous = None
    for i, note in enumerate(score):
        following = score[i + 1].start if i + 1 < len(score) else np.inf
        stop = min(note.end, following)
        at = note.start + KNOTS / FRAME_RATE
        gain = gains[np.searchsorted(times, at, side="right") - 1]
        level = _sample(loudness_db, at) - gain - GAIN_DB[note.velocity]
        after = stop + KNOTS[:N_RELEASE_KNOTS] / FRAME_RATE
        before = _sample(loudness_db, np.array([stop - BEFORE_END_SECONDS]))[0]
        slide = None
        shortest = min(stop - note.start, note.start - previous.start) if previous else 0.0
        if previous and previous.pitch != note.pitch and shortest > SLIDE_SECONDS:
            around = _sample(semitones, note.start + SLIDE_FRAMES / FRAME_RATE)
            slide = (around - previous.pitch) / (note.pitch - previous.pitch)
        yield Note(
            pitch=note.pitch,
            gap=note.start - previous.end if previous else np.inf,
            rest=following - stop,
            seconds=stop - note.start,
            loudness_db=np.where(at < stop - EDGE_SECONDS, level, np.nan),
            release_db=np.where(
                after < following - EDGE_SECONDS, _sample(loudness_db, after) - before, np.nan
            ),
            slide=slide,
        )
        previous = note


def _sample(values: Floats, at: Floats) -> Floats:
    """Returns the values of the frames nearest to times in seconds; NaN outside the rendering."""
    index = np.round(at * FRAME_RATE).astype(int) - 1  # frame k is at time (k + 1) / 250
    inside = (index >= 0) & (index < len(values))
    return np.where(inside, values[np.clip(index, 0, len(values) - 1)], np.nan)


def _read_score(midi: mido.MidiFile) -> tuple[list[_ScoreNote], Floats, Floats]:
    """Returns the notes, and the times and gains in dB of the expression controller."""
    notes: list[_ScoreNote] = []
    sounding: dict[int, tuple[float, int]] = {}
    times, gains = [-1.0], [0.0]
    now = 0.0
    for message in midi:
        now += message.time
        if message.type == "control_change" and message.control == EXPRESSION:
            times.append(now)
            gains.append(float(GAIN_DB[message.value]))
        elif message.type in ("note_on", "note_off"):
            if message.note in sounding:
                start, velocity = sounding.pop(message.note)
                notes.append(_ScoreNote(start, now, message.note, velocity))
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.note] = (now, message.velocity)
    notes.sort(key=lambda note: (note.start, note.end, note.pitch, note.velocity))
    return notes, np.array(times), np.array(gains)
