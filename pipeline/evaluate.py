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

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline import firmware
from pipeline.breath import grain_offsets
from pipeline.config import (
    HOP_SAMPLES,
    REPOSITORY,
    SAMPLE_RATE,
    VARIANTS,
    DataConfig,
    UserError,
    find_run,
    load_instrument,
    load_run,
    run_main,
    write_json,
)
from pipeline.data import find_recordings
from pipeline.ddx7 import Ddx7, load_model
from pipeline.features import Features, extract_features, load_audio
from pipeline.live_features import extract_live_features
from pipeline.lpc import lpc_anchor
from pipeline.metrics import (
    f0_error_cents,
    level_error_db,
    log_mel_distance,
    loudness_error_db,
    mss_distance,
)
from pipeline.pcm import from_pcm, to_pcm
from pipeline.suspect import warn
from pipeline.synth import base_phase, fm_synthesize
from pipeline.tcn import scale_features

AUDIBLE_DBFS = -40.0  # recordings with a lower peak are left out of ``mss_audible``
CHUNK_FRAMES = 5000  # 20 s that are synthesized at once, for the memory's sake
Q32 = 2.0**32  # levels of the device per turn
DOMAINS = {
    "reference": "recording",
    "lpc": "linear prediction of the recording",
    "float": "with the learnt room",
    "live": "with the learnt room, of live features",
    "mcu": "dry",
    "mcu_room": "with the learnt room",
}
LIVE = "_live"  # what a float model's name ends with where it is told live features
ROOM = "_room"  # what a format ends with where the firmware plays in the room
ROOM_BOARD = "qemu_m7"  # which has memory for all of it
MCU_SUFFIXES = {  # of a variant as the firmware plays it
    "int8": "_mcu",
    "int16x8": "_mcu16",
    f"int8{ROOM}": f"_mcu{ROOM}",
}

Array = npt.NDArray[np.floating]
Pcm = npt.NDArray[np.int16]


def synthesize(levels: Array, features: Features, model: Ddx7) -> Array:
    """Plays levels of any length as a model does, dry, in chunks that meet without a seam.

    Args:
        levels: Operator levels in turns, shape [n_frames, 6].
        features: Pitch and loudness of as many frames.
        model: Whose patch and breath are played.

    Returns:
        Audio, shape [64 * n_frames].
    """
    levels = np.asarray(levels, np.float32)
    phase = base_phase(features.f0_hz, model.patch)
    scaled = scale_features(features.f0_hz, features.loudness_db)
    gains = model.breath.gains(scaled[None], levels[None])
    grains = grain_offsets(len(levels))
    chunks = []
    for start in range(0, len(levels), CHUNK_FRAMES):
        first = max(start - 1, 0)  # the frame before tells where the first block's ramp begins
        frames = slice(first, start + CHUNK_FRAMES)
        samples = slice(first * HOP_SAMPLES, (start + CHUNK_FRAMES) * HOP_SAMPLES)
        audio = fm_synthesize(levels[None, frames], phase[None, samples], model.patch)
        audio += model.breath(gains[:, frames], grains[None, frames])
        chunks.append(keras.ops.convert_to_numpy(audio)[0, (start - first) * HOP_SAMPLES :])
    return np.concatenate(chunks)


def render_float(model: Ddx7, features: Features) -> dict[str, Array]:
    """Renders a recording of any length with a float model.

    Returns:
        ``levels`` in turns, shape [n_frames, 6], ``dry`` and, with the room, ``audio``, shape [64 *
        n_frames].
    """
    inputs = model.prepare(features.f0_hz[None], features.loudness_db[None])
    levels = keras.ops.convert_to_numpy(model.decode(inputs)[1])[0]
    dry = synthesize(levels, features, model)
    return {
        "levels": levels,
        "dry": dry,
        "audio": keras.ops.convert_to_numpy(model.reverb(keras.ops.convert_to_tensor(dry[None])))[
            0
        ],
    }


