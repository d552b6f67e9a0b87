"""Draws the plots of an inspection: bars and maps over notes and decibels, as SVG."""

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from pipeline.audio.inspection import Inspection
from pipeline.audio.inspection_pitch import LOUDNESS_STEP_DB, tuning_cents
from pipeline.audio.note_names import note_name
from pipeline.core.constants import MAX_NOTE, MIN_LOUDNESS_DB, SEMITONES_PER_OCTAVE
from pipeline.pages import html

Doubles = npt.NDArray[np.float64]
Ticks = Sequence[tuple[float, str]]  # position from 0 to 1, and label
MARGIN_NOTES = 2
FEW_NOTES = 24  # on an axis; more notes are labelled once per octave
BLACK_KEYS = (1, 3, 6, 8, 10)
CENTRED_CENTS = 10
LONGEST_DECAY = 2.0  # seconds
DECAY_BINS = 40
MIN_STEADY_FRAMES = 25
FAINTEST = 0.08  # opacity of what sounds for a moment


def notes_plot(inspection: Inspection) -> str:
    """Draws seconds per note as bars; stripes mark the black keys."""
    notes = _axis_notes(inspection)
    seconds = inspection.note_seconds[notes.start : notes.stop]
    top = max(float(seconds.max()), 0.1)
    shapes = _stripes(notes) + _bars(seconds / top)
    return _plot(
        shapes,
        caption="Seconds per note",
        top=_seconds(top),
        bottom="0 s",
        size="medium",
        ticks=_note_ticks(notes),
    )


def coverage_plot(inspection: Inspection) -> str:
    """Draws how long each note sounds at each loudness, as a map."""
    notes = _axis_notes(inspection)
    seconds = inspection.coverage_seconds[notes.start : notes.stop]
    levels = np.flatnonzero(seconds.any(axis=0))
    first, last = (int(levels[0]), int(levels[-1])) if len(levels) else (0, 15)
    seconds = seconds[:, first : last + 1]
    shade = np.sqrt(seconds / max(float(seconds.max()), 1e-9))
    width, height = 1000 / len(notes), 100 / seconds.shape[1]
    cells = ""
    for note, level in np.argwhere(seconds > 0):
        opacity = max(float(shade[note, level]), FAINTEST)
        box = _rect(width * note, 100 - height * (level + 1), width, height)
        cells += box.replace("<rect ", f'<rect fill-opacity="{opacity:.2f}" ')
    return _plot(
        _stripes(notes) + cells,
        caption="Loudness per note <span>the stronger the colour, the longer</span>",
        top=_decibels(MIN_LOUDNESS_DB + LOUDNESS_STEP_DB * (last + 1)),
        bottom=_decibels(MIN_LOUDNESS_DB + LOUDNESS_STEP_DB * first),
        size="tall",
        ticks=_note_ticks(notes),
    )


def tuning_plot(inspection: Inspection) -> str:
    """Draws how far each note lies from equal temperament, as bars from a line.

    The axis is centred on the tuning of the whole, because deviations are known up to a semitone.
    """
    notes = _axis_notes(inspection)
    width = 1000 / len(notes)
    whole = inspection.tuning_cents
    centre = whole if abs(whole) > CENTRED_CENTS else 0.0

    def place(cents: float) -> float:
        return 50 - (cents - centre)

    bars = ""
    for index, note in enumerate(notes):
        if abs(inspection.tuning[note]) >= MIN_STEADY_FRAMES:
            cents = tuning_cents(inspection.tuning[note])
            y = place(centre + (cents - centre + 50) % 100 - 50)
            bars += _rect(index * width, min(y, place(0)), width * 0.8, max(abs(y - place(0)), 0.7))
    return _plot(
        f'{_stripes(notes)}<line class="zero" x1="0" x2="1000" y1="{place(0)}" y2="{place(0)}"/>'
        + bars,
        caption="Tuning per note <span>from equal temperament, A4 = 440 Hz</span>",
        top=_cents(centre + 50),
        bottom=_cents(centre - 50),
        size="medium",
        ticks=_note_ticks(notes),
    )


