"""Measures the inharmonicity of strings: how far the partials of notes are stretched, by pitch.

Partial n of a stiff string lies at ``n f1 sqrt(1 + B n^2)``, so the square of its frequency divided
by n is a straight line over n^2, and its slope gives B (see `pipeline.core.stretch`).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio.analysis import Analysis
from pipeline.audio.partials import HIGHEST_HZ
from pipeline.audio.pcm import from_pcm
from pipeline.audio.pitch import hz_to_note, note_to_hz
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.stretch import MAX_INHARMONICITY, Curve, inharmonicity, partial_hz

Floats = npt.NDArray[np.float64]
ONSET_FRAMES = 12  # after which the hammer's noise has died
WINDOW_FRAMES = (50, 250)  # shortest and longest part of a note that is measured: 0.2 to 1 s
SAME_NOTE_CENTS = 50.0
N_PARTIALS, MIN_PARTIALS = 16, 4
MIN_PEAK_DB = 20.0  # of a partial above the median around it
MAX_ERROR_CENTS = 8.0  # of a partial from the fit; others belong to something else
MIN_INHARMONICITY = 1e-6  # less cannot be told from none
KNOT_SEMITONES = 12.0  # distance of the points of a curve
REPORTED_PARTIAL = 10
FFT_SAMPLES = 1 << 16


@dataclass(frozen=True)
class StretchedNote:
    """A measured note.

    Attributes:
        source: Source of its recording.
        note: MIDI note of its first partial, with a fraction.
        inharmonicity: Its inharmonicity.
    """

    source: str
    note: float
    inharmonicity: float


def measure_stretch(
    analyses: Iterable[Analysis], threshold: float, hold_out: Collection[str]
) -> tuple[Curve, dict[str, dict[str, float]]]:
    """Fits a curve of inharmonicity to the notes of recordings, and compares it with each source.

    Args:
        analyses: The recordings.
        threshold: Lowest confidence of a frame with a clear pitch.
        hold_out: Sources that the curve is not fitted to.

    Returns:
        The curve of `fit_curve`, and the figures of `compare_sources`.

    Raises:
        UserError: No note can be measured.
    """
    notes = measure_notes(analyses, threshold)
    known = [note for note in notes if note.source not in hold_out]
    if not known:
        raise UserError(
            "no note in the recordings lasts 0.25 s and has four clear partials: give recordings "
            "of single, struck or plucked strings"
        )
    curve = fit_curve(known)
    return curve, compare_sources(notes, curve)


def measure_notes(analyses: Iterable[Analysis], threshold: float) -> list[StretchedNote]:
    """Measures every note that lasts long enough and has enough partials.

    Args:
        analyses: The recordings.
        threshold: Lowest confidence of a frame with a clear pitch.
    """
    notes = []
    for analysis in analyses:
        samples = analysis.audio
        pitch_hz = analysis.features.f0_hz
        for start, stop in _steady_parts(pitch_hz, analysis.features.confidence >= threshold):
            part = from_pcm(samples[start * HOP_SAMPLES : stop * HOP_SAMPLES])
            fit = _fit(part, float(np.median(pitch_hz[start:stop])))
            if fit is not None:
                f1_hz, value = fit
                note = float(hz_to_note(np.array(f1_hz)))
                notes.append(StretchedNote(analysis.recording.source, note, value))
    return notes


def fit_curve(notes: Iterable[StretchedNote]) -> list[tuple[float, float]]:
    """Fits the logarithm of the inharmonicity by straight lines, with least absolute errors.

    All sources count alike, however many notes they have.

    Args:
        notes: At least one note.

    Returns:
        A curve with a point at least every octave (see `pipeline.core.stretch`).
    """
    measured = list(notes)
    pitch = np.array([note.note for note in measured])
    target = np.log([note.inharmonicity for note in measured])
    sources = [note.source for note in measured]
    share = np.array([1 / sources.count(source) for source in sources])
    low, high = np.floor(pitch.min()), np.ceil(pitch.max())
    knots = np.round(np.linspace(low, high, 1 + max(1, round((high - low) / KNOT_SEMITONES))))
    basis = np.stack([np.interp(pitch, knots, row) for row in np.eye(len(knots))], axis=1)
    bend = 0.01 * np.diff(np.eye(len(knots)), 2, axis=0)  # where no note is, the line is straight
    weights, values = share, np.zeros(len(knots))
    for _ in range(20):
        root = np.sqrt(weights / weights.mean())[:, None]
        system = np.concatenate([root * basis, bend])
        right = np.concatenate([root[:, 0] * target, np.zeros(len(bend))])
        values = np.linalg.lstsq(system, right, rcond=None)[0]
        weights = share / np.maximum(np.abs(basis @ values - target), 0.02)
    found = np.clip(np.exp(values), MIN_INHARMONICITY, MAX_INHARMONICITY)
    return [(float(knot), float(f"{value:.2g}")) for knot, value in zip(knots, found, strict=True)]


def compare_sources(notes: Iterable[StretchedNote], curve: Curve) -> dict[str, dict[str, float]]:
    """Compares partial 10 of a curve with that of the notes of every source.

    Notes whose partial 10 lies above 7 kHz are left out.

    Returns:
        By source, ``n_notes``, ``median_cents``, the median of the absolute error, and
        ``within_15_cents``, the share of the notes with a smaller error.
    """
    return {
        source: {
            "n_notes": len(cents),
            "median_cents": round(float(np.median(np.abs(cents))), 2),
            "within_15_cents": round(float(np.mean(np.abs(cents) <= 15)), 3),
        }
        for source, cents in _errors_cents(notes, curve).items()
    }


def _errors_cents(notes: Iterable[StretchedNote], curve: Curve) -> dict[str, Floats]:
    """Returns how far partial 10 of a curve lies above that of every note, by source."""
    errors: dict[str, list[float]] = {}
    for note in notes:
        f0_hz = note_to_hz(note.note)
        if REPORTED_PARTIAL * f0_hz > HIGHEST_HZ:
            continue
        found, wanted = (
            partial_hz(f0_hz, REPORTED_PARTIAL, stiffness)
            for stiffness in (inharmonicity(curve, f0_hz), note.inharmonicity)
        )
        errors.setdefault(note.source, []).append(float(1200 * np.log2(found / wanted)))
    return {source: np.array(values) for source, values in errors.items()}


def _steady_parts(
    pitch_hz: npt.NDArray[np.float32], clear: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, int]]:
    """Yields the first and the last frame, exclusive, of what is measured of every note."""
    cents = 100 * hz_to_note(np.maximum(pitch_hz, 1.0).astype(np.float64))
    changes = np.flatnonzero((np.abs(np.diff(cents)) > SAME_NOTE_CENTS) | np.diff(clear)) + 1
    for start, stop in zip([0, *changes], [*changes, len(clear)], strict=True):
        first, last = start + ONSET_FRAMES, min(stop, start + ONSET_FRAMES + WINDOW_FRAMES[1])
        if clear[start] and last - first >= WINDOW_FRAMES[0]:
            yield int(first), int(last)


def _fit(samples: npt.NDArray[np.float32], f0_hz: float) -> tuple[float, float] | None:
    """Returns the first partial in Hz and the inharmonicity; None if they are not clear."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), FFT_SAMPLES))
    f1_hz, value = f0_hz, 0.0
    numbers: list[int] = []
    found_hz: list[float] = []
    for number in range(1, N_PARTIALS + 1):
        expected_hz = float(partial_hz(f1_hz, number, value))
        if expected_hz > HIGHEST_HZ:
            break
        peak_hz = _find_peak(spectrum, expected_hz, f0_hz)
        if peak_hz is not None:
            numbers.append(number)
            found_hz.append(peak_hz)
            if len(numbers) >= 3:
                f1_hz, value = _line(np.array(numbers), np.array(found_hz))
    if len(numbers) < MIN_PARTIALS:
        return None
    n, hz = np.array(numbers), np.array(found_hz)
    good = np.abs(1200 * np.log2(hz / partial_hz(f1_hz, n, value))) < MAX_ERROR_CENTS
    if good.sum() < max(MIN_PARTIALS, 0.6 * len(n)):
        return None
    f1_hz, value = _line(n[good], hz[good])
    return (f1_hz, value) if MIN_INHARMONICITY < value < MAX_INHARMONICITY else None


