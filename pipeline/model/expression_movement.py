"""Learns the vibrato and drift of an expression table from steady tones in real recordings."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.audio.pitch import hz_to_note
from pipeline.core.constants import FRAME_RATE

Floats = npt.NDArray[np.floating]
MIN_STRETCHES = 8  # with fewer, nothing is learnt
MIN_STRETCH_FRAMES = 100
STRETCH_MARGIN = 15  # frames at the ends of a stretch that are not used
MAX_JUMP = 0.35  # semitones between the frames of a stretch
MIN_CONFIDENCE = 0.9
MIN_LOUDNESS_DB = -45.0
VIBRATO_BAND_HZ = (4.0, 8.0)
MIN_VIBRATO_CENTS = 8  # the rate is learnt from stretches with a larger depth
DRIFT_BAND_HZ = 3.0
# The onset of the vibrato is that of the corpus, because recordings give no reliable figure for it.
# The rate is a default, for recordings without vibrato.
VIBRATO_DELAY_MS, VIBRATO_GROWTH_MS, VIBRATO_HZ = 200.0, 300.0, 5.5


def learn_movement(f0_hz: Floats, loudness_db: Floats, confidence: Floats) -> dict[str, object]:
    """Learns vibrato and drift.

    Args:
        f0_hz: Pitch of real recordings, shape [n_clips, n_frames]. Without clips, there is no
            movement.
        loudness_db: Loudness, same shape.
        confidence: Confidence of the pitch, same shape.

    Returns:
        Fields of `Expression`: vibrato_hz, vibrato_cents, vibrato_delay_ms, vibrato_growth_ms,
        pitch_drift_cents and loudness_drift_db.
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
    found = len(rates_hz) >= MIN_STRETCHES
    has_vibrato = np.array(depths_cents) > MIN_VIBRATO_CENTS if found else np.array([False])
    rate = np.median(np.array(rates_hz)[has_vibrato]) if has_vibrato.any() else VIBRATO_HZ
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
    pitch = hz_to_note(f0_hz)
    jumps = np.abs(np.diff(pitch, prepend=pitch[0])) > MAX_JUMP
    unclear = (confidence < MIN_CONFIDENCE) | (loudness_db < MIN_LOUDNESS_DB)
    edges = np.concatenate([[-1], np.flatnonzero(jumps | unclear), [len(pitch)]])
    for before, after in pairwise(edges):
        if after - before > MIN_STRETCH_FRAMES:
            inside = slice(before + 1 + STRETCH_MARGIN, after - STRETCH_MARGIN)
            yield _without_trend(pitch[inside], 1), _without_trend(loudness_db[inside], 2)


def _without_trend(values: Floats, degree: int) -> Floats:
    """Subtracts the best-fitting polynomial of some degree."""
    time = np.linspace(-1, 1, len(values))
    return np.asarray(values - np.polyval(np.polyfit(time, values, degree), time))


def _spectrum(values: Floats) -> tuple[Floats, Floats]:
    """Returns frequencies in Hz and the share of the variance at each."""
    window = np.hanning(len(values))
    n_fft = 4 * len(values)
    power = np.abs(np.fft.rfft(values * window, n_fft)) ** 2 / (window**2).sum()
    return np.fft.rfftfreq(n_fft, 1 / FRAME_RATE), 2 * power / n_fft
