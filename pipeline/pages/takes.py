"""Page stage: all systems of all instruments side by side, to hear, to see and to judge blindly.

    python -m pipeline.page --out build/page [--instrument flute ...] [--audio DIR]

writes one folder that works from a disk as well as from a server: ``index.html`` with the tables of
players, ``listening_test.html`` with the blind test, and what they play and show. It evaluates what
has not been evaluated yet, or has changed, and keeps what is there (``audio/<instrument>``, as
`pipeline.evaluate` writes it). Without recordings it renders short phrases that training never saw.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio import pcm
from pipeline.audio.corpus import compose_examples, render_excerpt
from pipeline.audio.features import load_audio
from pipeline.audio.pcm import to_pcm
from pipeline.audio.recordings import find_recordings
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.paths import REPOSITORY
from pipeline.evaluation.evaluation import Evaluation
from pipeline.evaluation.systems import (
    MCU_SUFFIXES,
    file_digest,
    find_models,
    model_sources,
    output_names,
)
from pipeline.pages.listening_page import InstrumentSection, Take

EXCERPT_SECONDS = 12  # of a recording that are heard
EXAMPLE_SEPARATOR = "_"  # stands for a blank in the names of files


@dataclass(frozen=True)
class Options:
    """What the command line says of systems.

    Attributes:
        variants: Whose float models are heard.
        mcu: Those of them that the firmware plays.
        board: Where it runs.
        runs: Folder of run folders; pretrained models fill in.
        rendered: Whether what is given to be heard was rendered, not recorded.
    """

    variants: Sequence[str]
    mcu: Sequence[str]
    board: str
    runs: Path | None
    rendered: bool = False


def choose_recordings(
    config: InstrumentConfig, audio: Path | None, n_takes: int, folder: Path
) -> dict[str, Path]:
    """Brings what the page is to play into `folder`: excerpts of recordings, or composed phrases.

    Args:
        config: Instrument.
        audio: Folder with a folder of recordings per instrument; where there is none, phrases are
            composed.
        n_takes: Most recordings to take; they are spread over the folder.
        folder: Where the WAV files go.

    Returns:
        WAV file by name.

    Raises:
        UserError: A recording is not usable, or the phrases cannot be rendered.
    """
    source = audio / config.instrument if audio else None
    chosen = {}
    if source is None or not source.is_dir():
        for name, midi in compose_examples(config).items():
            chosen[name] = folder / f"{name}.wav"
            render_excerpt(midi, config.corpus.gm_program, chosen[name])
        return chosen
    found = [recording.path for recording in find_recordings(source, config.data)]
    spread = np.linspace(0, len(found) - 1, min(n_takes, len(found))).round().astype(int)
    paths = [found[index] for index in spread]
    for name, path in zip(output_names(paths, source), paths, strict=True):
        samples = to_pcm(load_audio(path)[: EXCERPT_SECONDS * SAMPLE_RATE])
        chosen[name] = folder / f"{name}.wav"
        pcm.write_wav(chosen[name], samples)
    return chosen


def evaluate_takes(
    instrument: str, recordings: Mapping[str, Path], options: Options, out: Path
) -> dict[str, Any]:
    """Evaluates every system on recordings, unless `out` holds just that already.

    Returns:
        What ``metrics.json`` holds (see `pipeline.evaluate`), with ``missing`` as of now, and
        ``models``: where these lie.
    """
    asked: dict[str, Any] = {
        "variants": options.variants,
        "mcu": options.mcu,
        "formats": list(MCU_SUFFIXES),
        "runs": options.runs,
    }
    files, missing = find_models(instrument, **asked)
    now = {"missing": missing, "models": model_sources(files)}
    print(f"{instrument}: models: {now['models'] or 'none'}")
    metrics = _read_metrics(out / "metrics.json")
    digests = {system: file_digest(path) for system, path in files.items()}
    heard = {
        system: entry.get("model_digest")
        for system, entry in metrics.get("systems", {}).items()
        if system != "lpc"
    }
    current = (
        heard == digests
        and metrics.get("board") == options.board
        and all(
            _same_file(path, out / f"{name}.reference.wav") for name, path in recordings.items()
        )
    )
    if current:
        print(f"{instrument}: everything in {out} is up to date")
        return metrics | now
    print(f"{instrument}: {len(recordings)} recordings by {len(files) + 2} systems", flush=True)
    evaluation = Evaluation(instrument, board=options.board, **asked)
    summary, failures = evaluation.evaluate_all(recordings, out)
    if failures:
        raise UserError(failures[0])
    return summary | now


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def _same_file(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def gather(
    config: InstrumentConfig, audio: Path | None, n_takes: int, options: Options, out: Path
) -> InstrumentSection:
    """Collects what the page says of an instrument, evaluating what is not evaluated yet."""
    name = config.instrument
    with tempfile.TemporaryDirectory() as folder:
        recordings = choose_recordings(config, audio, n_takes, Path(folder))
        metrics = evaluate_takes(name, recordings, options, out / "audio" / name)
    systems = ["reference", *metrics["systems"]]
    takes = [
        Take(
            id=f"{name}-{index}",
            title=title.replace(EXAMPLE_SEPARATOR, " "),
            sounds={s: out / "audio" / name / f"{title}.{s}.wav" for s in systems},
            figures={s: entry["recordings"][title] for s, entry in metrics["systems"].items()},
        )
        for index, title in enumerate(recordings, start=1)
    ]
    here = f"{REPOSITORY}/"
    return InstrumentSection(
        config=config,
        real=audio is not None and (audio / name).is_dir() and not options.rendered,
        takes=takes,
        systems=metrics["systems"],
        models=metrics["models"],
        missing={s: reason.replace(here, "") for s, reason in metrics["missing"].items()},
    )
