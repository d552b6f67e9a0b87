"""Every stage in order: from recordings, or the default corpus, to an instrument's firmware.

A stage is skipped when what it makes is newer than all it needs, and training goes on from its
checkpoint, so that the same command goes on wherever it was interrupted.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from pipeline.config import (
    RUN_DIR,
    SAMPLE_RATE,
    VARIANTS,
    UserError,
    atomic_write,
    load_instrument,
    run_main,
    write_json,
)


@dataclass(frozen=True)
class Stage:
    """One command ``python -m pipeline.<module> <arguments>``.

    Attributes:
        makes: The file that it writes last.
        needs: Files that it reads; where one is newer than `makes`, the stage is run again.
        starts: For training, the file that it writes first: a needed file newer than that makes a
            fresh start.
    """

    module: str
    arguments: Sequence[str]
    makes: Path
    needs: Sequence[Path]
    starts: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether its result is there and up to date."""
        return self.makes.exists() and not self._is_outdated(self.makes)

    def run(self) -> None:
        """Runs the command in a process of its own; ends this one with its status if it fails."""
        command = [sys.executable, "-m", f"pipeline.{self.module}", *self.arguments]
        if self.starts is not None and self.starts.exists() and self._is_outdated(self.starts):
            command.append("--restart")
        status = subprocess.run(command, check=False).returncode
        if status:
            raise SystemExit(status if status > 0 else 128 - status)

    def _is_outdated(self, path: Path) -> bool:
        made = path.stat().st_mtime_ns
        return any(need.stat().st_mtime_ns > made for need in self.needs if need.exists())


def plan_stages(
    instrument: str,
    folder: Path,
    profile: str,
    audio: list[Path],
    formats: tuple[str, ...] = ("int8", "int16x8"),
) -> list[Stage]:
    """Lists the stages of an instrument.

    Args:
        instrument: Its name.
        folder: Folder of its run folders, ``runs/<instrument>``.
        profile: ``quick`` or ``full``.
        audio: Folders of recordings; none for the default corpus.
        formats: Quantized formats for which C is made.
    """
    request, dataset, held_out = (
        folder / "request.json",
        folder / "dataset.npz",
        folder / "held_out",
    )
    common = ["--instrument", instrument, "--runs", str(folder.parent)]
    audio_arguments = ["--audio", *map(str, audio)] if audio else []
    recordings = [path for place in audio for path in sorted(place.rglob("*"))]
    gather = ["--instrument", instrument, *audio_arguments, "--out", str(folder.parent)]
    stages = [Stage("data", gather, dataset, [request, *recordings])]
    for variant in VARIANTS:
        run_dir = folder / variant
        needs = [request, dataset]
        if variant in ("full", "reduced"):
            module, options = "train", ["--variant", variant]
        else:
            method = "audio" if variant == "reduced_ad" else "control"
            module, options = "distill", ["--method", method, "--teacher", str(folder / "full")]
            needs.append(folder / "full" / "metrics.json")
        options += [*common, "--profile", profile]
        first, last = run_dir / "config.toml", run_dir / "metrics.json"
        stages.append(Stage(module, options, last, needs, starts=first))
    for variant in ("reduced", "reduced_ad", "reduced_cd"):
        run_dir = folder / variant
        quantized = run_dir / "quantization.json"
        options = ["--run", str(run_dir), "--dataset", str(dataset)]
        stages.append(Stage("quantize", options, quantized, [run_dir / "metrics.json"]))
        decoders = [run_dir / f"decoder_{fmt}.tflite" for fmt in formats]
        stages.append(Stage("convert", ["--run", str(run_dir)], decoders[-1], [quantized]))
        for fmt, decoder in zip(formats, decoders, strict=True):
            out = run_dir / f"c_{fmt}"
            options = ["--run", str(run_dir), "--format", fmt, "--out", str(out)]
            stages.append(Stage("codegen", options, out / "instruments.c", [decoder]))
    report = folder / "evaluation" / "metrics.json"
    options = [*common, "--audio", str(held_out), "--out", str(report.parent)]
    shipped = folder / "reduced_cd" / "c_int8" / "instruments.c"
    stages.append(Stage("evaluate", options, report, [shipped]))
    return stages


def write_held_out(dataset_path: Path, folder: Path, *, most_clips: int = 4) -> None:
    """Writes the first held-out clips of a data set as WAV, for the evaluation to hear."""
    with np.load(dataset_path) as dataset:
        split = dataset["split"]
        for wanted in (2, 1, 0):  # test, else valid; a single recording can only be heard itself
            if (split == wanted).any():
                break
        for clip in np.flatnonzero(split == wanted)[:most_clips]:
            name = f"{Path(str(dataset['recording'][clip])).stem}_{clip:03d}.wav"
            with atomic_write(folder / name) as temporary:
                soundfile.write(temporary, dataset["audio"][clip], SAMPLE_RATE)


def main(argv: list[str] | None = None) -> None:
    """Takes an instrument through every stage."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.run", description=main.__doc__)
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin or piano")
    parser.add_argument(
        "--audio", type=Path, nargs="+", default=[], help="folders of recordings (default: corpus)"
    )
    parser.add_argument(
        "--profile", choices=("quick", "full"), default="full", help="minutes, or as the paper"
    )
    parser.add_argument(
        "--runs", type=Path, default=RUN_DIR, help="folder of run folders (default: runs)"
    )
    args = parser.parse_args(argv)
    load_instrument(args.instrument)
    for place in args.audio:
        if not place.is_dir():
            raise UserError(f"{place} is no folder: give a folder of recordings")
    folder = args.runs / args.instrument
    request = {"audio": [str(place.resolve()) for place in args.audio], "profile": args.profile}
    path = folder / "request.json"
    if not path.exists() or json.loads(path.read_text()) != request:
        write_json(path, request)
    stages = plan_stages(args.instrument, folder, args.profile, args.audio)
    for number, stage in enumerate(stages, 1):
        title = f"[{number}/{len(stages)}] pipeline.{stage.module} -> {stage.makes}"
        print(f"{title}{': up to date' if stage.is_done else ''}", flush=True)
        if not stage.is_done:
            if stage.module == "evaluate":
                write_held_out(folder / "dataset.npz", folder / "held_out")
            stage.run()


if __name__ == "__main__":
    run_main(main)
