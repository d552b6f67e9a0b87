"""Audio in, frames out: pitch, loudness and confidence at 250 Hz, the same for every user of them.

Frame k describes the end of block k: its windows are centred on sample ``64 * (k + 1)``, so that a
ramp from frame k-1 to frame k plays through block k what was measured at its two ends.

Pitch is found in the short-time autocorrelation after Boersma ("Accurate short-term analysis of the
fundamental frequency", IFA Proceedings 17, 1993): its peaks, corrected for the window, are the
candidates, and one Viterbi path through the recording chooses among them and "unvoiced". The height
of the chosen peak, the share of the signal that repeats after one period, is the confidence.

Measured on rendered phrases of known notes, the share of audible frames that is off by half an
octave or more: flute 0.7 %, trumpet 0.02 %, violin 3.7 % (overlapping releases); `librosa.pyin` in
the same range: 1.9 %, 0.8 % and 13.8 %, in eight times the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import soundfile as sf

from pipeline.core.constants import HOP_SAMPLES, LOUDNESS_RANGE_DB, SAMPLE_RATE
from pipeline.core.errors import UserError

Floats = npt.NDArray[np.float32]
LOUDNESS_WINDOW = 2048  # samples, Hann
PITCH_WINDOW = 1024  # samples, Hann: 64 ms, at least three periods of the lowest pitch in use
OVERSAMPLING = 4  # of the autocorrelation, before the parabola through a peak
N_CANDIDATES = 8  # peaks kept per frame
PERIOD_COST = 0.24  # of the longest against the shortest period: of equal ones the short one wins
JUMP_COST = 0.8  # per octave between neighbouring frames
VOICING_COST = 0.5  # for starting or ending a tone
VOICING_THRESHOLD = 0.7  # periodicity of breath and bow noise stays below it
HIGH_PASS = 0.7  # of f0_min_hz: rumble below it says nothing about the pitch
SILENCE_DB = 60.0  # this far below the loudest frame nothing is called a tone
BATCH_FRAMES = 2000  # bounds the memory that a long recording takes
MIN_PEAK = 1e-4  # -80 dBFS: below it a file is silent


@dataclass(frozen=True)
class Features:
    """What the decoder is told of a recording; all arrays are float32, shape [n_frames].

    Attributes:
        f0_hz: Pitch in Hz, held through unvoiced frames; before the first voiced one, its pitch.
        loudness_db: A-weighted level in dB re a full-scale 1 kHz sine, in [-80, 0].
        confidence: Share of the signal that is periodic, in [0, 1]: about 1 for a steady tone,
            below 0.7 for breath and noise, 0 for digital silence.
    """

    f0_hz: Floats
    loudness_db: Floats
    confidence: Floats


def extract_features(audio: Floats, *, f0_min_hz: float, f0_max_hz: float) -> Features:
    """Extracts the frames of a mono recording at 16 kHz.

    Args:
        audio: Samples in [-1, 1], shape [n]; n_frames = ceil(n / 64).
        f0_min_hz: Lowest pitch to look for, at least 47 Hz (three periods in the window).
        f0_max_hz: Highest pitch to look for, at most a quarter of the sample rate.

    Raises:
        ValueError: The audio is not a mono signal or the range of pitch is out of bounds.
    """
    audio = np.asarray(audio, dtype=np.float32)
    if audio.ndim != 1 or audio.size == 0:
        raise ValueError(f"audio has shape {audio.shape}; expected mono samples, shape [n]")
    lowest = 3 * SAMPLE_RATE / PITCH_WINDOW
    if not lowest <= f0_min_hz < f0_max_hz <= SAMPLE_RATE / 4:
        raise ValueError(
            f"pitch range {f0_min_hz}-{f0_max_hz} Hz must be ordered and within "
            f"{lowest:.0f}-{SAMPLE_RATE / 4:.0f} Hz"
        )
    loudness_db = a_weighted_loudness(audio)
    f0_hz, periodicity = _candidates(audio, f0_min_hz, f0_max_hz)
    silent = loudness_db < max(float(loudness_db.max()) - SILENCE_DB, 1.0 - LOUDNESS_RANGE_DB)
    path = _best_path(f0_hz, periodicity, f0_min_hz, f0_max_hz, silent)
    frames = np.arange(len(path))
    voiced = path >= 0
    confidence = np.clip(periodicity[frames, np.maximum(path, 0)], 0.0, 1.0)
    chosen = np.where(voiced, f0_hz[frames, path], np.nan)
    return Features(
        f0_hz=_hold(chosen, fallback=f0_min_hz),
        loudness_db=loudness_db,
        confidence=confidence.astype(np.float32),
    )


def a_weighted_loudness(audio: Floats) -> Floats:
    """Measures the A-weighted level (IEC 61672-1) of every frame.

    Args:
        audio: Samples in [-1, 1], shape [n]. The ends are continued by reflection, so that a
            recording that is cut within a note is not said to fade.

    Returns:
        Level in dB re a full-scale 1 kHz sine, clipped to [-80, 0], float32, shape [ceil(n / 64)].
    """
    window = librosa.filters.get_window("hann", LOUDNESS_WINDOW)
    frequencies_hz = np.fft.rfftfreq(LOUDNESS_WINDOW, 1 / SAMPLE_RATE)
    weights = np.zeros(len(frequencies_hz))
    weights[1:] = 10 ** (librosa.A_weighting(frequencies_hz[1:], min_db=None) / 10)
    full_scale = LOUDNESS_WINDOW * np.sum(window**2) / 4  # of a sine, summed over half the spectrum
    padded = np.pad(
        audio, (LOUDNESS_WINDOW // 2, LOUDNESS_WINDOW // 2 + HOP_SAMPLES), mode="reflect"
    )
    starts = HOP_SAMPLES * (np.arange(_n_frames(audio)) + 1)
    powers = [
        np.abs(np.fft.rfft(frames * window)) ** 2 @ weights / full_scale
        for frames in _windows(padded, starts, LOUDNESS_WINDOW)
    ]
    floor = 10 ** (-LOUDNESS_RANGE_DB / 10)
    return (10 * np.log10(np.clip(np.concatenate(powers), floor, 1.0))).astype(np.float32)


def load_audio(path: Path) -> Floats:
    """Loads a recording as mono float32 at 16 kHz, shape [n].

    Any format, rate and width that libsndfile reads; channels are mixed. Floating-point files that
    exceed full scale are scaled to it.

    Raises:
        UserError: The file is missing, not audio, empty, too short, silent, or holds NaN.
    """
    if not path.is_file():
        raise UserError(f"{path} is not a file: give the path of a recording")
    try:
        samples, rate = sf.read(path, dtype="float32", always_2d=True)
    except (sf.LibsndfileError, TypeError) as error:
        raise UserError(
            f"{path} is not readable audio ({error}): convert it to WAV or FLAC"
        ) from None
    if not np.isfinite(samples).all():
        raise UserError(f"{path} holds NaN or infinite samples: export the recording again")
    if len(samples) * SAMPLE_RATE < PITCH_WINDOW * rate:
        seconds = PITCH_WINDOW / SAMPLE_RATE
        raise UserError(
            f"{path} holds {len(samples)} samples, less than {seconds} s: remove it or give a "
            "longer recording"
        )
    mono = samples.mean(axis=1)
    if np.abs(mono).max() < MIN_PEAK:
        raise UserError(f"{path} is silent (peak below -80 dBFS): remove it or record it louder")
    if rate != SAMPLE_RATE:
        mono = librosa.resample(mono, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    return (mono / max(1.0, float(np.abs(mono).max()))).astype(np.float32)


def _n_frames(audio: Floats) -> int:
    return -(-len(audio) // HOP_SAMPLES)


def _windows(audio: Floats, starts: npt.NDArray[np.int64], length: int) -> Iterator[Floats]:
    """Yields the windows that begin at `starts` in batches, shape [<= BATCH_FRAMES, length]."""
    view = np.lib.stride_tricks.sliding_window_view(audio, length)
    for first in range(0, len(starts), BATCH_FRAMES):
        yield view[starts[first : first + BATCH_FRAMES]]


def _candidates(
    audio: Floats, f0_min_hz: float, f0_max_hz: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Finds the highest peaks of every frame's autocorrelation, best first.

    Only whole windows are analysed; frames nearer to an end take the nearest of them.

    Returns:
        Pitch in Hz and periodicity (height of the peak, 1 for a perfect repetition), each of
        shape [n_frames, N_CANDIDATES]; missing candidates have pitch NaN and periodicity 0.
    """
    padded = np.pad(audio, (0, max(0, PITCH_WINDOW - len(audio))))
    centres = HOP_SAMPLES * (np.arange(_n_frames(audio)) + 1)
    starts = np.clip(centres - PITCH_WINDOW // 2, 0, len(padded) - PITCH_WINDOW)
    window = librosa.filters.get_window("hann", PITCH_WINDOW)
    n_fft = 2 * PITCH_WINDOW
    pass_band = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE) >= HIGH_PASS * f0_min_hz
    steps_per_second = OVERSAMPLING * SAMPLE_RATE
    first = int(steps_per_second / f0_max_hz)
    lags = np.arange(first - 1, int(np.ceil(steps_per_second / f0_min_hz)) + 2)
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, n_fft)) ** 2, OVERSAMPLING * n_fft)
    correction = of_window[0] / of_window[lags]

    pitches, heights = [], []
    for frames in _windows(padded, starts, PITCH_WINDOW):
        power = np.abs(np.fft.rfft(frames * window, n_fft)) ** 2 * pass_band
        correlation = np.fft.irfft(power, OVERSAMPLING * n_fft)
        energy = np.maximum(correlation[:, :1], 1e-9)
        curve = correlation[:, lags] / energy * correction
        left, middle, right = curve[:, :-2], curve[:, 1:-1], curve[:, 2:]
        is_peak = (middle > left) & (middle >= right) & (middle > 0)
        score = middle + _preference(steps_per_second / lags[1:-1], f0_min_hz, f0_max_hz)
        best = np.argsort(np.where(is_peak, -score, np.inf), axis=1, kind="stable")[
            :, :N_CANDIDATES
        ]
        found, before, peak, after = (
            np.take_along_axis(values, best, axis=1) for values in (is_peak, left, middle, right)
        )
        bend = np.where(found, before - 2 * peak + after, -1.0)
        offset = 0.5 * (before - after) / bend
        lag = (lags[1:-1][best] + offset) / steps_per_second
        pitches.append(np.where(found, 1 / np.where(found, lag, 1.0), np.nan))
        heights.append(np.where(found, peak - 0.25 * (before - after) * offset, 0.0))
    return np.concatenate(pitches), np.concatenate(heights)


