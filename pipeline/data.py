"""Data stage: recordings (or a corpus that it composes) in, a data set of four-second clips out.

    python -m pipeline.data --instrument flute --audio DIR    from recordings
    python -m pipeline.data --instrument flute                from the rendered default corpus
    python -m pipeline.data --instrument flute --audio DIR --corpus    from both

writes ``runs/<instrument>/dataset.npz`` and its summary ``dataset.json``. The features of every
recording are kept in ``runs/<instrument>/features``, so that an interrupted run goes on where it
stopped.
"""

import argparse
import hashlib
import io
import multiprocessing
import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import soundfile as sf
from tqdm import tqdm

from pipeline import features as features_module
from pipeline.config import (
    CLIP_FRAMES,
    CLIP_SAMPLES,
    FRAME_RATE,
    HOP_SAMPLES,
    LOUDNESS_RANGE_DB,
    REPOSITORY,
    SAMPLE_RATE,
    DataConfig,
    InstrumentConfig,
    UserError,
    atomic_write,
    end_with_parent,
    load_instrument,
    run_main,
    write_json,
)
from pipeline.corpus import compose_corpus, compose_melody, render_midi
from pipeline.features import Features, extract_features, load_audio
from pipeline.pcm import from_pcm
from pipeline.suspect import audible_frames, warn

__all__ = ["build_dataset", "compose_melody", "find_recordings", "main", "render_midi"]

AUDIO_SUFFIXES = {f".{name.lower()}" for name in sf.available_formats()} | {".aif", ".oga", ".opus"}
URMP_TRACK = re.compile(r"AuSep_\d+_(?P<tag>[a-z]+)_", re.IGNORECASE)
JAZZNET_PATTERN = re.compile(r"^[A-G][#b]?-\d-(?P<mode>.+)-\d+$")
JAZZNET_CHORDAL = {"chords", "progressions"}  # folders of what is not played note by note
SPLITS = ("train", "valid", "test")
HELD_OUT_SHARE = 1 / 8  # of the recordings for validation, and again for the test
N_PROCESSES = 2


@dataclass(frozen=True)
class Recording:
    """A file to learn from: a name that is the same on every machine, and where it lies."""

    name: str
    path: Path
    real: bool


@dataclass(frozen=True)
class Clip:
    """Four seconds of a recording; frames beyond `n_valid_frames` are padding."""

    recording: str
    real: bool
    audio: npt.NDArray[np.int16]
    features: Features
    n_valid_frames: int


def find_recordings(folder: Path, config: DataConfig) -> list[Recording]:
    """Lists the recordings in a folder, recursively and in order of their names.

    In URMP's layout only the separate tracks of the instrument are taken, in Jazznet's only
    arpeggios and scales; in any other folder all audio. Hidden files and files of other kinds are
    passed over.

    Raises:
        UserError: The folder is missing or holds nothing to use.
    """
    if not folder.exists():
        raise UserError(f"{folder} does not exist: give a folder of recordings to --audio")
    base = folder if folder.is_dir() else folder.parent
    files = [
        path
        for path in (sorted(folder.rglob("*")) if folder.is_dir() else [folder])
        if path.is_file()
        and path.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(base).parts)
    ]
    if not files:
        kinds = "WAV, FLAC, OGG, MP3, AIFF"
        raise UserError(f"{folder} holds no audio: put recordings there ({kinds} and others)")
    tracks = {path: URMP_TRACK.match(path.name) for path in files}
    if any(tracks.values()):
        tag = config.urmp_tag
        files = [path for path, track in tracks.items() if track and track["tag"].lower() == tag]
        if not files:
            raise UserError(
                f"{folder} has URMP's layout but no AuSep_*_{tag or '?'}_* track: add some"
            )
    elif all(JAZZNET_PATTERN.match(path.stem) for path in files):
        files = [path for path in files if _is_melodic(path)]
        if not files:
            raise UserError(f"{folder} has Jazznet's layout but no arpeggios or scales: add some")
    return [
        Recording(f"{base.resolve().name}/{path.relative_to(base).as_posix()}", path, real=True)
        for path in files
    ]


def render_corpus(config: InstrumentConfig, folder: Path) -> list[Recording]:
    """Composes and renders the default corpus into `folder`, skipping what is already there."""
    recordings = []
    for index, midi in enumerate(
        tqdm(compose_corpus(config), desc="corpus", unit="phrase", disable=None)
    ):
        name = f"{config.instrument}_{index:02d}"
        score, sound = folder / f"{name}.mid", folder / f"{name}.wav"
        notes = io.BytesIO()
        midi.save(file=notes)
        if not (sound.is_file() and score.is_file() and score.read_bytes() == notes.getvalue()):
            with atomic_write(score) as temporary:  # the score stands only beside a finished sound
                temporary.write_bytes(notes.getvalue())
                render_midi(temporary, config.corpus.gm_program, sound)
        recordings.append(Recording(f"corpus/{name}", sound, real=False))
    return recordings


