"""Every stage in order: from recordings, or the default corpus, to an instrument's firmware.

A stage is skipped when what it makes is newer than all it needs, and training goes on from its
checkpoint, so that the same command goes on wherever it was interrupted, or killed.
"""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.audio.pcm import write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import RUN_DIR
from pipeline.core.stages import Stage, only_run
from pipeline.quantization.tflite_writer import FORMATS

TITLES = {
    "full": "the full model, the teacher",
    "reduced": "the reduced model by itself",
    "reduced_ad": "the reduced model by audio distillation",
    "reduced_cd": "the reduced model by control distillation",
}
STUDENTS = VARIANTS[1:]
N_HELD_OUT = 4  # clips of recordings that training never saw, to be heard in the end


def plan_stages(
    instrument: str,
    folder: Path,
    audio: Sequence[Path],
    training: Sequence[str],
    students: Sequence[str] = STUDENTS,
    *,
    learn_expression: bool = True,
) -> list[Stage]:
    """Lists the stages of an instrument.

    Args:
        instrument: Its name.
        folder: Folder of its run folders, ``runs/<instrument>``.
        audio: Folders of recordings; none for the default corpus.
        training: Options of every training.
        students: Reduced variants; the firmware plays the last one.
        learn_expression: Learn how notes are played, for which the default corpus is rendered;
            else the table that is kept with the repository serves.
    """
    request, dataset = folder / "request.json", folder / "dataset.npz"
    common = ["--instrument", instrument, "--runs", str(folder.parent)]
    options = ["--instrument", instrument, "--out", str(folder.parent)]
    if audio:
        options += ["--audio", *map(str, audio)]
    needs = [request, *list_recordings(audio)]
    stages = [Stage("clips with pitch and loudness", "data", options, dataset, needs)]
    expression = folder / "expression.toml"
    if learn_expression:
        title = "how its notes begin, swell and fade"
        stages.append(Stage(title, "expression", common, expression, [request, dataset]))
    for variant in ("full", *students):
        run_dir, teacher = folder / variant, folder / "full"
        needs = [request, dataset]
        if variant in ("full", "reduced"):
            module, options = "train", ["--variant", variant]
        else:
            method = "audio" if variant == "reduced_ad" else "control"
            module, options = "distill", ["--method", method, "--teacher", str(teacher)]
            needs.append(teacher / "metrics.json")
        options += [*common, *training]
        first, last = run_dir / "config.toml", run_dir / "metrics.json"
        stages.append(Stage(TITLES[variant], module, options, last, needs, starts=first))
    for variant in students:
        run_dir = folder / variant
        choice, decoder = run_dir / "quantization.json", run_dir / f"decoder_{FORMATS[-1]}.tflite"
        run = ["--run", str(run_dir)]
        options = [*run, "--dataset", str(dataset)]
        needs = [run_dir / "metrics.json"]
        stages.append(Stage(f"{variant} in integers", "quantize", options, choice, needs))
        needs = [run_dir / f"decoder_{fmt}.npz" for fmt in FORMATS]
        stages.append(Stage(f"{variant} as .tflite", "convert", run, decoder, needs))
        for fmt in FORMATS:
            out, needs = run_dir / f"c_{fmt}", [run_dir / f"decoder_{fmt}.tflite", expression]
            options = [*run, "--format", fmt, "--out", str(out)]
            title = f"{variant}, {fmt}, as C"
            stages.append(Stage(title, "codegen", options, out / "instruments.c", needs))
    played = students[-1]
    generated, build = folder / played / "c_int8", folder / "firmware"
    options = ["--generated", str(generated), "--build-dir", str(build)]
    needs = [generated / "instruments.c"]
    stages.append(Stage(f"firmware with {played}", "firmware", options, build / "render", needs))
    page, held_out = folder / "page", folder / "held_out"
    out = page / "audio" / instrument  # where the page looks for what it plays
    report = out / "metrics.json"
    systems = ["--variants", "full", *students, "--mcu", played]
    options = [*common, "--audio", str(held_out / instrument), "--out", str(out), *systems]
    options += ["--format", *FORMATS, "int8_room"]
    needs = [folder / variant / "metrics.json" for variant in ("full", *students)]
    needs += [folder / played / f"decoder_{fmt}.tflite" for fmt in FORMATS]
    stages.append(Stage("every system by ear and measure", "evaluate", options, report, needs))
    options = [*common, "--audio", str(held_out), "--takes", str(N_HELD_OUT), *systems]
    options += ["--out", str(page), *([] if audio else ["--rendered"])]
    title = "a page to hear and judge them"
    stages.append(Stage(title, "page", options, page / "index.html", [report]))
    return stages


