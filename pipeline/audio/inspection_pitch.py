"""Measures the notes of a recording: which there are, how they are tuned, and which are doubtful.

Doubts are judged by the autocorrelation over the whole range of the tracker, in frames that are
spread over the recording:

- *octave*: a longer period repeats clearly better than the one that was found, or half of the
  period repeats almost as well;
- *several notes*: nothing repeats, but the spectrum consists of lines; or what repeats lacks the
  first three harmonics, as the common period of a chord does. Two notes an octave or a fifth apart
  go unnoticed;
- *noise*: nothing repeats, and the spectrum is broad.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, median_filter
from scipy.signal import get_window

from pipeline.audio.autocorrelation import (
    HIGHEST_HZ,
    LAGS_PER_SECOND,
    LOWEST_HZ,
    periods,
    pitch_windows,
)
from pipeline.audio.features import Features
from pipeline.audio.pcm import Pcm, from_pcm
from pipeline.audio.pitch import hz_to_note
from pipeline.core.constants import MAX_NOTE, SAMPLE_RATE

Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
N_NOTES = MAX_NOTE + 1
LOUDNESS_STEP_DB = 5
N_LEVELS = 16  # steps from -80 dB to 0 dB
SUSTAINED_FRAMES = 125
SUSTAINED_DB = 6.0
STEADY_FRAMES = 10  # over 40 ms, a steady note
STEADY_NOTES = 0.3  # moves by less than this many semitones

SEVERAL_SHARE = 0.3  # of the frames; solo recordings have at most 0.17, chords at least 0.7
MAX_CHECKED_FRAMES = 160  # per recording; limits the time
REPEATS = 0.8  # periodicity of a single note
LONGER_IS_BETTER = 0.08  # multiples of a period always repeat as well; they must do so better
LONGER = 1.4  # times the period found
HALF_IS_AS_GOOD = 0.88  # share of the periodicity of the period found
TOLERANCE = 0.03  # of the period and of its half
AS_GOOD = 0.1  # among the periods that repeat best by less than this, the shortest counts

LINE_WINDOW = 4096  # samples: lines 4 Hz apart from their neighbours
LINE_BINS = 41  # width of the median that lines stand out from
LINE_DB = 12.0
LINE_SHARE = 0.75  # share of the power that lies on lines: 0.9 in chords, 0.2 in noise
LINE_BAND_HZ = (100.0, 6000.0)
BINS_BESIDE = 4  # searched for a harmonic on both sides, 16 Hz
N_LOW_HARMONICS = 3
MISSING_DB = 30.0  # below the strongest line


@dataclass(frozen=True)
class Notes:
    """The notes of a recording, from its audible frames.

    Sustained frames are those near the loudest one around them, so that starts and ends of notes do
    not count as soft playing.

    Attributes:
        n_pitched: Number of frames with a clear pitch.
        coverage: Number of these that are sustained, by MIDI note and by loudness in steps of 5 dB
            from -80 dB, shape [128, 16].
        loudness: Number of sustained frames by loudness in steps of 1 dB from -80 dB, shape [80].
        tuning: Sum of the deviations of steady frames from equal temperament at A4 = 440 Hz, by
            MIDI note, as unit vectors that go round once per semitone; complex, shape [128].
    """

    n_pitched: int
    coverage: Indices
    loudness: Indices
    tuning: npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Doubts:
    """Shares of the checked frames, each in [0, 1]; see the module."""

    octave: float
    several_notes: float
    noise: float


def measure_notes(features: Features, audible: Bools, confidence_threshold: float) -> Notes:
    """Counts the notes of a recording.

    Args:
        features: Features of the recording.
        audible: Which frames sound, shape [n_frames].
        confidence_threshold: Audible frames with at least this confidence have a pitch.
    """
    pitched = audible & (features.confidence >= confidence_threshold)
    note = np.asarray(hz_to_note(features.f0_hz), np.float64)
    nearest = np.clip(np.round(note), 0, MAX_NOTE).astype(np.int64)
    level = (features.loudness_db.astype(np.float64) + 80).clip(0, 79.999)
    coverage = np.zeros((N_NOTES, N_LEVELS), np.int64)
    sustained = audible & _is_sustained(level)
    counted = pitched & sustained
    np.add.at(coverage, (nearest[counted], (level[counted] // LOUDNESS_STEP_DB).astype(int)), 1)
    tuning = np.zeros(N_NOTES, np.complex128)
    steady = pitched & _is_steady(note)
    np.add.at(tuning, nearest[steady], np.exp(2j * np.pi * note[steady]))
    return Notes(
        n_pitched=int(np.count_nonzero(pitched)),
        coverage=coverage,
        loudness=np.bincount(level[sustained].astype(int), minlength=80),
        tuning=tuning,
    )


def tuning_cents(tuning: npt.ArrayLike) -> float:
    """Returns the mean deviation from equal temperament, in [-50, 50] cents, of `Notes.tuning`."""
    return float(np.angle(np.sum(tuning)) / (2 * np.pi) * 100)


def _is_sustained(level_db: Doubles) -> Bools:
    """Marks frames that are nearly as loud as the loudest one within a quarter of a second."""
    loudest_db = maximum_filter1d(level_db, SUSTAINED_FRAMES, mode="nearest")
    return np.asarray(level_db >= loudest_db - SUSTAINED_DB)


def _is_steady(note: Doubles) -> Bools:
    """Marks frames within a stretch of 40 ms whose pitch hardly moves."""
    if len(note) < STEADY_FRAMES:
        return np.zeros(len(note), bool)
    stretches = np.lib.stride_tricks.sliding_window_view(note, STEADY_FRAMES)
    calm = np.ptp(stretches, axis=1) < STEADY_NOTES
    before = STEADY_FRAMES // 2
    return np.pad(calm, (before, STEADY_FRAMES - 1 - before))


def find_doubts(audio: Pcm, features: Features, audible: Bools) -> Doubts:
    """Judges how far the pitch of a recording can be trusted.

    Args:
        audio: Samples at 16 kHz, shape [n].
        features: Features of `audio`.
        audible: Which frames sound, shape [n_frames].
    """
    frames = np.flatnonzero(audible)
    if not len(frames):
        return Doubts(0.0, 0.0, 0.0)
    frames = frames[:: -(-len(frames) // MAX_CHECKED_FRAMES)]
    lags = np.arange(int(LAGS_PER_SECOND / HIGHEST_HZ) - 1, int(LAGS_PER_SECOND / LOWEST_HZ) + 2)
    curve, peaks = periods(from_pcm(pitch_windows(audio, frames)), lags)
    lags = lags[1:-1]
    period = LAGS_PER_SECOND / features.f0_hz[frames]
    found, half = (_height_near(peaks, lags, factor * period) for factor in (1.0, 0.5))
    longer = np.where(lags > LONGER * period[:, None], peaks, 0.0).max(axis=1)
    best = peaks.max(axis=1)
    repeats = best >= REPEATS
    octave = repeats & (longer > found + LONGER_IS_BETTER)
    octave |= (found >= REPEATS) & (half >= HALF_IS_AS_GOOD * found)
    chord = np.zeros(len(frames), bool)
    power = _spectra(audio, frames)
    best_hz = _shortest_period(curve, peaks >= np.maximum(best[:, None] - AS_GOOD, 1e-9), lags)
    chord[repeats] = _lack_low_harmonics(power[repeats], best_hz[repeats])
    chord[~repeats] = _line_shares(power[~repeats]) >= LINE_SHARE
    return Doubts(
        octave=float((octave & ~chord).mean()),
        several_notes=float(chord.mean()),
        noise=float((~repeats & ~chord).mean()),
    )


def _height_near(peaks: Doubles, lags: Indices, wanted: npt.NDArray[np.floating]) -> Doubles:
    """Returns the highest peak near a lag in every frame, 0 where there is none."""
    near = np.abs(lags - wanted[:, None]) <= np.maximum(TOLERANCE * wanted[:, None], 1.0)
    return np.asarray(np.where(near, peaks, 0.0).max(axis=1))


def _shortest_period(curve: Doubles, candidates: Bools, lags: Indices) -> Doubles:
    """Returns the frequency of the first candidate in Hz, by a parabola, shape [n_frames]."""
    first = candidates.argmax(axis=1)[:, None]
    before, peak, after = (np.take_along_axis(curve, first + k, axis=1)[:, 0] for k in range(3))
    bend = before - 2 * peak + after
    offset = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-12), 0.0)
    return np.asarray(LAGS_PER_SECOND / (lags[first[:, 0]] + offset))


def _spectra(audio: Pcm, frames: Indices) -> Doubles:
    """Returns the power spectra around the ends of frames, shape [n_frames, n_bins]."""
    windows = from_pcm(pitch_windows(audio, frames, length=LINE_WINDOW))
    return np.asarray(np.abs(np.fft.rfft(windows * get_window("hann", LINE_WINDOW))) ** 2)


def _line_shares(power: Doubles) -> Doubles:
    """Returns the share of the power that lies on lines of the spectrum, shape [n_frames]."""
    low, high = (round(edge * LINE_WINDOW / SAMPLE_RATE) for edge in LINE_BAND_HZ)
    band = power[:, low:high]
    ground = np.maximum(median_filter(band, size=(1, LINE_BINS)), 1e-15)
    on_line = band > 10 ** (LINE_DB / 10) * ground
    return np.asarray((band * on_line).sum(axis=1) / np.maximum(band.sum(axis=1), 1e-15))


def repeat_as_chords(audio: Pcm, frames: Indices, f0_hz: Doubles) -> Bools:
    """Whether what repeats in frames is a chord: the first harmonics of its pitch are missing.

    Args:
        audio: Samples at 16 kHz, shape [n].
        frames: Numbers of frames with a clear pitch, shape [n_frames].
        f0_hz: Their pitch, same shape.
    """
    return _lack_low_harmonics(_spectra(audio, frames), f0_hz)


def _lack_low_harmonics(power: Doubles, f0_hz: Doubles) -> Bools:
    """Whether the first harmonics of a pitch are all missing in the spectrum, shape [n_frames]."""
    orders = np.arange(1, N_LOW_HARMONICS + 1)
    bins = np.round(f0_hz[:, None] * orders * LINE_WINDOW / SAMPLE_RATE).astype(int)
    strongest = np.zeros(len(power))
    for shift in range(-BINS_BESIDE, BINS_BESIDE + 1):
        near = np.clip(bins + shift, 0, power.shape[1] - 1)
        strongest = np.maximum(strongest, np.take_along_axis(power, near, axis=1).max(axis=1))
    return np.asarray(strongest < 10 ** (-MISSING_DB / 10) * power.max(axis=1))
