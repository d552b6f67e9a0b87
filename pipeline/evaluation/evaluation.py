"""Evaluates systems on recordings: plays each recording with every system and measures the result.

For every recording and system, a 16-bit WAV file ``<name>.<system>.wav`` is written. The figures
compare the samples of these files, so all systems share the rounding to 16 bits, and anyone can
compute the figures again. ``metrics.json`` contains them.

Models are fed what they would be fed at the calibrated level (see `pipeline.audio.level`), and
their output is brought back to the level of the recording.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.audio.continuation import find_chains
from pipeline.audio.features import Features, Floats, extract_features
from pipeline.audio.issue_log import IssueLog
from pipeline.audio.level import calibrate_audio, calibrate_features, find_gains
from pipeline.audio.loading import load_audio, load_recording
from pipeline.audio.pcm import from_pcm, to_pcm, write_wav
from pipeline.audio.recording_checks import check_recording, find_issues
from pipeline.audio.recordings import Recording
from pipeline.core.constants import FORMATS, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.runs import load_run
from pipeline.evaluation.comparison import summarize
from pipeline.evaluation.model_files import file_digest, find_models, model_sources
from pipeline.evaluation.players import Players
from pipeline.evaluation.systems import REFERENCE, System
from pipeline.model.measurement import Figures, measure
from pipeline.target.live_features import extract_live_features

VERSION = 2  # of the content of ``metrics.json``; what an older version wrote is evaluated again


class Evaluation:
    """The systems of an instrument, ready to play, and the figures measured so far.

    Attributes:
        systems: The requested systems whose models exist.
        missing: For each system without a model, the reason and the command to run first.
        sources: Folders that contain the models (see `model_sources`).
        peaks_dbfs: Peak of every evaluated recording.
        gains_db: The gain that brought every recording to the calibrated level.
        sources_of: Source of every evaluated recording, such as the folder that it came from.
    """

    def __init__(
        self,
        instrument: str,
        systems: Sequence[System],
        *,
        runs: Path | None = None,
        board: str = "qemu_m4",
        gain_db: float | None = None,
        is_stage: bool = False,
    ) -> None:
        """Loads models and builds firmware.

        Args:
            instrument: Name of the instrument.
            systems: Systems to evaluate besides the reference and the anchors.
            runs: Folder of run folders; pretrained models are used for what it does not contain.
            board: Board that runs the firmware.
            gain_db: Gain of all recordings, 0 if they are calibrated; None to measure it.
            is_stage: Whether `pipeline.run` may read the progress bars from a pipe; otherwise,
                they are only shown on a terminal.

        Raises:
            UserError: A model is damaged, or a tool is missing.
        """
        self.config = load_instrument(instrument).data
        files, self.missing = find_models(instrument, systems, runs)
        self.systems = [system for system in systems if system in files]
        self.sources = model_sources(files)
        self.peaks_dbfs: dict[str, float] = {}
        self.gains_db: dict[str, float] = {}
        self.sources_of: dict[str, str] = {}
        self._about = {
            "version": VERSION,
            "instrument": instrument,
            "formats": [fmt for fmt in FORMATS if any(s.format == fmt for s in systems)],
            "board": board,
            "data": asdict(self.config),
            "sample_rate_hz": SAMPLE_RATE,
        }
        self._players = Players(instrument, files, board)
        self._digests = {system: file_digest(path) for system, path in files.items()}
        self._hashes = {s: load_run(path.parent).hash for s, path in files.items()}
        self._figures: dict[System, dict[str, Figures]] = {}
        self._issues = IssueLog()
        self._gain_db = gain_db
        self._hides_bars = False if is_stage else None

    @property
    def has_models(self) -> bool:
        """Whether any model was found."""
        return bool(self._players.models)

    def _features(self, audio: Floats) -> Features:
        return extract_features(audio, **self.config.f0_bounds)

    def _evaluate(self, name: str, path: Path, features: Features, out: Path) -> None:
        """Plays one recording with every system into `out` and measures the results.

        A recording with issues is used; `evaluate_all` reports them in a warning.

        Args:
            name: Name of the recording, whose gain is known.
            path: The recording, which is usable.
            features: Its features as recorded.
            out: Folder of the WAV files.
        """
        audio, facts = load_recording(path)
        gain_db = self.gains_db[name]
        calibrated = calibrate_audio(audio, gain_db)
        live_features = None
        if any(system.live for system in self.systems):
            live_features = extract_live_features(calibrated, **self.config.f0_bounds)
        checks = check_recording(to_pcm(audio), features, facts, self.config)
        self._issues.add(name, find_issues(checks, self.config))
        played = self._players.play(
            self.systems,
            audio,
            calibrate_features(features, calibrated),
            live_features,
            gain_db=gain_db,
        )
        reference = from_pcm(played[REFERENCE].pcm)
        for system, result in played.items():
            write_wav(out / f"{name}.{system.name}.wav", result.pcm)
            if system != REFERENCE:
                figures = measure(reference, from_pcm(result.pcm), features, self.config)
                self._figures.setdefault(system, {})[name] = figures | result.to_float
        self.peaks_dbfs[name] = float(20 * np.log10(np.abs(audio).max()))

    def evaluate_all(
        self,
        recordings: Mapping[str, Recording],
        out: Path,
        *,
        passed_over: Mapping[str, str] | None = None,
    ) -> tuple[dict[str, Any], list[str]]:
        """Evaluates recordings by name and writes ``metrics.json`` into `out`.

        Args:
            recordings: The recordings by the names of their results.
            out: Folder of ``metrics.json`` and of the WAV files.
            passed_over: Files that cannot be used, with a message each, for ``metrics.json``.

        Returns:
            The summary of systems and recordings (see `summary`), and one line for each recording
            that is not usable.
        """
        features, failures = self._measure(recordings)
        self.sources_of |= {name: recordings[name].source for name in features}
        for name, found in tqdm(
            features.items(), "evaluate", unit="recording", disable=self._hides_bars
        ):
            self._evaluate(name, recordings[name].path, found, out)
        summary = self.summary()
        if self._figures:
            write_json(
                out / "metrics.json",
                self._about
                | {"passed_over": dict(passed_over or {}), "failed": failures}
                | summary,
            )
            self._issues.warn(str(out / "metrics.json"))
        return summary, failures

    def _measure(
        self, recordings: Mapping[str, Recording]
    ) -> tuple[dict[str, Features], list[str]]:
        """Extracts the features of recordings as recorded, and finds their gains.

        Returns:
            The features by name, and one line for each recording that is not usable.
        """
        features: dict[str, Features] = {}
        failures: list[str] = []
        for name, recording in tqdm(
            recordings.items(), "features", unit="recording", disable=self._hides_bars
        ):
            try:
                features[name] = self._features(load_audio(recording.path))
            except UserError as error:
                failures.append(str(error))
                tqdm.write(f"left out: {error}")
        usable = {name: recordings[name] for name in features}
        if self._gain_db is None:
            measured = [(usable[name], found) for name, found in features.items()]
            gains = find_gains(measured, self.config, chains=find_chains(list(usable.values())))
            self.gains_db = {name: gains.of(recording) for name, recording in usable.items()}
        else:
            self.gains_db = dict.fromkeys(usable, self._gain_db)
        return features, failures

    def summary(self) -> dict[str, Any]:
        """Returns the part of ``metrics.json`` that describes systems and recordings."""
        systems = {}
        for system, per_recording in self._figures.items():
            systems[system.name] = {
                "domain": system.domain,
                "config_hash": self._hashes.get(system),
                "model_digest": self._digests.get(system),
                **self._players.size(system),
                **summarize(per_recording, self.peaks_dbfs, self.sources_of),
                "recordings": per_recording,
            }
        return {
            "peak_dbfs": self.peaks_dbfs,
            "gain_db": self.gains_db,
            "source": self.sources_of,
            "warnings": self._issues.by_name(),
            "systems": systems,
            "missing": {system.name: reason for system, reason in self.missing.items()},
        }
