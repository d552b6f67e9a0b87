"""Builds an instrument's data set from recordings: gains, pieces, splits, clips and a summary."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.audio.analysis import Analysis, analyse
from pipeline.audio.beginnings import keep_beginning
from pipeline.audio.features import Features
from pipeline.audio.issue_log import IssueLog
from pipeline.audio.level import Gains, calibrate, calibrate_pcm, find_gains
from pipeline.audio.pcm import Pcm
from pipeline.audio.pitch_report import PitchReport, report_pitches
from pipeline.audio.recording_checks import find_issues
from pipeline.audio.recordings import Recording
from pipeline.audio.rumble import remove_rumble
from pipeline.core.constants import CLIP_FRAMES, CLIP_SAMPLES, CONTEXT_FRAMES
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, write_json
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.training.clips import Placed, make_clip, place_audio
from pipeline.training.dataset_arrays import Arrays
from pipeline.training.dataset_plan import Cut, Group, arrange, cut_take
from pipeline.training.dataset_summary import account, summarize
from pipeline.training.live_clips import Measure, measure_take, stack_live
from pipeline.training.splits import check_hold_out, check_usable


def build_dataset(
    config: InstrumentConfig,
    recordings: Sequence[Recording],
    run_dir: Path,
    *,
    hold_out: Collection[str] = (),
    passed_over: Mapping[str, str] | None = None,
    cache: Path | None = None,
    measure_live: Measure | None = None,
) -> dict[str, Any]:
    """Calibrates, cuts and joins recordings; writes ``dataset.npz`` and ``dataset.json``.

    Real recordings with issues are used; the issues are printed as warnings, one line for each kind
    (see `pipeline.audio.recording_checks`).

    Args:
        config: The instrument.
        recordings: Recordings to learn from.
        run_dir: ``runs/<instrument>``.
        hold_out: Sources that are kept for the test.
        passed_over: Files that cannot be used, with a message each, for ``dataset.json``.
        cache: Where the analyses of recordings are kept; ``features`` in `run_dir` if None.
        measure_live: Measures features as the firmware would in live sound; None to leave them out.

    Returns:
        The summary in ``dataset.json``.

    Raises:
        UserError: A recording is not usable audio, nothing in them has a clear pitch, a source to
            hold out is unknown or unusable, or nothing is left to train on.
    """
    check_hold_out(hold_out, {recording.source for recording in recordings})
    # Of recordings with the same content the first is used, and no copy of a test may be learnt.
    recordings = sorted(recordings, key=lambda recording: recording.source not in hold_out)
    cache = cache or run_dir / "features"
    # Analyses are read three times, so that no samples are kept but those of the data set.
    takes = partial(analyse, recordings, config.data, cache)
    gains = find_gains(((take.recording, take.features) for take in takes()), config.data)
    cuts, log, pitches = _cut_all(takes(), gains, config.data)
    useful = [cut for cut in cuts if cut[1]]
    if not useful:
        raise UserError(_why_nothing(config, len(cuts), pitches))
    check_usable(hold_out, {take.recording.source for take, _ in useful})
    splits, groups = arrange(useful, config.data.seed, hold_out)
    arrays = _stack(groups)
    measured = _fill(arrays["audio"], groups, takes(), gains, config.data, measure_live)
    arrays |= stack_live([placed for _, placed in groups], measured) if measure_live else {}
    accounts = [account(*cut, splits, config.data) for cut in cuts]
    summary = summarize(config, arrays, accounts, gains) | {
        "duplicates": len(recordings) - len(cuts),
        "joined_clips": _joined_clips(arrays, groups),
        "passed_over": dict(passed_over or {}),
        "warnings": log.by_name(),
        "out_of_range": pitches.range_lines(),
        "notes_in_names": pitches.name_lines(),
    }
    _write(run_dir, arrays, summary)
    log.warn(str(run_dir / "dataset.json"))
    pitches.warn()
    return summary


def _write(run_dir: Path, arrays: Arrays, summary: dict[str, Any]) -> None:
    with atomic_write(run_dir / "dataset.npz") as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    write_json(run_dir / "dataset.json", summary)


def _cut_all(
    takes: Iterable[Analysis], gains: Gains, config: DataConfig
) -> tuple[list[Cut], IssueLog, PitchReport]:
    """Calibrates and cuts recordings, and collects the issues and the pitches of real ones.

    The recordings returned have their features, but only the beginning of their samples.
    """
    cuts: list[Cut] = []
    log = IssueLog()
    for take in takes:
        if take.recording.real:
            log.add(take.recording.name, find_issues(take.checks, config))
        calibrated = calibrate(take, gains.of(take.recording))
        cuts.append(cut_take(keep_beginning(calibrated), config))
    real = ((take.recording, take.checks) for take, _ in cuts if take.recording.real)
    pitches = report_pitches(real, config)
    pitches.add_issues(log)
    return cuts, log, pitches


def _why_nothing(config: InstrumentConfig, n_recordings: int, pitches: PitchReport) -> str:
    """Explains why no recording is usable: the search range, or else that no pitch is clear."""
    low, high = config.data.f0_min_hz, config.data.f0_max_hz
    return (
        f"nothing usable for the {config.instrument}: none of {n_recordings} recordings has a "
        f"clear pitch between {low:g} and {high:g} Hz: "
        + ("; ".join(pitches.range_lines()) or "give solo recordings")
    )


def _fill(
    clips: Pcm,
    groups: Sequence[Group],
    takes: Iterable[Analysis],
    gains: Gains,
    config: DataConfig,
    measure_live: Measure | None,
) -> dict[str, Features]:
    """Fills clips with the samples of their recordings, one recording after the other.

    Sound below the instrument is removed; the features stay as they are.

    Args:
        clips: Receives the samples, shape [n_clips, 64000].
        groups: The pieces of every clip.
        takes: The recordings, as they were analysed.
        gains: Their gains.
        config: The pitch range.
        measure_live: See `build_dataset`.

    Returns:
        The live features of the recordings, by name, if they are measured.
    """
    places: dict[str, list[tuple[int, Placed]]] = {}
    for index, (_, placed) in enumerate(groups):
        for item in placed:
            places.setdefault(item.piece.take.recording.name, []).append((index, item))
    measured = {}
    for take in tqdm(takes, desc="clips", unit="recording", disable=None):
        name = take.recording.name
        if name in places:
            audio = calibrate_pcm(take.audio, gains.of(take.recording))
            if measure_live is not None:
                measured[name] = measure_take(replace(take, stored=audio), measure_live)
            audio = remove_rumble(audio, config.f0_min_hz)
            for index, item in places[name]:
                place_audio(clips[index], item, audio)
    return measured


def _stack(groups: Sequence[Group]) -> Arrays:
    """Returns the arrays of ``dataset.npz``, filled clip by clip but for ``audio``, which is 0."""
    n = len(groups)
    shapes = {"audio": (n, CLIP_SAMPLES), "sounding": (n, CLIP_FRAMES)}
    types = {"audio": np.int16, "sounding": np.bool_}
    arrays: Arrays = {name: np.zeros(shape, types[name]) for name, shape in shapes.items()}
    for name in ("f0_hz", "loudness_db", "confidence"):
        arrays[name] = np.zeros((n, CLIP_FRAMES), np.float32)
    for name in ("context_f0_hz", "context_loudness_db"):
        arrays[name] = np.zeros((n, CONTEXT_FRAMES), np.float32)
    n_valid_frames, names, joined = [], [], []
    for index, (_, placed) in enumerate(groups):
        clip = make_clip(placed)
        arrays["sounding"][index] = clip.sounding
        for feature, values in vars(clip.features).items():
            arrays[feature][index] = values
        arrays["context_f0_hz"][index] = clip.context.f0_hz
        arrays["context_loudness_db"][index] = clip.context.loudness_db
        n_valid_frames.append(clip.n_valid_frames)
        recordings = {piece.take.recording.name: piece.take.recording for piece in clip.pieces}
        joined.append(clip.is_joined)
        name, first = next(iter(recordings.items()))
        names.append(name if len(recordings) == 1 else f"{first.source}/joined_{sum(joined):04d}")
    firsts = [placed[0].piece.take.recording for _, placed in groups]
    return arrays | {
        "n_valid_frames": np.array(n_valid_frames, np.int32),
        "split": np.array([split for split, _ in groups], np.uint8),
        "recording": np.array(names),
        "source": np.array([recording.source for recording in firsts]),
        "joined": np.array(joined),
        "real": np.array([recording.real for recording in firsts]),
    }


def _joined_clips(arrays: Arrays, groups: Sequence[Group]) -> dict[str, list[str]]:
    """Returns the names of the recordings in every joined clip, by its name."""
    return {
        str(name): list(dict.fromkeys(item.piece.take.recording.name for item in placed))
        for name, joined, (_, placed) in zip(
            arrays["recording"], arrays["joined"], groups, strict=True
        )
        if joined
    }