def compare(
    reference: Pcm, estimate: Pcm, target: Features, config: DataConfig
) -> dict[str, float | None]:
    """Measures a rendering against its recording; see `pipeline.metrics`.

    Args:
        reference: The recording, shape [n].
        estimate: The rendering, shape [n].
        target: Features of the recording.
        config: Range of pitch, and confidence from which a frame has one.
    """
    audio = from_pcm(estimate)
    found = extract_features(audio, f0_min_hz=config.f0_min_hz, f0_max_hz=config.f0_max_hz)
    return {
        "mss": mss_distance(from_pcm(reference), audio),
        "log_mel_db": log_mel_distance(from_pcm(reference), audio),
        "f0_error_cents": f0_error_cents(target, found, min_confidence=config.confidence_threshold),
        "loudness_error_db": loudness_error_db(target, found),
    }


def compare_to_float(
    rendering: firmware.Rendering, model: Ddx7, floating: dict[str, Array], features: Features
) -> dict[str, float | None]:
    """Measures what quantization does: the firmware's rendering against the float model's.

    Both are dry, or both with the room.

    Returns:
        ``mss_to_float`` of the 16-bit samples; ``mss_to_float_unrounded``, where both models'
        levels are played dry by the float synthesizer, so that 16 bits' noise has no part in it;
        ``level_error_db``.
    """
    levels = rendering.levels_q32 / Q32
    unrounded = synthesize(levels, features, model)
    whole = floating["audio" if rendering.has_room else "dry"]
    return {
        "mss_to_float": mss_distance(from_pcm(to_pcm(whole)), from_pcm(rendering.pcm)),
        "mss_to_float_unrounded": mss_distance(floating["dry"], unrounded),
        "level_error_db": level_error_db(floating["levels"], levels),
    }


