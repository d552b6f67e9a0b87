"""Plans a data set: which recordings go to which split, and which pieces share a clip."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.audio.analysis import Analysis
from pipeline.core.constants import FRAME_RATE, SPLITS
from pipeline.core.instrument_config import DataConfig
from pipeline.training.clips import Placed, fill_clips
from pipeline.training.dataset_summary import account
from pipeline.training.pieces import Piece, cut_pieces
from pipeline.training.splits import split_sources

Cut = tuple[Analysis, list[Piece]]
Group = tuple[int, list[Placed]]  # the split and the pieces of a clip


@dataclass(frozen=True)
class SourceUse:
    """What the recordings of a source would be used for.

    Attributes:
        n_recordings: Number of recordings.
        n_clips: Number of clips of four seconds.
        seconds: Seconds ``given`` in all; ``whole`` in clips of one piece and ``joined`` in clips
            of several; not used because they are ``silent`` or their pitch is ``unclear``.
        splits: Number of recordings and seconds used, by name of the split.
    """

    n_recordings: int
    n_clips: int
    seconds: Mapping[str, float]
    splits: Mapping[str, tuple[int, float]]


def cut_take(take: Analysis, config: DataConfig) -> Cut:
    """Returns a recording with its pieces; none if it lies above the range, an octave too low."""
    return take, [] if take.checks.is_mostly_above else cut_pieces(take, config)


def arrange(
    cuts: Sequence[Cut], seed: int, hold_out: Collection[str] = ()
) -> tuple[dict[str, int], list[Group]]:
    """Splits recordings and arranges their pieces in clips.

    Args:
        cuts: Recordings with their pieces, at least one each.
        seed: Seed of the splits, the order of the notes, and the pauses between them.
        hold_out: Sources that are kept for the test.

    Returns:
        Split of every recording, by name; and the split and the pieces of every clip.
    """
    sources: dict[str, dict[str, float]] = {}
    for take, pieces in cuts:
        seconds = sum(map(len, pieces)) / FRAME_RATE
        sources.setdefault(take.recording.source, {})[take.recording.name] = seconds
    splits = split_sources(sources, seed, hold_out)
    return splits, list(_groups(cuts, splits, seed))


def plan_use(analyses: Sequence[Analysis], config: DataConfig) -> dict[str, SourceUse]:
    """Returns what `pipeline.data` would use of recordings, by source.

    Args:
        analyses: Recordings, analysed with `config`.
        config: How they are cut.
    """
    cuts = [cut_take(take, config) for take in analyses]
    splits, groups = arrange([cut for cut in cuts if cut[1]], config.seed)
    accounts = [account(take, pieces, splits, config) for take, pieces in cuts]
    uses = {}
    for source in dict.fromkeys(a.source for a in accounts):
        mine = [a for a in accounts if a.source == source]
        clips = [placed for _, placed in groups if placed[0].piece.take.recording.source == source]
        frames = {
            name: sum(a.frames[name] for a in mine) for name in ("given", "silent", "unclear")
        }
        for name, joined in (("whole", False), ("joined", True)):
            frames[name] = sum(
                len(item.piece)
                for placed in clips
                if (len(placed) > 1) is joined
                for item in placed
            )
        uses[source] = SourceUse(
            n_recordings=len(mine),
            n_clips=len(clips),
            seconds={name: count / FRAME_RATE for name, count in frames.items()},
            splits={
                name: (
                    sum(a.split == number for a in mine),
                    sum(a.frames["used"] for a in mine if a.split == number) / FRAME_RATE,
                )
                for number, name in enumerate(SPLITS)
            },
        )
    return uses


def _groups(cuts: Sequence[Cut], splits: dict[str, int], seed: int) -> Iterator[Group]:
    """Yields the split and the pieces of every clip, one source and split after the other."""
    keys = dict.fromkeys(
        (take.recording.source, splits[take.recording.name])
        for take, _ in sorted(cuts, key=lambda cut: splits[cut[0].recording.name])
    )
    for source, split in keys:
        pieces = [
            piece
            for take, found in cuts
            for piece in found
            if (take.recording.source, splits[take.recording.name]) == (source, split)
        ]
        digest = hashlib.sha256(f"{seed}:{source}:{split}".encode()).digest()
        random = np.random.default_rng(list(digest))
        for placed in fill_clips(pieces, random):
            yield split, placed