def _line(numbers: npt.NDArray[np.int64], found_hz: Floats) -> tuple[float, float]:
    """Fits the first partial and the inharmonicity to partials."""
    squares = np.stack([np.ones(len(numbers)), numbers**2.0], axis=1)
    offset, slope = np.linalg.lstsq(squares, (found_hz / numbers) ** 2, rcond=None)[0]
    if offset <= 0:
        return float(found_hz[0] / numbers[0]), 0.0
    return float(np.sqrt(offset)), float(np.clip(slope / offset, 0, MAX_INHARMONICITY))


def _find_peak(
    spectrum: npt.NDArray[np.floating], expected_hz: float, f0_hz: float
) -> float | None:
    """Returns the frequency of a partial near where it is expected; None if there is none."""
    bin_hz = SAMPLE_RATE / FFT_SAMPLES
    first, last = (int((expected_hz + d * f0_hz) / bin_hz) for d in (-0.15, 0.25))
    place = first + int(spectrum[first : last + 1].argmax())
    around = spectrum[max(first - int(0.25 * f0_hz / bin_hz), 0) : last + 1]
    if place in (first, last) or spectrum[place] < np.median(around) * 10 ** (MIN_PEAK_DB / 20):
        return None
    left, middle, right = np.log(spectrum[place - 1 : place + 2] + 1e-12)
    return float((place + 0.5 * (left - right) / (left - 2 * middle + right)) * bin_hz)