def mean_figures(
    per_recording: Iterable[dict[str, float | None]], peaks_dbfs: Sequence[float]
) -> dict[str, Any]:
    """Averages figures over recordings, leaving out what is unknown; adds ``mss_audible``."""
    rows = list(per_recording)
    audible = [
        row["mss"] for row, peak in zip(rows, peaks_dbfs, strict=True) if peak > AUDIBLE_DBFS
    ]
    columns: dict[str, list[float | None]] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["mss_audible"] = audible
    known = {name: [v for v in values if v is not None] for name, values in columns.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def file_digest(path: Path) -> str:
    """Returns what tells a file from another one of the same name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def output_names(paths: Sequence[Path], base: Path) -> list[str]:
    """Names recordings by their stem, or by all of their path below `base` where two share it."""
    stems = Counter(path.stem for path in paths)
    return [
        path.stem if stems[path.stem] == 1 else "__".join(path.relative_to(base).parts)
        for path in paths
    ]


def find_models(
    instrument: str,
    *,
    variants: Sequence[str],
    mcu: Sequence[str],
    formats: Sequence[str],
    runs: Path | None = None,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Finds the file of every model that is asked for; see `Evaluation` for the arguments.

    Returns:
        By system, the file (of `variants` and `mcu` the float weights in any case); and, for each
        system that cannot be had, why, and what to run first.
    """
    files: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for variant in dict.fromkeys([*variants, *mcu]):
        quantized = {fmt: variant + MCU_SUFFIXES[fmt] for fmt in formats if variant in mcu}
        try:
            folder = find_run(instrument, variant, runs)
        except UserError as error:
            missing |= dict.fromkeys([variant, *quantized.values()], str(error))
            continue
        files[variant] = folder / "model.weights.h5"
        for fmt, system in quantized.items():
            decoder = folder / f"decoder_{fmt.removesuffix(ROOM)}.tflite"
            if decoder.is_file():
                files[system] = decoder
            else:
                stage = f"run python -m pipeline.quantize --run {folder} first"
                missing[system] = f"no {fmt} model in {folder}: {stage}"
    return files, missing


def model_sources(files: Mapping[str, Path]) -> str:
    """Says which folder the models that `find_models` found lie in, and where two, which in which.

    Returns:
        Such as ``data/models``, or ``runs (full, reduced) and data/models (reduced_ad)``.
    """
    variants: dict[str, list[str]] = {}
    for variant in filter(files.__contains__, VARIANTS):
        base = str(files[variant].parents[2]).removeprefix(f"{REPOSITORY}/")
        variants.setdefault(base, []).append(variant)
    if len(variants) < 2:
        return "".join(variants)
    return " and ".join(f"{base} ({', '.join(names)})" for base, names in variants.items())


def _build(run_dir: Path, fmt: str, board: str) -> firmware.Firmware:
    """Builds the firmware of a format, with its room on a board that has memory for it."""
    if not fmt.endswith(ROOM):
        return firmware.build(board, firmware.generate(run_dir, fmt=fmt))
    seconds = firmware.BOARDS[ROOM_BOARD].reverb_seconds
    generated = firmware.generate(run_dir, fmt=fmt.removesuffix(ROOM), reverb_seconds=seconds)
    has_memory = firmware.BOARDS[board].reverb_seconds >= seconds
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
        if doubts := warn(path, audio, features, self.config):
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
            firmware.write_wav(out / f"{name}.{system}.wav", samples)
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


def main(argv: Sequence[str] | None = None) -> None:
    """Renders recordings by every system and measures how far off they are."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluate", description=main.__doc__)
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin or piano")
    parser.add_argument(
        "--audio", type=Path, required=True, help="folder of recordings, or one file"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for WAV files and metrics.json"
    )
    parser.add_argument(
        "--runs", type=Path, help="folder of run folders (default: runs, then the pretrained)"
    )
    parser.add_argument(
        "--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS), help="float models (all)"
    )
    parser.add_argument(
        "--mcu",
        nargs="*",
        choices=VARIANTS,
        default=["reduced_cd"],
        help="by firmware (%(default)s)",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=MCU_SUFFIXES,
        default=["int8"],
        help="of the firmware's models; int16x8 is _mcu16, int8_room _mcu_room (int8)",
    )
    parser.add_argument(
        "--board", choices=firmware.BOARDS, default="qemu_m4", help="of the firmware (%(default)s)"
    )
    parser.add_argument(
        "--features",
        choices=("offline", "live"),
        default="offline",
        help="live: float models are told what the firmware hears, too (%(default)s)",
    )
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    recordings = find_recordings(args.audio, config.data)
    base = args.audio if args.audio.is_dir() else args.audio.parent
    if args.audio.is_dir() and args.out.resolve().is_relative_to(args.audio.resolve()):
        raise UserError(f"{args.out} lies within {args.audio}: give --out a folder of its own")
    evaluation = Evaluation(
        args.instrument,
        variants=args.variants,
        mcu=args.mcu,
        runs=args.runs,
        formats=args.format,
        board=args.board,
        live=args.features == "live",
    )
    if not evaluation.models:
        raise UserError(next(iter(evaluation.missing.values())))
    print(f"models: {evaluation.sources}")
    for system, reason in evaluation.missing.items():
        print(f"left out: {system}: {reason}")
    paths = [recording.path for recording in recordings]
    names = output_names(paths, base)
    summary, failures = evaluation.evaluate_all(dict(zip(names, paths, strict=True)), args.out)
    if summary["systems"]:
        print_table(summary["systems"])
        print(
            f"{len(evaluation.peaks_dbfs)} recordings; WAV files and metrics.json are in {args.out}"
        )
        print("next: python -m pipeline.bench")
    if failures:
        others = (
            f" ({len(failures)} of {len(paths)} recordings were left out)"
            if len(failures) > 1
            else ""
        )
        raise UserError(failures[0] + others)


if __name__ == "__main__":
    run_main(main)