def _best_path(
    f0_hz: npt.NDArray[np.float64],
    periodicity: npt.NDArray[np.float64],
    f0_min_hz: float,
    f0_max_hz: float,
    silent: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Chooses a candidate per frame, or -1 for unvoiced, by the cheapest path (Viterbi).

    Returns:
        Index of the candidate, shape [n_frames].
    """
    n_frames, n_candidates = f0_hz.shape
    octaves = np.log2(np.where(np.isfinite(f0_hz), f0_hz, f0_min_hz))
    score = np.full((n_frames, n_candidates + 1), VOICING_THRESHOLD)
    usable = np.isfinite(f0_hz) & ~silent[:, None]
    preference = _preference(2**octaves, f0_min_hz, f0_max_hz)
    score[:, :-1] = np.where(usable, periodicity + preference, -np.inf)

    came_from = np.zeros((n_frames, n_candidates + 1), dtype=np.int64)
    cost = np.full((n_candidates + 1, n_candidates + 1), VOICING_COST)
    cost[-1, -1] = 0.0
    total = score[0]
    for t in range(1, n_frames):
        cost[:-1, :-1] = JUMP_COST * np.abs(octaves[t][:, None] - octaves[t - 1][None, :])
        reached = total[None, :] - cost
        came_from[t] = reached.argmax(axis=1)
        total = score[t] + reached.max(axis=1)

    path = np.empty(n_frames, dtype=np.int64)
    path[-1] = total.argmax()
    for t in range(n_frames - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return np.where(path == n_candidates, -1, path)


def _preference(
    f0_hz: npt.NDArray[np.float64], f0_min_hz: float, f0_max_hz: float
) -> npt.NDArray[np.float64]:
    """Favours short periods, since these repeat in all their multiples too."""
    octaves = np.log2(f0_hz / np.sqrt(f0_min_hz * f0_max_hz))
    return PERIOD_COST * octaves / np.log2(f0_max_hz / f0_min_hz)


def _hold(f0_hz: npt.NDArray[np.float64], *, fallback: float) -> Floats:
    """Fills NaN with the number before it, leading ones with the first, or all by `fallback`."""
    voiced = np.flatnonzero(np.isfinite(f0_hz))
    if len(voiced) == 0:
        return np.full(len(f0_hz), fallback, dtype=np.float32)
    last = np.searchsorted(voiced, np.arange(len(f0_hz)), side="right") - 1
    return f0_hz[voiced[np.maximum(last, 0)]].astype(np.float32)
