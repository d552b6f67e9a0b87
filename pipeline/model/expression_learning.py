"""Expression stage: from an instrument's corpus, how its notes begin, swell, fade and tremble.

    python -m pipeline.expression --instrument flute

reads the default corpus, whose notes are known, and the data set, whose real recordings say how
players' pitch and loudness move, and writes ``runs/<instrument>/expression.toml``: the table with
which MIDI is played (see `pipeline.expression_table`). All of it is in the features' terms, so what
the firmware plays is what the decoder was trained with. A loudness is measured in a window of 128
ms; a note therefore rises and falls at least as slowly as that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import numpy.typing as npt

from pipeline.audio.corpus import EXPRESSION
from pipeline.audio.recordings import analyse, render_corpus
from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.model.expression import (
    GAIN_DB_Q8,
    KNOTS,
    LOWEST_DB,
    N_RELEASE_KNOTS,
    PITCH_STEP,
    Expression,
)

Floats = npt.NDArray[np.floating]
GAIN_DB = np.array(GAIN_DB_Q8) / 256  # of a velocity or controller value
EDGE_SECONDS = 0.06  # half a loudness window: so far a note's neighbours are felt
DETACHED_SECONDS = 0.1  # after such a pause a note begins from silence
SLURRED_SECONDS = 0.25  # notes of that length show how one goes over into the next
REST_SECONDS = 0.25  # so long a pause shows a release
MIN_NOTES = 8  # that a point of a curve is learnt from
DEAD_DB = -45.0  # a note that stays below is a dead key of the soundfont
FARTHEST = 16  # semitones from which they are taken
ATTACK_KNOTS = 7  # to 12 frames, which every note lasts
BODY_KNOTS = slice(9, 12)  # 32 to 64 frames
RELEASE_FIT = (16, 48)  # frames: below that a room's noise is heard
MIN_NOTE_FRAMES = 100  # of a steady stretch in a real recording
VIBRATO_BAND_HZ = (4.0, 8.0)
DRIFT_BAND_HZ = 3.0
# Of vibrato, depth and rate are learnt, its onset is not: this is what the corpus' does, because
# nothing steadier can be read off recordings; the rate holds where too few of them tremble.
VIBRATO_DELAY_MS, VIBRATO_GROWTH_MS, VIBRATO_HZ = 200.0, 300.0, 5.5


@dataclass(frozen=True)
class Note:
    """A note of the corpus with what was measured of it.

    Attributes:
        pitch: MIDI note.
        gap: Seconds since the previous note's end; negative in a slur.
        rest: Seconds from its end to the next note.
        seconds: From its beginning to its end, or to the next note.
        loudness_db: At `KNOTS` frames after it began, without what velocity and controllers did;
            NaN where it or its neighbour's edge is heard.
        release_db: At the first `KNOTS` frames after it ended, relative to before; likewise.
        slide: Course of its pitch, 0 the previous note's and 1 its own, at every frame from 12
            before to 24 after it began, or None.
    """

    pitch: int
    gap: float
    rest: float
    seconds: float
    loudness_db: Floats
    release_db: Floats
    slide: Floats | None


def measure_notes(midi: mido.MidiFile, f0_hz: Floats, loudness_db: Floats) -> Iterator[Note]:
    """Looks notes up in the features of what they were rendered to.

    Args:
        midi: One part.
        f0_hz: Shape [n_frames].
        loudness_db: Shape [n_frames].
    """
    score, times, gains = _read_score(midi)
    pitch = 69 + 12 * np.log2(f0_hz / 440)

    def sample(values: Floats, at: Floats) -> Floats:
        index = np.round(at * FRAME_RATE).astype(int) - 1  # frame k is at time (k + 1) / 250
        inside = (index >= 0) & (index < len(values))
        return np.where(inside, values[np.clip(index, 0, len(values) - 1)], np.nan)

    previous = None
    for i, (start, end, note, velocity) in enumerate(score):
        following = score[i + 1][0] if i + 1 < len(score) else np.inf
        stop = min(end, following)
        at = start + KNOTS / FRAME_RATE
        gain = gains[np.searchsorted(times, at, side="right") - 1]
        level = sample(loudness_db, at) - gain - GAIN_DB[velocity]
        after = stop + KNOTS[:N_RELEASE_KNOTS] / FRAME_RATE
        before = sample(loudness_db, np.array([stop - 0.08]))[0]
        slide = None
        shortest = min(stop - start, start - previous[0]) if previous else 0.0
        if previous and previous[2] != note and shortest > SLURRED_SECONDS:
            around = start + np.arange(-12, 25) / FRAME_RATE
            slide = (sample(pitch, around) - previous[2]) / (note - previous[2])
        yield Note(
            pitch=note,
            gap=start - previous[1] if previous else np.inf,
            rest=following - stop,
            seconds=stop - start,
            loudness_db=np.where(at < stop - EDGE_SECONDS, level, np.nan),
            release_db=np.where(
                after < following - EDGE_SECONDS, sample(loudness_db, after) - before, np.nan
            ),
            slide=slide,
        )
        previous = score[i]


def _read_score(midi: mido.MidiFile) -> tuple[list[tuple[float, float, int, int]], Floats, Floats]:
    """Returns (start, end, pitch, velocity) of notes, and times and gains in dB of expression."""
    notes: list[tuple[float, float, int, int]] = []
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
                notes.append((start, now, message.note, velocity))
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.note] = (now, message.velocity)
    return sorted(notes), np.array(times), np.array(gains)


def learn_curves(notes: Sequence[Note], config: InstrumentConfig) -> dict[str, object]:
    """Learns `Expression`'s curves over pitch: at each, the means of notes around it."""
    corpus = config.corpus
    n_curves = max(2, -(-(corpus.highest_note - corpus.lowest_note) // PITCH_STEP) + 1)
    alive = [n for n in notes if n.loudness_db[:ATTACK_KNOTS].max() > DEAD_DB]
    from_silence = [n for n in alive if n.gap > DETACHED_SECONDS]
    ended = [n for n in alive if n.rest > REST_SECONDS and n.seconds > 0.2]
    loudness_db = np.array([n.loudness_db for n in from_silence])
    begin, end = (list(KNOTS).index(frames) for frames in RELEASE_FIT)
    curves: list[tuple[list[float], float, list[float], float]] = []
    for curve in range(n_curves):
        pitch = min(corpus.lowest_note + PITCH_STEP * curve, corpus.highest_note)
        attack = _mean(from_silence, loudness_db[:, :ATTACK_KNOTS], pitch)
        steps = _mean(from_silence, np.diff(loudness_db[:, ATTACK_KNOTS - 1 :], axis=1), pitch)
        envelope = _continue(attack, steps, decays=corpus.decays)
        slope = min((envelope[-1] - envelope[-3]) / (KNOTS[-1] - KNOTS[-3]) * FRAME_RATE, -1.0)
        release = _mean(ended, [n.release_db for n in ended], pitch)
        fall = (release[end] - release[begin]) / (KNOTS[end] - KNOTS[begin]) * FRAME_RATE
        release = np.minimum.accumulate(np.minimum(release, 0))
        curves.append(
            (
                _rounded(envelope),
                round(float(slope), 1) if corpus.decays else 0.0,
                _rounded(release),
                round(float(np.clip(fall, -400, -50)), 1),
            )
        )
    names = ("envelope_db", "envelope_slope", "release_db", "release_slope")
    columns = map(list, zip(*curves, strict=True))
    return {"lowest_note": corpus.lowest_note, **dict(zip(names, columns, strict=True))}


def _mean(notes: Sequence[Note], values: npt.ArrayLike, pitch: int) -> Floats:
    """Means of what was measured at notes within half a step of a pitch, or the nearest ones.

    Means, for they add up along a curve even where a band holds two kinds of notes.

    Args:
        notes: Whose pitches count.
        values: Shape [n_notes, n_knots]; NaN where there is none.
        pitch: MIDI note.

    Returns:
        Shape [n_knots]; NaN where fewer than `MIN_NOTES` notes are near.
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
    """Continues an attack by the steps that notes take from knot to knot.

    Steps, because not the same notes last to every knot. Where they are unknown, a tone that decays
    does so as before, and one that is sustained stays.
    """
    envelope = list(attack)
    slope = 0.0
    for step, frames in zip(steps, np.diff(KNOTS[ATTACK_KNOTS - 1 :]), strict=True):
        if np.isfinite(step):
            slope = step / frames
        elif not decays:
            slope = 0.0
        envelope.append(envelope[-1] + frames * slope)
    return np.clip(envelope, LOWEST_DB, 0)


def learn_slur(notes: Sequence[Note], *, decays: bool) -> dict[str, object]:
    """Learns how loudness dips and pitch glides between slurred notes."""
    slurred = [n for n in notes if n.gap <= 0 and n.seconds > SLURRED_SECONDS]
    slides = [n.slide for n in slurred if n.slide is not None]
    if decays or len(slides) < MIN_NOTES:
        return {"slur_db": [0.0] * N_RELEASE_KNOTS, "slur_ms": 0.0}
    levels = np.array([n.loudness_db for n in slurred])
    dips = levels[:, :N_RELEASE_KNOTS] - np.nanmean(levels[:, BODY_KNOTS], axis=1)[:, None]
    dip = np.minimum(np.nanmedian(dips, axis=0), 0)
    dip[-1] = 0
    course = np.median(slides, axis=0)
    way = np.interp([0.1, 0.9], np.maximum.accumulate(course), np.arange(len(course)))
    glide_frames = max(float(way[1] - way[0]), 1.0)
    return {"slur_db": _rounded(dip), "slur_ms": round(1000 * glide_frames / FRAME_RATE, 1)}


def learn_movement(f0_hz: Floats, loudness_db: Floats, confidence: Floats) -> dict[str, object]:
    """Learns vibrato and drift from the steady stretches of real recordings.

    Args:
        f0_hz: Shape [n_clips, n_frames]; no clips, no movement.
        loudness_db: Likewise.
        confidence: Likewise.
    """
    rates_hz, depths_cents, drifts_cents, drifts_db = [], [], [], []
    for clip in zip(f0_hz, loudness_db, confidence, strict=True):
        for pitch, loudness in _steady_stretches(*clip):
            frequencies, power = _spectrum(100 * pitch)
            band = (frequencies > VIBRATO_BAND_HZ[0]) & (frequencies < VIBRATO_BAND_HZ[1])
            rates_hz.append(frequencies[band][power[band].argmax()])
            depths_cents.append(np.sqrt(2 * power[band].sum()))
            drifts_cents.append(np.sqrt(power[frequencies < DRIFT_BAND_HZ].sum()))
            frequencies, power = _spectrum(loudness)
            drifts_db.append(np.sqrt(power[frequencies < DRIFT_BAND_HZ].sum()))
    found = len(rates_hz) >= MIN_NOTES
    trembling = np.array(depths_cents) > 8 if found else np.array([False])
    rate = np.median(np.array(rates_hz)[trembling]) if trembling.any() else VIBRATO_HZ
    return {
        "vibrato_hz": round(float(rate), 2),
        "vibrato_cents": round(float(np.median(depths_cents)), 1) if found else 0.0,
        "vibrato_delay_ms": VIBRATO_DELAY_MS,
        "vibrato_growth_ms": VIBRATO_GROWTH_MS,
        "pitch_drift_cents": round(float(np.median(drifts_cents)), 2) if found else 0.0,
        "loudness_drift_db": round(float(np.median(drifts_db)), 2) if found else 0.0,
    }


def _steady_stretches(
    f0_hz: Floats, loudness_db: Floats, confidence: Floats
) -> Iterator[tuple[Floats, Floats]]:
    """Yields pitch in semitones and loudness in dB within long notes, without their trends."""
    pitch = 69 + 12 * np.log2(f0_hz / 440)
    jumps = np.abs(np.diff(pitch, prepend=pitch[0])) > 0.35
    broken = np.flatnonzero(jumps | (confidence < 0.9) | (loudness_db < -45))
    edges = np.concatenate([[-1], broken, [len(pitch)]])
    for before, after in pairwise(edges):
        if after - before > MIN_NOTE_FRAMES:
            inside = slice(before + 16, after - 15)
            yield _without_trend(pitch[inside], 1), _without_trend(loudness_db[inside], 2)


def _without_trend(values: Floats, degree: int) -> Floats:
    time = np.linspace(-1, 1, len(values))
    return values - np.polyval(np.polyfit(time, values, degree), time)


def _spectrum(values: Floats) -> tuple[Floats, Floats]:
    """Returns frequencies in Hz and the share of the variance at each."""
    window = np.hanning(len(values))
    n_fft = 4 * len(values)
    power = np.abs(np.fft.rfft(values * window, n_fft)) ** 2 / (window**2).sum()
    return np.fft.rfftfreq(n_fft, 1 / FRAME_RATE), 2 * power / n_fft


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 2) for value in values]


def learn(config: InstrumentConfig, run_dir: Path) -> tuple[Expression, int]:
    """Learns an instrument's table.

    Args:
        config: Instrument.
        run_dir: ``runs/<instrument>``, with ``dataset.npz``; the corpus is rendered if need be.

    Returns:
        The table, and how many notes it was learnt from.

    Raises:
        UserError: There is no data set.
    """
    path = run_dir / "dataset.npz"
    if not path.is_file():
        raise UserError(
            f"{path} is missing: run python -m pipeline.data --instrument {config.instrument}"
        )
    recordings = render_corpus(config, run_dir / "corpus")
    notes: list[Note] = []
    for recording, _, features in analyse(recordings, config.data, run_dir / "features"):
        midi = mido.MidiFile(recording.path.with_suffix(".mid"))
        notes += measure_notes(midi, features.f0_hz, features.loudness_db)
    with np.load(path) as dataset:
        real = dataset["real"]
        columns = [dataset[name] for name in ("f0_hz", "loudness_db", "confidence")]
        loudest_db = float(np.percentile(dataset["loudness_db"], 99.9))
    decays = config.corpus.decays
    table = learn_curves(notes, config) | learn_slur(notes, decays=decays)
    table |= learn_movement(*(column[real] for column in columns))
    return Expression(**table, loudest_db=round(loudest_db, 1)), len(notes)  # type: ignore[arg-type]