def analyse(
    recordings: Sequence[Recording], config: DataConfig, cache: Path
) -> Iterator[tuple[Recording, npt.NDArray[np.int16], Features]]:
    """Yields samples and features of every recording, in order, from the cache where it has them.

    Recordings of the same content are yielded once.

    Raises:
        UserError: A file is not usable audio; what was analysed before stays in the cache.
    """
    entries: dict[Path, Recording] = {}
    for recording in recordings:
        entries.setdefault(cache / f"{_content_hash(recording.path, config)}.npz", recording)
    missing = [entry for entry in entries if not entry.is_file()]
    jobs = [(entries[entry].path, config, entry) for entry in missing]
    with tqdm(total=len(jobs), desc="features", unit="recording", disable=None) as progress:
        if len(jobs) > 2 * N_PROCESSES:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(N_PROCESSES, context, initializer=_follow_parent) as pool:
                try:
                    for _ in pool.map(_analyse_file, *zip(*jobs, strict=True)):
                        progress.update()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        else:
            for job in jobs:
                _analyse_file(*job)
                progress.update()
    for entry, recording in entries.items():
        with np.load(entry) as stored:
            columns = (stored[name] for name in ("f0_hz", "loudness_db", "confidence"))
            yield recording, stored["audio"], Features(*columns)


def split_at_silences(features: Features, config: DataConfig) -> list[tuple[int, int]]:
    """Finds the stretches of sound.

    Sound is what is less than `silence_db` below the loudest frame; pauses shorter than
    `pause_seconds` belong to it.

    Returns:
        Pairs of first and past-the-end frame.
    """
    audible = np.flatnonzero(audible_frames(features, config))
    longest_gap = round(config.pause_seconds * FRAME_RATE)
    breaks = np.flatnonzero(np.diff(audible) > longest_gap)
    firsts = audible[np.concatenate(([0], breaks + 1))]
    lasts = audible[np.concatenate((breaks, [len(audible) - 1]))]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def chunk(n_frames: int, segments: list[tuple[int, int]], min_frames: int) -> list[int]:
    """Lays clips over the stretches of sound.

    A stretch gives whole clips, and one more for a rest of at least `min_frames`, which runs on
    into what follows in the recording; at its end it begins earlier instead. A recording that is
    no longer than a clip is one clip, because somebody has cut it already, unless it is shorter
    than `min_frames`.

    Returns:
        First frame of every clip.
    """
    if n_frames <= CLIP_FRAMES:
        return [0] if n_frames >= min_frames else []
    starts = []
    for first, last in segments:
        while last - first >= min_frames:
            starts.append(min(first, n_frames - CLIP_FRAMES))
            first += CLIP_FRAMES
    return starts