def list_recordings(audio: Sequence[Path]) -> list[Path]:
    """Lists the files below some folders."""
    return [path for place in audio for path in sorted(place.rglob("*")) if path.is_file()]


def write_held_out(dataset_path: Path, folder: Path) -> None:
    """Writes the first held-out clips of a data set as WAV, for the evaluation to hear."""
    shutil.rmtree(folder, ignore_errors=True)
    with np.load(dataset_path) as dataset:
        split = dataset["split"]
        for wanted in (2, 1, 0):  # test, else valid; a single recording can only be heard itself
            if (split == wanted).any():
                break
        for clip in np.flatnonzero(split == wanted)[:N_HELD_OUT]:
            name = f"{Path(str(dataset['recording'][clip])).stem}_{clip:03d}.wav"
            write_wav(folder / name, dataset["audio"][clip])


def print_results(folder: Path, played: str) -> None:
    """Says where everything is, and what to do with it."""
    print(f"models:    {folder}/full, reduced...: metrics.json, decoder_*.tflite, C in c_*")
    print(f"firmware:  {folder}/firmware/render, for a Cortex-M4F, plays {played}")
    print(f"sound:     {folder}/page/audio, <recording>.<system>.wav, figures in metrics.json")
    print(f"next: open {folder}/page/index.html, where the firmware plays {played}")


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
    parser.add_argument("--steps", type=int, help="of every training (default: the profile's)")
    parser.add_argument(
        "--students",
        nargs="+",
        choices=STUDENTS,
        default=STUDENTS,
        help="reduced variants, of which the firmware plays the last one (default: all)",
    )
    parser.add_argument(
        "--runs", type=Path, default=RUN_DIR, help="folder of run folders (default: runs)"
    )
    args = parser.parse_args(argv)
    load_instrument(args.instrument)
    for place in args.audio:
        if not place.is_dir():
            raise UserError(f"{place} is no folder: give a folder of recordings")
    folder, played = args.runs / args.instrument, args.students[-1]
    training = ["--profile", args.profile]
    training += [] if args.steps is None else ["--steps", str(args.steps)]
    with only_run(folder):
        request = {
            "training": training,
            "recordings": [str(path.resolve()) for path in list_recordings(args.audio)],
        }
        text, path = json.dumps(request, indent=2) + "\n", folder / "request.json"
        if not path.exists() or path.read_text(errors="replace") != text:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
        stages = plan_stages(
            args.instrument,
            folder,
            args.audio,
            training,
            args.students,
            learn_expression=not args.audio or args.profile == "full",  # else minutes for it alone
        )
        for number, stage in enumerate(stages, 1):
            name = f"[{number}/{len(stages)}] {stage.module}: {stage.title}"
            if stage.is_done:
                print(f"{name} (up to date)")
                continue
            print(name, flush=True)
            began = time.monotonic()
            if stage.module == "evaluate":
                write_held_out(folder / "dataset.npz", folder / "held_out" / args.instrument)
            stage.run()
            print(f"    {time.monotonic() - began:.0f} s", flush=True)
        print_results(folder, played)


if __name__ == "__main__":
    run_main(main)
