"""Evaluation stage: unseen recordings as every system plays them, and how far off that is.

    python -m pipeline.evaluate --instrument flute --audio DIR --out DIR

writes one 16-bit WAV per recording and system, ``<name>.<system>.wav``, and ``metrics.json``.
Systems are the recording itself (``reference``), a vocoder that any model should beat (``lpc``),
the float models with the room that they learnt (``full``, ``reduced``, ``reduced_ad``,
``reduced_cd``), and ``<variant>_mcu``, the quantized model as the firmware plays it in the
emulator, dry; ``<variant>_mcu16`` where its activations have 16 bits, and ``<variant>_mcu_room``
where an int8 model plays in the room that it learnt, a whole second of it, on a Cortex-M7
(``--format``). With ``--features live``, ``<variant>_live`` is the float model, told what the
firmware hears in live sound (`pipeline.live_features`) instead of `pipeline.features`. Figures
compare the samples of the WAV files, so that all systems share the noise of 16 bits and anyone can
compute them again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.audio.features import extract_features, load_audio
from pipeline.audio.lpc import lpc_anchor
from pipeline.audio.pcm import to_pcm, write_wav
from pipeline.audio.recording_checks import warn_of_issues
from pipeline.core.constants import SAMPLE_RATE, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.runs import load_run
from pipeline.evaluation.comparison import AUDIBLE_DBFS, compare, compare_to_float, mean_figures
from pipeline.evaluation.rendering import render_float
from pipeline.evaluation.systems import (
    DOMAINS,
    LIVE,
    MCU_SUFFIXES,
    ROOM,
    ROOM_BOARD,
    file_digest,
    find_models,
    model_sources,
)
from pipeline.model.ddx7 import Ddx7, load_model
from pipeline.target import boards, firmware, sources
from pipeline.target.live_features import extract_live_features


def _build(run_dir: Path, fmt: str, board: str) -> firmware.Firmware:
    """Builds the firmware of a format, with its room on a board that has memory for it."""
    if not fmt.endswith(ROOM):
        return firmware.build(board, sources.generate(run_dir, fmt=fmt))
    seconds = boards.BOARDS[ROOM_BOARD].reverb_seconds
    generated = sources.generate(run_dir, fmt=fmt.removesuffix(ROOM), reverb_seconds=seconds)
    has_memory = boards.BOARDS[board].reverb_seconds >= seconds
    return firmware.build(board if has_memory else ROOM_BOARD, generated)


class Evaluation:
    """The systems of an instrument, ready to render, and what was measured of them so far.

    Attributes:
        missing: For each system that was asked for and cannot be had, why, and what to run first.
        sources: Where its models lie (see `model_sources`).
    """

    def __init__(
        self,
        instrument: str,
        *,
        variants: Sequence[str] = VARIANTS,
        mcu: Sequence[str] = ("reduced_cd",),
        runs: Path | None = None,
        formats: Sequence[str] = ("int8",),
        board: str = "qemu_m4",
        live: bool = False,
    ):
        """Loads models and builds firmware.

        Args:
            instrument: One of `pipeline.config.INSTRUMENTS`.
            variants: Whose float models are rendered.
            mcu: Variants that the firmware renders too.
            runs: Folder of run folders; pretrained models fill in.
            formats: Of the quantized models, from `MCU_SUFFIXES`.
            board: Where the firmware runs.
            live: Render the float models of `variants` by live features, too.

        Raises:
            UserError: A model is damaged, or a tool is missing.
        """
        self.config = load_instrument(instrument).data
        self.about = {
            "instrument": instrument,
            "formats": list(formats),
            "board": board,
            "data": asdict(self.config),
            "sample_rate_hz": SAMPLE_RATE,
        }
        self.variants = variants
        self.live = live
        self.figures: dict[str, dict[str, dict[str, float | None]]] = {}
        self.peaks_dbfs: dict[str, float] = {}
        self.warnings: dict[str, list[str]] = {}
        files, self.missing = find_models(
            instrument, variants=variants, mcu=mcu, formats=formats, runs=runs
        )
        self.sources = model_sources(files)
        self.digests = {system: file_digest(path) for system, path in files.items()}
        self.hashes: dict[str, str] = {}
        self.models: dict[str, Ddx7] = {}
        self.firmware: dict[str, tuple[str, firmware.Firmware]] = {}  # by system: variant, program
        for variant, fmt in product(dict.fromkeys([*variants, *mcu]), ("float", *formats)):
            system = variant + MCU_SUFFIXES.get(fmt, "")
            if system not in files:
                continue
            folder = files[system].parent
            if fmt == "float":
                self.hashes[variant] = load_run(folder, instrument=instrument).hash
                self.models[variant] = load_model(folder, instrument=instrument)
            else:
                self.firmware[system] = variant, _build(folder, fmt, board)

    def evaluate(self, name: str, path: Path, out: Path) -> None:
        """Renders one recording by every system into `out` and measures the renderings.

        A recording that gives reason for doubt is used, with a warning (see `pipeline.suspect`).

        Raises:
            UserError: The recording is not usable.
        """
        audio = load_audio(path)
        bounds = {"f0_min_hz": self.config.f0_min_hz, "f0_max_hz": self.config.f0_max_hz}
        features = extract_features(audio, **bounds)
        heard = extract_live_features(audio, **bounds) if self.live else None
        if doubts := warn_of_issues(path, audio, features, self.config):
            self.warnings[name] = doubts
        reference = to_pcm(audio)
        frames = np.stack([features.f0_hz, features.loudness_db], axis=1)
        pcm = {"reference": reference, "lpc": to_pcm(lpc_anchor(audio, features.f0_hz))}
        to_float: dict[str, dict[str, float | None]] = {}
        for variant, model in self.models.items():
            rendered = render_float(model, features)
            if variant in self.variants:
                pcm[variant] = to_pcm(rendered["audio"])[: len(audio)]
                if heard is not None:
                    by_ear = render_float(model, heard)["audio"]
                    pcm[variant + LIVE] = to_pcm(by_ear)[: len(audio)]
            for system, (source, program) in self.firmware.items():
                if source == variant:
                    played = firmware.render(program, frames)
                    pcm[system] = played.pcm[: len(audio)]
                    to_float[system] = compare_to_float(played, model, rendered, features)
        for system, samples in pcm.items():
            write_wav(out / f"{name}.{system}.wav", samples)
            if system != "reference":
                figures = compare(reference, samples, features, self.config)
                self.figures.setdefault(system, {})[name] = figures | to_float.get(system, {})
        self.peaks_dbfs[name] = float(20 * np.log10(np.abs(audio).max()))

    def size(self, system: str) -> dict[str, int | None]:
        """Returns ``parameters`` and ``model_bytes``, of float32 or in the flash of the device."""
        variant, program = self.firmware.get(system, (system.removesuffix(LIVE), None))
        if variant not in self.models:
            return {"parameters": None, "model_bytes": None}
        n_parameters = self.models[variant].tcn.count_params()
        if program is None:
            return {"parameters": n_parameters, "model_bytes": 4 * n_parameters}
        flash = program.parts["model"].flash_bytes if program.parts else None  # not on the host
        return {"parameters": n_parameters, "model_bytes": flash}

    def evaluate_all(
        self, recordings: Mapping[str, Path], out: Path
    ) -> tuple[dict[str, Any], list[str]]:
        """Evaluates recordings by name and writes ``metrics.json`` into `out`.

        Returns:
            What it holds of systems and recordings (see `summary`), and one line for each
            recording that is not usable.
        """
        failures: list[str] = []
        for name, path in tqdm(recordings.items(), desc="evaluate", unit="recording"):
            try:
                self.evaluate(name, path, out)
            except UserError as error:
                failures.append(str(error))
                tqdm.write(f"left out: {error}")
        summary = self.summary()
        if self.figures:
            write_json(out / "metrics.json", self.about | {"failed": failures} | summary)
        return summary, failures

    def summary(self) -> dict[str, Any]:
        """Returns what ``metrics.json`` holds of systems and recordings."""
        systems = {}
        for system, per_recording in self.figures.items():
            variant, _ = self.firmware.get(system, (system.removesuffix(LIVE), None))
            kind = "float" if variant in self.models else system
            kind = "live" if system.endswith(LIVE) else kind
            if system in self.firmware:
                kind = "mcu_room" if system.endswith(ROOM) else "mcu"
            peaks = [self.peaks_dbfs[name] for name in per_recording]
            systems[system] = {
                "domain": DOMAINS[kind],
                "config_hash": self.hashes.get(variant),
                "model_digest": self.digests.get(system.removesuffix(LIVE)),
                **self.size(system),
                "mean": mean_figures(per_recording.values(), peaks),
                "recordings": per_recording,
            }
        return {
            "peak_dbfs": self.peaks_dbfs,
            "warnings": self.warnings,
            "systems": systems,
            "missing": self.missing,
        }


def print_table(systems: dict[str, Any]) -> None:
    """Prints the means, one line per system."""
    columns = {
        "mss": "MSS",
        "mss_audible": f"> {AUDIBLE_DBFS:.0f} dBFS",
        "log_mel_db": "log-mel dB",
        "f0_error_cents": "f0 cents",
        "loudness_error_db": "loudness dB",
        "mss_to_float": "to float: MSS",
        "level_error_db": "level dB",
    }
    print(f"{'system':<20}" + "".join(f"{title:>14}" for title in columns.values()) + "  domain")
    for system, entry in systems.items():
        values = [entry["mean"].get(name) for name in columns]
        texts = ["" if value is None else f"{value:.2f}" for value in values]
        print(f"{system:<20}" + "".join(f"{text:>14}" for text in texts) + f"  {entry['domain']}")
