"""Fills clips of four seconds with pieces of recordings, so that no piece is lost for its length.

A long piece fills clips one after the other. Its rest, and all pieces that are shorter than a clip,
are joined: notes in a random order, with a pause before each. A piece that begins while a note
sounds comes first in its clip if possible; elsewhere its own past takes the place of the pause, so
that it does not sound like an onset. Pauses and past do not count in the loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio.features import Features
from pipeline.audio.pcm import Pcm
from pipeline.core.constants import (
    CLIP_FRAMES,
    CONTEXT_FRAMES,
    HOP_SAMPLES,
    MIN_LOUDNESS_DB,
)
from pipeline.training.pieces import Piece

PAUSE_FRAMES = (40, 100)  # shortest and longest pause before a joined note: 0.16 to 0.4 s
MIN_CUT_FRAMES = 125  # a note is cut only if half a second of it fits; the rest begins a clip


@dataclass(frozen=True)
class Placed:
    """A piece in a clip, which begins with frame `at`, after `lead` frames of pause or past."""

    piece: Piece
    at: int
    lead: int


@dataclass(frozen=True)
class Clip:
    """Four seconds of one or more recordings of a source, but their samples (see `place_audio`).

    Attributes:
        pieces: The pieces, in order.
        features: Features, 1000 frames; in pauses the pitch is held, the rest is that of silence.
        sounding: Whether a frame belongs to a piece and counts in the loss, shape [1000].
        context: Features of the `CONTEXT_FRAMES` frames before the clip.
    """

    pieces: tuple[Piece, ...]
    features: Features
    sounding: npt.NDArray[np.bool_]
    context: Features

    @property
    def n_valid_frames(self) -> int:
        """Number of frames before the padding."""
        return int(np.flatnonzero(self.sounding)[-1]) + 1

    @property
    def is_joined(self) -> bool:
        """Whether it has more than one piece."""
        return len(self.pieces) > 1


def fill_clips(pieces: Sequence[Piece], random: np.random.Generator) -> list[list[Placed]]:
    """Arranges all pieces of a source and a split in clips.

    Args:
        pieces: The pieces, in the order of the recordings.
        random: Draws the order of the notes, and the pauses.

    Returns:
        The pieces of every clip.
    """
    rests = [piece for piece in pieces if not piece.has_onset]
    onsets = [piece for piece in pieces if piece.has_onset]
    long = [piece for piece in onsets if len(piece) >= CLIP_FRAMES]
    short = [piece for piece in onsets if len(piece) < CLIP_FRAMES]
    short = [short[i] for i in random.permutation(len(short))]
    clips: list[list[Placed]] = []
    while rests or long or short:
        piece: Piece | None = next(pool for pool in (rests, long, short) if pool).pop(0)
        clips.append([])
        at = lead = 0
        while piece is not None:
            piece, rest = piece.split(CLIP_FRAMES - at)
            clips[-1].append(Placed(piece, at, lead))
            if rest is not None:
                rests.insert(0, rest)
                break
            pause = int(random.integers(*PAUSE_FRAMES, endpoint=True))
            room = CLIP_FRAMES - at - len(piece)
            at, lead = at + len(piece) + pause, pause
            piece = _take_fitting(short, room - pause, can_cut=True)
            if piece is None:
                piece = _take_fitting(rests, room - CONTEXT_FRAMES, can_cut=False)
                at, lead = at - pause + CONTEXT_FRAMES, CONTEXT_FRAMES
    return clips


def _take_fitting(pool: list[Piece], room: int, *, can_cut: bool) -> Piece | None:
    """Removes and returns the first piece that fits, or else, if allowed, one to be cut."""
    for index, piece in enumerate(pool):
        if len(piece) <= room:
            return pool.pop(index)
    return pool.pop(0) if pool and can_cut and room >= MIN_CUT_FRAMES else None


def make_clip(placed: Sequence[Placed]) -> Clip:
    """Copies the features of pieces into a clip."""
    f0_hz = np.zeros(CLIP_FRAMES, np.float32)
    loudness_db = np.full(CLIP_FRAMES, MIN_LOUDNESS_DB, np.float32)
    confidence = np.zeros(CLIP_FRAMES, np.float32)
    sounding = np.zeros(CLIP_FRAMES, bool)

    def write(at: int, features: Features) -> None:
        end = at + len(features.f0_hz)
        f0_hz[at:end], loudness_db[at:end] = features.f0_hz, features.loudness_db
        confidence[at:end] = features.confidence

    for item in placed:
        piece, at = item.piece, item.at
        if item.lead and piece.has_onset:
            f0_hz[at - item.lead : at] = f0_hz[at - item.lead - 1]
        elif item.lead:
            write(at - item.lead, piece.past())
        write(at, piece.features)
        sounding[at : at + len(piece)] = True
    end = placed[-1].at + len(placed[-1].piece)
    f0_hz[end:] = f0_hz[end - 1]
    return Clip(
        pieces=tuple(item.piece for item in placed),
        features=Features(f0_hz=f0_hz, loudness_db=loudness_db, confidence=confidence),
        sounding=sounding,
        context=placed[0].piece.past(),
    )


def place_audio(clip: Pcm, placed: Placed, recording: Pcm) -> None:
    """Copies the samples of a piece into a clip.

    Args:
        clip: Receives them, shape [64000]; it stays 0 after the end of the recording, whose last
            frame may not be complete.
        placed: The piece.
        recording: The samples of its whole recording, shape [n].
    """
    first, last = (HOP_SAMPLES * frame for frame in (placed.piece.first, placed.piece.last))
    samples = recording[first:last]
    clip[HOP_SAMPLES * placed.at :][: len(samples)] = samples
