"""Gathers the content of the listening page: chooses takes and evaluates every system on them.

Evaluations that are still valid are kept, so writing the page again is quick.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio import pcm
from pipeline.audio.composition import compose_examples
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import to_pcm
from pipeline.audio.recordings import Recording, open_recordings
from pipeline.audio.soundfont import render_excerpt
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.paths import REPOSITORY
from pipeline.evaluation.evaluation import VERSION, Evaluation
from pipeline.evaluation.model_files import file_digest, find_models, model_sources, output_names
from pipeline.evaluation.systems import MODELLESS, REFERENCE, System
from pipeline.pages.catalogue import InstrumentSection, Source, Take

EXCERPT_SECONDS = 12  # longest part of a recording that the page plays


@dataclass(frozen=True)
class Options:
    """Options of the command line.

    Attributes:
        audio: Folder with a folder of recordings per instrument.
        rendered: Whether the files in `audio` are rendered instead of recorded.
        n_takes: Largest number of recordings per instrument.
        systems: All systems on the page.
        board: Board that runs the firmware.
        runs: Folder of run folders; pretrained models are used for what it does not contain.
    """

    audio: Path | None
    rendered: bool
    n_takes: int
    systems: Sequence[System]
    board: str
    runs: Path | None


def gather(config: InstrumentConfig, options: Options, out: Path) -> InstrumentSection:
    """Collects the content for one instrument, and evaluates what is new or has changed.

    Args:
        config: Configuration of the instrument.
        options: Options of the command line.
        out: Folder of the page; WAV files and ``metrics.json`` go to ``audio/<instrument>`` in it.

    Raises:
        UserError: A recording is not usable, a model is damaged, or a tool is missing.
    """
    name = config.instrument
    folder = options.audio / name if options.audio else None
    if folder is None or not folder.is_dir():
        folder = None
    audio_out = out / "audio" / name
    with tempfile.TemporaryDirectory() as temporary:
        recordings = (
            _excerpts(config, folder, options, Path(temporary))
            if folder
            else _composed_phrases(config, Path(temporary))
        )
        metrics = _evaluate(name, recordings, options, audio_out)
    systems = {System.from_name(key): entry for key, entry in metrics["systems"].items()}
    takes = [
        Take(
            id=f"{name}-{index}",
            title=title.replace("_", " "),  # file names use an underscore instead of a space
            sounds={s: audio_out / f"{title}.{s.name}.wav" for s in (REFERENCE, *systems)},
            figures={system: entry["recordings"][title] for system, entry in systems.items()},
        )
        for index, title in enumerate(recordings, start=1)
    ]
    source: Source = (
        "composed" if folder is None else "rendered" if options.rendered else "recorded"
    )
    return InstrumentSection(
        config=config,
        source=source,
        takes=takes,
        systems=systems,
        models=metrics["models"],
        missing={
            System.from_name(key): reason.replace(f"{REPOSITORY}/", "")
            for key, reason in metrics["missing"].items()
        },
    )


def _composed_phrases(config: InstrumentConfig, out: Path) -> dict[str, Recording]:
    """Renders the example phrases into `out`; returns them by name."""
    program = config.require_corpus().gm_program
    chosen = {}
    for name, midi in compose_examples(config).items():
        path = out / f"{name}.wav"
        render_excerpt(midi, program, path)
        chosen[name] = Recording(name, path, real=False, source="composed")
    return chosen


def _excerpts(
    config: InstrumentConfig, folder: Path, options: Options, out: Path
) -> dict[str, Recording]:
    """Copies the beginnings of recordings, chosen evenly from a folder; returns them by name.

    Raises:
        UserError: No recording is usable.
    """
    found = open_recordings([folder], config.data)
    found.warn()
    n_found = len(found.recordings)
    spread = np.linspace(0, n_found - 1, min(options.n_takes, n_found)).round().astype(int)
    chosen = {}
    for name, recording in output_names([found.recordings[index] for index in spread]).items():
        path = out / f"{name}.wav"
        excerpt = load_audio(recording.path)[: EXCERPT_SECONDS * SAMPLE_RATE]
        pcm.write_wav(path, to_pcm(excerpt))
        chosen[name] = replace(recording, path=path, real=not options.rendered)
    return chosen


def _evaluate(
    instrument: str, recordings: Mapping[str, Recording], options: Options, out: Path
) -> dict[str, Any]:
    """Evaluates every system on recordings, unless `out` already contains the result.

    Returns:
        The content of ``metrics.json`` (see `pipeline.evaluate`) with the currently missing systems
        as ``missing`` and the folders of the models as ``models``.
    """
    systems = [system for system in options.systems if system.variant is not None]
    files, missing = find_models(instrument, systems, options.runs)
    now = {
        "missing": {system.name: reason for system, reason in missing.items()},
        "models": model_sources(files),
    }
    print(f"{instrument}: models: {now['models'] or 'none'}")
    metrics = _read_metrics(out / "metrics.json")
    if _is_current(metrics, files, recordings, options.board, out):
        print(f"{instrument}: everything in {out} is up to date")
        return metrics | now
    n_systems = len(files) + len(MODELLESS)
    print(f"{instrument}: {len(recordings)} recordings by {n_systems} systems", flush=True)
    evaluation = Evaluation(instrument, systems, runs=options.runs, board=options.board)
    summary, failures = evaluation.evaluate_all(recordings, out)
    if failures:
        raise UserError(failures[0])
    return summary | now


def _is_current(
    metrics: Mapping[str, Any],
    files: Mapping[System, Path],
    recordings: Mapping[str, Recording],
    board: str,
    out: Path,
) -> bool:
    """Checks whether an evaluation used the same models, recordings and board."""
    digests = {system.name: file_digest(path) for system, path in files.items()}
    evaluated = {
        name: digest
        for name, entry in metrics.get("systems", {}).items()
        if (digest := entry.get("model_digest"))
    }
    references = {
        recording.path: out / f"{name}.{REFERENCE.name}.wav"
        for name, recording in recordings.items()
    }
    return (
        metrics.get("version") == VERSION
        and evaluated == digests
        and metrics.get("board") == board
        and all(_same_file(path, reference) for path, reference in references.items())
    )


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def _same_file(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
