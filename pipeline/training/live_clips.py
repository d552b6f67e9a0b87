"""Gives the clips of a data set the features that the firmware would measure in live sound.

The delay of the live analysis is compensated, so that features and sound belong together as they do
in evaluation. A device plays later than it hears, by a constant time; relative to what it plays,
its features are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.audio.analysis import Analysis
from pipeline.audio.beginnings import begins_within_note
from pipeline.audio.features import Features, Floats
from pipeline.audio.pcm import Pcm
from pipeline.core.constants import CONTEXT_FRAMES, DEFAULT_F0_HZ, HOP_SAMPLES
from pipeline.training.clips import Placed, make_clip
from pipeline.training.dataset_arrays import LIVE, Arrays

Measure = Callable[[Pcm], Features]  # of samples at 16 kHz, as `measure_live_features`
LEAD_IN_FRAMES = 50  # 0.2 s of sound before a recording that begins within a note


def stack_live(groups: Sequence[Sequence[Placed]], measured: Mapping[str, Features]) -> Arrays:
    """Cuts the live features of recordings like the other arrays of a data set.

    Args:
        groups: The pieces of every clip.
        measured: The features of whole recordings, from `measure_take`, by name.

    Returns:
        ``live_f0_hz`` and ``live_loudness_db``, shape [n_clips, n_frames], and
        ``live_context_f0_hz`` and ``live_context_loudness_db``, shape [n_clips, 124].
    """
    rows = []
    for placed in groups:
        heard = []
        for item in placed:
            take = item.piece.take
            take = replace(take, features=measured[take.recording.name])
            heard.append(replace(item, piece=replace(item.piece, take=take)))
        clip = make_clip(heard)
        f0_hz = _hold(np.concatenate([clip.context.f0_hz, clip.features.f0_hz]))
        loudness = (clip.features.loudness_db, clip.context.loudness_db)
        rows.append((f0_hz[CONTEXT_FRAMES:], f0_hz[:CONTEXT_FRAMES], *loudness))
    names = ("f0_hz", "context_f0_hz", "loudness_db", "context_loudness_db")
    columns = map(np.stack, zip(*rows, strict=True))
    return {LIVE + name: column for name, column in zip(names, columns, strict=True)}


def measure_take(take: Analysis, measure: Measure) -> Features:
    """Measures a calibrated recording.

    One that begins within a note is led in by itself, backwards; otherwise the analysis would find
    an onset where there is none.
    """
    audio = take.audio
    if not begins_within_note(take):
        return measure(audio)
    n_frames = min(LEAD_IN_FRAMES, len(audio) // HOP_SAMPLES)
    found = measure(np.concatenate([audio[: n_frames * HOP_SAMPLES][::-1], audio]))
    return Features(**{name: values[n_frames:] for name, values in vars(found).items()})


def _hold(f0_hz: Floats) -> Floats:
    """Lets the pitch before the first of a recording be that of the recording before, if any.

    A device holds the pitch, and only the first recording that it hears finds it at its default.
    """
    frames = np.where(f0_hz == DEFAULT_F0_HZ, 0, np.arange(len(f0_hz)))
    return np.asarray(f0_hz[np.maximum.accumulate(frames)])
