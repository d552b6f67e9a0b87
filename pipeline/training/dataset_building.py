"""Builds an instrument's data set from recordings: clips, splits and a summary."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from pipeline.audio.pcm import from_pcm
from pipeline.audio.recording_checks import warn_of_issues
from pipeline.audio.recordings import Recording, analyse
from pipeline.core.constants import FRAME_RATE, SAMPLE_RATE, SPLITS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, write_json
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.training.clips import Clip, cut_clips

HELD_OUT_SHARE = 1 / 8  # share of the recordings for validation, and again for the test
DUPLICATE, SHORT, UNCLEAR = "duplicate recordings", "too short", "low confidence"


def split_recordings(names: Sequence[str], seed: int) -> dict[str, int]:
    """Assigns every recording to a split, in an order drawn from its name and the seed.

    An eighth goes to validation and another to the test. A validation split needs two recordings, a
    test split three.

    Args:
        names: Names of the recordings; each may occur more than once.
        seed: Seed of the order.

    Returns:
        Index into `SPLITS` per name.
    """
    shuffled = sorted(
        set(names), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()
    )
    n_held_out = round(HELD_OUT_SHARE * len(shuffled))
    n_valid = max(n_held_out, 1) if len(shuffled) >= 2 else 0
    n_test = max(n_held_out, 1) if len(shuffled) >= 3 else 0
    sizes = [len(shuffled) - n_valid - n_test, n_valid, n_test]
    return dict(zip(shuffled, np.repeat(np.arange(3), sizes).tolist(), strict=True))


def build_dataset(
    config: InstrumentConfig, recordings: Sequence[Recording], run_dir: Path
) -> dict[str, Any]:
    """Cuts and splits recordings; writes ``dataset.npz`` and ``dataset.json``.

    Real recordings with issues are used, with a warning (see `pipeline.audio.recording_checks`).

    Args:
        config: The instrument.
        recordings: Recordings to learn from.
        run_dir: ``runs/<instrument>``; features are cached in its ``features``.

    Returns:
        The summary in ``dataset.json``.

    Raises:
        UserError: A recording is not usable audio, or no clip is left.
    """
    dropped = Counter({DUPLICATE: len(recordings), SHORT: 0, UNCLEAR: 0})
    clips, warnings = _cut_all(recordings, config.data, run_dir / "features", dropped)
    if not clips:
        raise UserError(
            f"no usable clip for the {config.instrument}: of {len(recordings)} recordings, "
            f"{dropped[SHORT]} have less than {config.data.min_clip_seconds:g} s of sound, and "
            f"{dropped[UNCLEAR]} clips have no clear pitch; give longer, solo recordings"
        )
    splits: dict[str, int] = {}
    # Real and rendered recordings are split separately, so that adding a corpus does not change the
    # split of the real ones.
    for real in (True, False):
        names = [clip.recording for clip in clips if clip.real is real]
        splits |= split_recordings(names, config.data.seed)
    summary = _summary(config, clips, splits, dropped, len(recordings)) | {"warnings": warnings}
    with atomic_write(run_dir / "dataset.npz") as temporary:
        np.savez_compressed(
            temporary,
            audio=np.stack([clip.audio for clip in clips]),
            f0_hz=np.stack([clip.features.f0_hz for clip in clips]),
            loudness_db=np.stack([clip.features.loudness_db for clip in clips]),
            confidence=np.stack([clip.features.confidence for clip in clips]),
            n_valid_frames=np.array([clip.n_valid_frames for clip in clips], dtype=np.int32),
            split=np.array([splits[clip.recording] for clip in clips], dtype=np.uint8),
            recording=np.array([clip.recording for clip in clips]),
            real=np.array([clip.real for clip in clips]),
        )
    write_json(run_dir / "dataset.json", summary)
    return summary


def _cut_all(
    recordings: Sequence[Recording], config: DataConfig, cache: Path, dropped: Counter[str]
) -> tuple[list[Clip], dict[str, list[str]]]:
    """Analyses and cuts recordings.

    Args:
        recordings: The recordings.
        config: How to cut them, and which clips to drop.
        cache: Folder of the features.
        dropped: Number of dropped recordings and clips by reason, which is updated.

    Returns:
        The clips, and the issues by name of the recording.
    """
    clips: list[Clip] = []
    warnings: dict[str, list[str]] = {}
    for recording, audio, features in analyse(recordings, config, cache):
        dropped[DUPLICATE] -= 1
        if recording.real:
            issues = warn_of_issues(recording.path, from_pcm(audio), features, config)
            if issues:
                warnings[recording.name] = issues
        found = list(cut_clips(recording, audio, features, config))
        dropped[SHORT] += not found
        kept = [clip for clip, confidence in found if confidence >= config.confidence_threshold]
        dropped[UNCLEAR] += len(found) - len(kept)
        clips += kept
    return clips, warnings


def _summary(
    config: InstrumentConfig,
    clips: list[Clip],
    splits: dict[str, int],
    dropped: Counter[str],
    n_recordings: int,
) -> dict[str, Any]:
    """Returns the content of ``dataset.json``, except the warnings."""
    valid = [slice(0, clip.n_valid_frames) for clip in clips]
    loudness_db = np.concatenate(
        [clip.features.loudness_db[v] for clip, v in zip(clips, valid, strict=True)]
    )
    f0_hz = np.concatenate([clip.features.f0_hz[v] for clip, v in zip(clips, valid, strict=True)])
    confidence = np.concatenate(
        [clip.features.confidence[v] for clip, v in zip(clips, valid, strict=True)]
    )
    lowest_hz, highest_hz = np.percentile(f0_hz, [0.5, 99.5])
    quietest_db, loudest_db = np.percentile(loudness_db, [5, 99.5])
    table = {
        split: {
            kind: {
                "clips": sum(splits[c.recording] == index and c.real is real for c in clips),
                "recordings": sorted(
                    {c.recording for c in clips if splits[c.recording] == index and c.real is real}
                ),
            }
            for kind, real in (("real", True), ("rendered", False))
        }
        for index, split in enumerate(SPLITS)
    }
    return {
        "instrument": config.instrument,
        "n_recordings": n_recordings,
        "n_clips": len(clips),
        "minutes": round(len(f0_hz) / FRAME_RATE / 60, 2),
        "minutes_real": round(sum(c.n_valid_frames for c in clips if c.real) / FRAME_RATE / 60, 2),
        "dropped": dict(dropped),
        "f0_hz": [round(float(lowest_hz), 1), round(float(highest_hz), 1)],
        "f0_notes": [str(librosa.hz_to_note(f, unicode=False)) for f in (lowest_hz, highest_hz)],
        "loudness_db": [round(float(quietest_db), 1), round(float(loudest_db), 1)],
        "mean_confidence": round(float(confidence.mean()), 3),
        "sample_rate": SAMPLE_RATE,
        "config": vars(config.data),
        "splits": table,
    }
