"""Learns the curves of an expression table from measured notes: attack, release and slur."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import FRAME_RATE
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.model.expression import KNOTS, LOWEST_DB, N_RELEASE_KNOTS, PITCH_STEP
from pipeline.model.note_measurement import Note

Floats = npt.NDArray[np.floating]
DETACHED_SECONDS = 0.1  # a note after a longer gap begins from silence
REST_SECONDS = 0.25  # releases are learnt from notes with a longer rest after them ...
MIN_ENDED_SECONDS = 0.2  # ... that are longer than this
SLURRED_SECONDS = 0.25  # slurs are learnt from longer notes
MIN_NOTES = 8  # fewest notes from which a point of a curve, or a slur, is learnt
DEAD_DB = -45.0  # notes that stay softer are dead keys of the soundfont
FARTHEST = 16  # semitones; a curve is not learnt from notes farther away
ATTACK_KNOTS = 7  # up to 12 frames, which every note lasts
BODY_KNOTS = slice(9, 12)  # 32 to 64 frames
RELEASE_FIT = (16, 48)  # frames; later, background noise prevails
DECAY_SLOPE = -1.0  # dB per second; decaying tones fall at least as fast


def learn_curves(notes: Sequence[Note], config: InstrumentConfig) -> dict[str, object]:
    """Learns the curves of `Expression` at each pitch, from the notes around that pitch.

    Args:
        notes: Measured notes of the corpus.
        config: The instrument.

    Returns:
        Fields of `Expression`: lowest_note, envelope_db, envelope_slope, release_db and
        release_slope.
    """
    corpus = config.require_corpus()
    n_curves = max(2, -(-(corpus.highest_note - corpus.lowest_note) // PITCH_STEP) + 1)
    alive = [n for n in notes if n.loudness_db[:ATTACK_KNOTS].max() > DEAD_DB]
    from_silence = [n for n in alive if n.gap > DETACHED_SECONDS]
    ended = [n for n in alive if n.rest > REST_SECONDS and n.seconds > MIN_ENDED_SECONDS]
    loudness_db = np.array([n.loudness_db for n in from_silence])
    begin, end = (list(KNOTS).index(frames) for frames in RELEASE_FIT)
    curves: list[tuple[list[float], float, list[float], float]] = []
    for curve in range(n_curves):
        pitch = min(corpus.lowest_note + PITCH_STEP * curve, corpus.highest_note)
        attack = _mean(from_silence, loudness_db[:, :ATTACK_KNOTS], pitch)
        steps = _mean(from_silence, np.diff(loudness_db[:, ATTACK_KNOTS - 1 :], axis=1), pitch)
        envelope = _continue(attack, steps, decays=corpus.decays)
        slope = (envelope[-1] - envelope[-3]) / (KNOTS[-1] - KNOTS[-3]) * FRAME_RATE
        release = _mean(ended, [n.release_db for n in ended], pitch)
        fall = (release[end] - release[begin]) / (KNOTS[end] - KNOTS[begin]) * FRAME_RATE
        release = np.minimum.accumulate(np.minimum(release, 0))
        curves.append(
            (
                _rounded(envelope),
                round(float(min(slope, DECAY_SLOPE)), 1) if corpus.decays else 0.0,
                _rounded(release),
                round(float(np.clip(fall, -400, -50)), 1),
            )
        )
    names = ("envelope_db", "envelope_slope", "release_db", "release_slope")
    columns = map(list, zip(*curves, strict=True))
    return {"lowest_note": corpus.lowest_note, **dict(zip(names, columns, strict=True))}


def _mean(notes: Sequence[Note], values: npt.ArrayLike, pitch: int) -> Floats:
    """Averages measurements of the notes within half a step of a pitch, or of the nearest ones.

    The average is the mean and not the median, because means of steps add up along a curve even if
    there are two kinds of notes.

    Args:
        notes: The notes, for their pitches.
        values: Measurements, shape [n_notes, n_knots]; NaN where there is none.
        pitch: MIDI note.

    Returns:
        Shape [n_knots]; NaN where fewer than `MIN_NOTES` notes are within `FARTHEST` semitones.
    """
    distance = np.abs(np.array([note.pitch for note in notes]) - pitch)
    means = []
    for column in np.asarray(values).T:
        known = np.isfinite(column) & (distance <= FARTHEST)
        reach = max(PITCH_STEP // 2, *np.sort(distance[known])[:MIN_NOTES], 0)
        enough = known.sum() >= MIN_NOTES
        means.append(np.mean(column[known & (distance <= reach)]) if enough else np.nan)
    return np.array(means)


def _continue(attack: Floats, steps: Floats, *, decays: bool) -> Floats:
    """Continues an attack by the mean steps from knot to knot.

    Steps are averaged instead of levels, because different notes last to different knots. Where a
    step is unknown, a decaying tone keeps the last slope, and a sustained tone stays level.
    """
    envelope = list(attack)
    slope = 0.0
    for step, frames in zip(steps, np.diff(KNOTS[ATTACK_KNOTS - 1 :]), strict=True):
        if np.isfinite(step):
            slope = step / frames
        elif not decays:
            slope = 0.0
        envelope.append(envelope[-1] + frames * slope)
    return np.asarray(np.clip(envelope, LOWEST_DB, 0))


def learn_slur(notes: Sequence[Note], *, decays: bool) -> dict[str, object]:
    """Learns how loudness dips and pitch glides between slurred notes.

    Args:
        notes: Measured notes of the corpus.
        decays: Whether the instrument's tones decay; such an instrument has no slurs.

    Returns:
        Fields of `Expression`: slur_db and slur_ms.
    """
    slurred = [n for n in notes if n.gap <= 0 and n.seconds > SLURRED_SECONDS]
    slides = [n.slide for n in slurred if n.slide is not None]
    if decays or len(slides) < MIN_NOTES:
        return {"slur_db": [0.0] * N_RELEASE_KNOTS, "slur_ms": 0.0}
    levels = np.array([n.loudness_db for n in slurred])
    dips = levels[:, :N_RELEASE_KNOTS] - np.nanmean(levels[:, BODY_KNOTS], axis=1)[:, None]
    dip = np.minimum(np.nanmedian(dips, axis=0), 0)
    dip[-1] = 0
    course = np.median(slides, axis=0)
    crossings = np.interp([0.1, 0.9], np.maximum.accumulate(course), np.arange(len(course)))
    glide_frames = max(float(crossings[1] - crossings[0]), 1.0)
    return {"slur_db": _rounded(dip), "slur_ms": round(1000 * glide_frames / FRAME_RATE, 1)}


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 2) for value in values]