def loudness_plot(inspection: Inspection) -> str:
    """Draws how long the recordings have each loudness; lines mark soft and loud."""
    seconds = inspection.loudness_seconds
    top = max(float(seconds.max()), 1e-9)
    marks = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="100"/>'
        for x in (1000 * (1 + level_db / 80) for level_db in inspection.loudness_db)
    )
    ticks = [(1 + level_db / 80, _decibels(level_db)) for level_db in range(-60, 0, 20)]
    return _plot(
        _bars(seconds / top) + marks,
        caption="Loudness <span>A-weighted, of sustained sound; lines: soft and loud</span>",
        top=_seconds(top),
        bottom="0 s",
        size="medium",
        ticks=ticks,
    )


def decay_plot(inspection: Inspection) -> str:
    """Draws how long note ends ring; a line marks the estimate of the room."""
    counts, _ = np.histogram(
        np.clip(inspection.decays, 0, LONGEST_DECAY * 0.999),
        bins=DECAY_BINS,
        range=(0, LONGEST_DECAY),
    )
    room = inspection.room_seconds
    x = 1000 * min((room or 0) / LONGEST_DECAY, 1)
    mark = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="100"/>' if room is not None else ""
    return _plot(
        _bars(counts / max(int(counts.max()), 1)) + mark,
        caption="Decay of note ends <span>time for 60 dB; line: estimate of the room</span>",
        top=f"{counts.max()}",
        bottom="0",
        size="small",
        ticks=[(s / LONGEST_DECAY, f"{s:g} s") for s in (0.5, 1, 1.5)],
    )


def use_strip(name: str, parts: Sequence[tuple[str, float]]) -> str:
    """Draws the parts of a source, in seconds by CSS class, as one bar."""
    total = max(sum(seconds for _, seconds in parts), 1e-9)
    shapes, x = "", 0.0
    for kind, seconds in parts:
        width = 1000 * seconds / total
        shapes += f'<rect class="{kind}" x="{x:.2f}" y="0" width="{width:.2f}" height="100"/>'
        x += width
    svg = _svg(f"Use of {name}", shapes)
    return f'<p class="caption">{escape(name)}</p><div class="track bars strip">{svg}</div>'


def _axis_notes(inspection: Inspection) -> range:
    """Returns the notes on the axis: those that are played, with a margin."""
    notes = inspection.played_notes
    return range(max(notes[0] - MARGIN_NOTES, 0), min(notes[-1] + MARGIN_NOTES, MAX_NOTE) + 1)


def _note_ticks(notes: range) -> Ticks:
    step = SEMITONES_PER_OCTAVE if len(notes) > FEW_NOTES else SEMITONES_PER_OCTAVE // 3
    return [
        ((index + 0.5) / len(notes), note_name(note))
        for index, note in enumerate(notes)
        if note % step == 0
    ]


def _stripes(notes: range) -> str:
    width = 1000 / len(notes)
    return "".join(
        _rect(index * width, 0, width, 100, "stripe")
        for index, note in enumerate(notes)
        if note % SEMITONES_PER_OCTAVE in BLACK_KEYS
    )


def _bars(heights: npt.ArrayLike) -> str:
    """Draws bars of heights from 0 to 1."""
    values = np.asarray(heights)
    width = 1000 / len(values)
    return "".join(
        _rect(index * width, 100 - 100 * height, width * 0.8, 100 * height)
        for index, height in enumerate(values)
        if height > 0
    )


def _rect(x: float, y: float, width: float, height: float, kind: str = "") -> str:
    name = f'class="{kind}" ' if kind else ""
    return f'<rect {name}x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _svg(label: str, shapes: str) -> str:
    return (
        '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{shapes}</svg>'
    )


def _plot(shapes: str, *, caption: str, top: str, bottom: str, size: str, ticks: Ticks) -> str:
    """Places a drawing between a vertical axis and labels below it."""
    labels = "".join(
        f'<span style="left:{100 * place:.2f}%">{escape(label)}</span>' for place, label in ticks
    )
    drawing = _svg(caption.partition(" <")[0], shapes)
    axis = f'<div></div><div class="time ticks">{labels}</div>'
    return (
        html.plot(drawing, top=top, bottom=bottom, size=f"{size} bars", caption=caption)
        + f'<div class="plot" aria-hidden="true">{axis}</div>'
    )


def _cents(cents: float) -> str:
    return f"{'+' if cents > 0 else ''}{html.quantity(cents, 'c')}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 2 else f"{seconds:.1f} s"


def _decibels(level_db: float) -> str:
    return html.quantity(level_db, "dB")