def split_recordings(names: Sequence[str], seed: int) -> dict[str, int]:
    """Assigns every recording to a split, in an order drawn from its name and the seed.

    An eighth each goes to validation and test; two recordings are enough for a validation split.

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
    """Analyses, chunks, sifts and splits recordings; writes ``dataset.npz`` and ``dataset.json``.

    Real recordings that give reason for doubt are used, with a warning (see `pipeline.suspect`).

    Returns:
        The summary that ``dataset.json`` holds.

    Raises:
        UserError: A recording is not usable audio, or no clip is left.
    """
    clips: list[Clip] = []
    warnings: dict[str, list[str]] = {}
    dropped = Counter(
        {"duplicate recordings": len(recordings), "too short": 0, "low confidence": 0}
    )
    for recording, audio, features in analyse(recordings, config.data, run_dir / "features"):
        dropped["duplicate recordings"] -= 1
        if recording.real and (
            doubts := warn(recording.path, from_pcm(audio), features, config.data)
        ):
            warnings[recording.name] = doubts
        found = list(_cut(recording, audio, features, config.data))
        dropped["too short"] += not found
        for clip, confidence in found:
            if confidence < config.data.confidence_threshold:
                dropped["low confidence"] += 1
            else:
                clips.append(clip)
    if not clips:
        raise UserError(
            f"no usable clip for the {config.instrument}: of {len(recordings)} recordings "
            f"{dropped['too short']} have no {config.data.min_clip_seconds:g} s of sound and "
            f"{dropped['low confidence']} clips no clear pitch; give longer, solo recordings"
        )
    splits: dict[str, int] = {}
    for real in (
        True,
        False,
    ):  # apart, so that a corpus beside them leaves the recordings' split as it is
        splits |= split_recordings(
            [clip.recording for clip in clips if clip.real is real], config.data.seed
        )
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


def _is_melodic(path: Path) -> bool:
    pattern = JAZZNET_PATTERN.match(path.stem)
    chordal = pattern is not None and pattern["mode"].endswith("chord")
    return not chordal and JAZZNET_CHORDAL.isdisjoint(part.lower() for part in path.parts)


def _content_hash(path: Path, config: DataConfig) -> str:
    """Names a recording's cache entry by its bytes, the range of pitch and the code of features."""
    digest = hashlib.sha256(Path(features_module.__file__).read_bytes())
    digest.update(f"{config.f0_min_hz} {config.f0_max_hz}".encode())
    try:
        digest.update(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the file") from None
    return digest.hexdigest()[:24]


def _follow_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the workers
    end_with_parent()


def _analyse_file(path: Path, config: DataConfig, entry: Path) -> None:
    audio = load_audio(path)
    features = extract_features(audio, f0_min_hz=config.f0_min_hz, f0_max_hz=config.f0_max_hz)
    samples = np.clip(np.round(audio * 32768), -32768, 32767).astype(np.int16)
    with atomic_write(entry) as temporary:
        np.savez(temporary, audio=samples, **vars(features))


def _cut(
    recording: Recording, audio: npt.NDArray[np.int16], features: Features, config: DataConfig
) -> Iterator[tuple[Clip, float]]:
    """Yields the clips of a recording, each with the mean confidence of its audible frames."""
    n_frames = len(features.f0_hz)
    audible = audible_frames(features, config)
    min_frames = round(config.min_clip_seconds * FRAME_RATE)
    for start in chunk(n_frames, split_at_silences(features, config), min_frames):
        frames = slice(start, start + CLIP_FRAMES)
        samples = audio[start * HOP_SAMPLES : start * HOP_SAMPLES + CLIP_SAMPLES]
        n_valid = len(features.f0_hz[frames])
        padding = (0, CLIP_FRAMES - n_valid)
        clip = Clip(
            recording=recording.name,
            real=recording.real,
            audio=np.pad(samples, (0, CLIP_SAMPLES - len(samples))),
            features=Features(
                f0_hz=np.pad(features.f0_hz[frames], padding, mode="edge"),
                loudness_db=np.pad(
                    features.loudness_db[frames], padding, constant_values=-LOUDNESS_RANGE_DB
                ),
                confidence=np.pad(features.confidence[frames], padding),
            ),
            n_valid_frames=n_valid,
        )
        heard = features.confidence[frames][audible[frames]]
        yield clip, float(heard.mean()) if len(heard) else 0.0


def _summary(
    config: InstrumentConfig,
    clips: list[Clip],
    splits: dict[str, int],
    dropped: Counter[str],
    n_recordings: int,
) -> dict[str, Any]:
    """Collects what ``dataset.json`` holds."""
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


def _print_summary(summary: dict[str, Any], run_dir: Path) -> None:
    counts = [
        f"{split} {part['real']['clips'] + part['rendered']['clips']}"
        for split, part in summary["splits"].items()
    ]
    dropped = ", ".join(f"{count} {why}" for why, count in summary["dropped"].items() if count)
    clips, recordings = summary["n_clips"], summary["n_recordings"]
    minutes, minutes_real = summary["minutes"], summary["minutes_real"]
    print(f"{run_dir / 'dataset.npz'}: {clips} clips of {recordings} recordings")
    print(f"  {minutes} min, of which real {minutes_real} min; {', '.join(counts)}")
    print(f"  dropped: {dropped or 'nothing'}")
    print(
        "  pitch {}..{}, loudness {}..{} dB, mean confidence {}".format(
            *summary["f0_notes"], *summary["loudness_db"], summary["mean_confidence"]
        )
    )
    print(f"next: python -m pipeline.train --instrument {summary['instrument']} --variant full")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the data stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.data", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin, piano")
    parser.add_argument(
        "--audio",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="recordings",
    )
    parser.add_argument(
        "--corpus",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="compose and render the default corpus (default: only without --audio)",
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs", help="folder of all runs")
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    use_corpus = not args.audio if args.corpus is None else args.corpus
    if not args.audio and not use_corpus:
        raise UserError("nothing to learn from: give --audio DIR or leave out --no-corpus")
    run_dir = args.out / config.instrument
    recordings = [found for folder in args.audio for found in find_recordings(folder, config.data)]
    if use_corpus:
        recordings += render_corpus(config, run_dir / "corpus")
    _print_summary(build_dataset(config, recordings, run_dir), run_dir)


if __name__ == "__main__":
    run_main(main)
