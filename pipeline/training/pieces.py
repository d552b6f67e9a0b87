"""Finds the pieces of recordings that training learns from: stretches of sound with a clear pitch.

A piece keeps what surrounds its sound: the rise before it and the fade after it, up to a pause's
length. A stretch whose mean confidence is too low gives up only the frames that are unclear.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio.analysis import Analysis
from pipeline.audio.beginnings import begins_within_note
from pipeline.audio.features import Features
from pipeline.audio.recording_checks import audible_frames
from pipeline.core.constants import (
    CLIP_FRAMES,
    CONTEXT_FRAMES,
    DEFAULT_F0_HZ,
    FRAME_RATE,
    MIN_LOUDNESS_DB,
)
from pipeline.core.instrument_config import DataConfig

LEAD_FRAMES = 25  # kept before a stretch; loudness, measured over 128 ms, rises before the sound
FADE_MARGIN_DB = 3.0  # a fade ends where the loudness comes this close to the floor after it
BRIDGED_FRAMES = 25  # unclear frames between clear ones that are kept with them, 0.1 s
MIN_CLEAR_FRAMES = 25  # shorter runs of clear frames may be clear by chance

Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """Frames `first` to `last` (past the end) of a recording.

    Attributes:
        take: The recording.
        first: First frame.
        last: Past-the-end frame.
        has_onset: Whether silence or a fade precedes it; False if it begins while a note sounds.
    """

    take: Analysis
    first: int
    last: int
    has_onset: bool

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def features(self) -> Features:
        """Features of the frames."""
        frames = slice(self.first, self.last)
        return Features(**{name: x[frames] for name, x in vars(self.take.features).items()})

    def split(self, n_frames: int) -> tuple["Piece", "Piece | None"]:
        """Returns the first `n_frames` and the rest, which begins within the sound, if any."""
        middle = self.first + n_frames
        if middle >= self.last:
            return self, None
        rest = Piece(self.take, middle, self.last, has_onset=False)
        return Piece(self.take, self.first, middle, self.has_onset), rest

    def past(self) -> Features:
        """Returns the features of the `CONTEXT_FRAMES` frames before the piece.

        Before its beginning, a recording is continued by silence, or by its first frame if it
        begins within a note, so that no onset is pretended.
        """
        start = max(self.first - CONTEXT_FRAMES, 0)
        known = Piece(self.take, start, self.first, has_onset=False).features
        pad = (CONTEXT_FRAMES - (self.first - start), 0)
        f0_hz, loudness_db = DEFAULT_F0_HZ, MIN_LOUDNESS_DB
        if begins_within_note(self.take):
            f0_hz = float(self.take.features.f0_hz[0])
            loudness_db = float(self.take.features.loudness_db[0])
        return Features(
            f0_hz=np.pad(known.f0_hz, pad, constant_values=f0_hz),
            loudness_db=np.pad(known.loudness_db, pad, constant_values=loudness_db),
            confidence=np.pad(known.confidence, pad),
        )


def find_stretches(features: Features, config: DataConfig) -> list[Span]:
    """Finds the stretches of sound.

    Frames less than ``silence_db`` below the loudest one are sound, and so are pauses shorter than
    ``pause_seconds``.

    Returns:
        Pairs of first and past-the-end frame.
    """
    audible = np.flatnonzero(audible_frames(features, config))
    longest_gap = round(config.pause_seconds * FRAME_RATE)
    breaks = np.flatnonzero(np.diff(audible) > longest_gap)
    firsts = audible[np.concatenate(([0], breaks + 1))]
    lasts = audible[np.concatenate((breaks, [len(audible) - 1]))]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def cut_pieces(take: Analysis, config: DataConfig) -> list[Piece]:
    """Returns the pieces of a recording, in order.

    Args:
        take: The recording.
        config: What is sound, how long a pause is, and the confidence threshold.
    """
    pieces: list[Piece] = []
    stretches = find_stretches(take.features, config)
    audible = audible_frames(take.features, config)
    longest_fade = round(config.pause_seconds * FRAME_RATE)
    n_frames = len(take.features.f0_hz)
    nexts = [first for first, _ in stretches[1:]] + [n_frames + LEAD_FRAMES]
    for (first, last), following in zip(stretches, nexts, strict=True):
        begin = max(first - LEAD_FRAMES, pieces[-1].last if pieces else 0)
        gap = take.features.loudness_db[last : max(following - LEAD_FRAMES, last)]
        end = last + min(_fade_frames(gap), longest_fade)
        for clear_first, clear_last in _clear_spans(take.features, audible, (first, last), config):
            at_onset = clear_first == first and not (first == 0 and begins_within_note(take))
            pieces.append(
                Piece(
                    take,
                    begin if clear_first == first else clear_first,
                    end if clear_last == last else clear_last,
                    has_onset=at_onset,
                )
            )
    return pieces


def _fade_frames(gap_db: npt.NDArray[np.float32]) -> int:
    """Returns how many frames of the gap after a sound its fade takes."""
    if not len(gap_db):
        return 0
    floor_db = max(float(gap_db.min()), MIN_LOUDNESS_DB)
    return int((gap_db <= floor_db + FADE_MARGIN_DB).argmax()) + 1


def _clear_spans(
    features: Features, audible: npt.NDArray[np.bool_], stretch: Span, config: DataConfig
) -> Iterator[Span]:
    """Yields the spans of a stretch with a clear pitch, as long as possible.

    The stretch is judged in blocks of a clip's length by the mean confidence of the audible frames.
    Of a block that is not clear, runs of clear frames remain.
    """
    first, last = stretch
    audible = audible[first:last]
    confident = (features.confidence[first:last] >= config.confidence_threshold) & audible
    keep = np.zeros(last - first, bool)
    for start in range(0, last - first, CLIP_FRAMES):
        block = slice(start, start + CLIP_FRAMES)
        confidence = features.confidence[first:last][block][audible[block]]
        is_clear = len(confidence) > 0 and confidence.mean() >= config.confidence_threshold
        keep[block] = True if is_clear else _clear_runs(confident[block])
    return ((first + a, first + b) for a, b in runs(keep))


def _clear_runs(confident: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Bridges short gaps between confident frames and removes short runs; same shape."""
    bridged = confident.copy()
    for a, b in runs(~confident):
        if b - a <= BRIDGED_FRAMES:  # includes those at the ends: an onset with its noise
            bridged[a:b] = True
    for a, b in runs(bridged):
        if np.count_nonzero(confident[a:b]) < MIN_CLEAR_FRAMES:
            bridged[a:b] = False
    return bridged


def runs(mask: npt.NDArray[np.bool_]) -> list[Span]:
    """Returns first and past-the-end index of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
