"""Sums up a data set: what ``dataset.json`` says about sources and splits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

from pipeline.audio.analysis import Analysis
from pipeline.audio.level import Gains, describe_gain
from pipeline.audio.recording_checks import audible_frames
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE, SPLITS
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.core.paths import shown
from pipeline.training.dataset_arrays import Arrays
from pipeline.training.pieces import Piece

F0_PERCENTILES = (0.5, 99.5)
LOUDNESS_PERCENTILES = (5, 99.5)


@dataclass(frozen=True)
class Account:
    """What became of a recording.

    Attributes:
        source: Its source.
        name: Its name.
        split: Its split; None if nothing of it is used.
        frames: Number of frames ``given`` and ``used``; of the rest, ``silent`` frames and frames
            with an ``unclear`` pitch; ``lost`` are those of the unclear frames that are above the
            confidence threshold themselves, but in runs too short to be a tone, or in a recording
            whose true pitch lies above the search range.
    """

    source: str
    name: str
    split: int | None
    frames: dict[str, int]


def account(
    take: Analysis, pieces: Sequence[Piece], splits: dict[str, int], config: DataConfig
) -> Account:
    """Counts what became of a recording's frames."""
    kept = np.zeros(len(take.features.f0_hz), bool)
    for piece in pieces:
        kept[piece.first : piece.last] = True
    audible = audible_frames(take.features, config)
    confident = take.features.confidence >= config.confidence_threshold
    masks = {
        "given": np.ones_like(kept),
        "used": kept,
        "silent": ~kept & ~audible,
        "unclear": ~kept & audible,
        "lost": ~kept & audible & confident,
    }
    frames = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    n_cut = round(sum(take.n_cut) / HOP_SAMPLES)  # digital silence, cut before the analysis
    frames["given"] += n_cut
    frames["silent"] += n_cut
    recording = take.recording
    split = splits.get(recording.name) if pieces else None
    return Account(recording.source, recording.name, split, frames)


def summarize(
    config: InstrumentConfig, arrays: Arrays, accounts: Sequence[Account], gains: Gains
) -> dict[str, Any]:
    """Returns seconds, pitch and loudness of the whole data set, and by source and split.

    ``gain_db`` of a source is that of its recordings but those in ``own_gains_db``; `read_gains`
    reads both.
    """
    everything = np.ones(len(arrays["split"]), bool)
    sources = {}
    for source in dict.fromkeys(a.source for a in accounts):
        mine = [a for a in accounts if a.source == source]
        clips = arrays["source"] == source
        sources[source] = {
            "real": bool(arrays["real"][clips].all()),
            "n_recordings": len(mine),
            "seconds": _seconds(mine, arrays, clips),
            **_describe(arrays, clips),
            "gain_db": gains.sources[source],
            "own_gains_db": {
                a.name: gains.recordings[a.name] for a in mine if a.name in gains.recordings
            },
            "unused": [a.name for a in mine if a.split is None],
            "splits": {
                name: {
                    **_describe(arrays, clips & (arrays["split"] == number)),
                    "recordings": [a.name for a in mine if a.split == number],
                }
                for number, name in enumerate(SPLITS)
            },
        }
    return {
        "instrument": config.instrument,
        "n_recordings": len(accounts),
        "seconds": _seconds(accounts, arrays, everything),
        **_describe(arrays, everything),
        "mean_confidence": round(float(arrays["confidence"][arrays["sounding"]].mean()), 3),
        "sample_rate": SAMPLE_RATE,
        "config": vars(config.data),
        "sources": sources,
    }


def _seconds(
    accounts: Sequence[Account], arrays: Arrays, clips: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Returns seconds given, used and not used; and those used that are in joined clips."""
    frames = {name: sum(a.frames[name] for a in accounts) for name in accounts[0].frames}
    frames["joined"] = int(np.count_nonzero(arrays["sounding"][clips & arrays["joined"]]))
    return {name: round(count / FRAME_RATE, 1) for name, count in frames.items()}


def _describe(arrays: Arrays, clips: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Returns the number of clips, and seconds and ranges of their sounding frames."""
    sounding = arrays["sounding"][clips]
    facts: dict[str, Any] = {
        "n_clips": int(np.count_nonzero(clips)),
        "sounding_seconds": round(np.count_nonzero(sounding) / FRAME_RATE, 1),
    }
    if sounding.any():
        pitch = np.percentile(arrays["f0_hz"][clips][sounding], F0_PERCENTILES)
        loudness = np.percentile(arrays["loudness_db"][clips][sounding], LOUDNESS_PERCENTILES)
        facts |= {
            "f0_hz": [round(float(f), 1) for f in pitch],
            "f0_notes": [str(librosa.hz_to_note(f, unicode=False)) for f in pitch],
            "loudness_db": [round(float(x), 1) for x in loudness],
        }
    return facts


def read_gains(dataset: Path) -> Gains:
    """Reads the gains with which the recordings of a data set were calibrated.

    Args:
        dataset: The ``dataset.npz``; they are in the ``dataset.json`` beside it.
    """
    sources = json.loads(dataset.with_suffix(".json").read_text())["sources"]
    own = [source["own_gains_db"] for source in sources.values()]
    return Gains(
        sources={name: float(source["gain_db"]) for name, source in sources.items()},
        recordings={name: float(gain) for gains in own for name, gain in gains.items()},
    )


def summary_lines(summary: Mapping[str, Any], path: Path) -> list[str]:
    """Returns what `pipeline.data` prints about a data set, a few lines.

    Args:
        summary: The content of ``dataset.json``.
        path: The ``dataset.npz``.
    """
    seconds, sources = summary["seconds"], summary["sources"]
    n_recordings = summary["n_recordings"]
    noun = "recording" if n_recordings == 1 else "recordings"
    lines = [f"{shown(path)}: {summary['n_clips']} clips from {n_recordings} {noun}"]
    lines += [_source_line(name, source) for name, source in sources.items()]
    unused = [f"{seconds['silent']:.0f} s of silence", f"{seconds['unclear']:.0f} s without pitch"]
    for count, what in (
        (summary["duplicates"], "duplicates"),
        (len(summary["passed_over"]), "files passed over"),
    ):
        unused += [f"{count} {what}"] if count else []
    lines.append(f"  not used: {', '.join(unused)}")
    if not any(source["splits"]["valid"]["n_clips"] for source in sources.values()):
        lines.append(
            "  only one recording: nothing is held out, so no figure can tell how the model plays "
            "sound that it does not know"
        )
    return lines


def _source_line(name: str, source: Mapping[str, Any]) -> str:
    seconds, splits = source["seconds"], source["splits"]
    kind = "" if source["real"] else " (rendered)"
    line = f"  {name}{kind}: {seconds['used']:.0f} of {seconds['given']:.0f} s used"
    line += f", {seconds['joined']:.0f} s of them joined" if seconds["joined"] else ""
    if seconds["used"]:
        shares = (f"{split} {splits[split]['sounding_seconds']:.0f}" for split in SPLITS)
        line += f" ({', '.join(shares)} s), pitch {'..'.join(source['f0_notes'])}"
        line += ", loudness {:.0f}..{:.0f} dB".format(*source["loudness_db"])
    return f"{line}, {describe_gain(source['gain_db'], source['own_gains_db'].values())}"
