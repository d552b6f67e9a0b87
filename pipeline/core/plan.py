"""The stages that take an instrument from recordings to firmware, in order, for `pipeline.run`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.constants import FORMATS, VARIANTS
from pipeline.core.stages import Stage

STUDENTS = VARIANTS[1:]
N_HELD_OUT = 4  # clips that training has not used, for the evaluation and the page

_TITLES = {
    "full": "the full model, the teacher",
    "reduced": "the reduced model, trained alone",
    "reduced_ad": "the reduced model, from audio distillation",
    "reduced_cd": "the reduced model, from control distillation",
}


@dataclass(frozen=True)
class InstrumentFiles:
    """Where the stages of an instrument read and write.

    Attributes:
        instrument: Name of the instrument.
        folder: Folder of its run folders, ``runs/<instrument>``.
    """

    instrument: str
    folder: Path

    @property
    def request(self) -> Path:
        """Arguments of `pipeline.run`; if they change, every stage is outdated."""
        return self.folder / "request.json"

    @property
    def dataset(self) -> Path:
        """Data set of `pipeline.data`."""
        return self.folder / "dataset.npz"

    @property
    def expression(self) -> Path:
        """Table of `pipeline.expression`."""
        return self.folder / "expression.toml"

    @property
    def held_out(self) -> Path:
        """Folder that contains, per instrument, a folder of held-out clips for the evaluation."""
        return self.folder / "held_out"

    @property
    def page(self) -> Path:
        """Folder of the page that compares the systems."""
        return self.folder / "page"

    @property
    def options(self) -> list[str]:
        """Options that most commands share."""
        return ["--instrument", self.instrument, "--runs", str(self.folder.parent)]


def plan_stages(
    files: InstrumentFiles,
    audio: Sequence[Path],
    training: Sequence[str],
    students: Sequence[str] = STUDENTS,
    *,
    learn_expression: bool = True,
) -> list[Stage]:
    """Lists the stages of an instrument.

    Args:
        files: Where they read and write.
        audio: Folders of recordings; empty for the default corpus.
        training: Options of every training command.
        students: Reduced variants; the firmware plays the last one.
        learn_expression: Whether to learn how notes are played, for which the default corpus is
            rendered. If False, the pretrained table in the repository is used.
    """
    stages = [_data_stage(files, audio)]
    if learn_expression:
        stages.append(_expression_stage(files))
    stages += [_training_stage(files, variant, training) for variant in ("full", *students)]
    for variant in students:
        stages += _quantization_stages(files, variant)
    stages.append(_firmware_stage(files, students[-1]))
    stages += _comparison_stages(files, students, rendered=not audio)
    return stages


def list_recordings(audio: Iterable[Path]) -> list[Path]:
    """Lists the files below some folders."""
    return [path for place in audio for path in sorted(place.rglob("*")) if path.is_file()]


def _data_stage(files: InstrumentFiles, audio: Sequence[Path]) -> Stage:
    options = [*files.options, *(["--audio", *map(str, audio)] if audio else [])]
    needs = [files.request, *list_recordings(audio)]
    return Stage("clips with pitch and loudness", "data", options, files.dataset, needs)


def _expression_stage(files: InstrumentFiles) -> Stage:
    needs = [files.request, files.dataset]
    title = "how notes begin, swell and fade"
    return Stage(title, "expression", files.options, files.expression, needs)


def _training_stage(files: InstrumentFiles, variant: str, training: Sequence[str]) -> Stage:
    run_dir, teacher = files.folder / variant, files.folder / "full"
    needs = [files.request, files.dataset]
    if variant in ("full", "reduced"):
        module, options = "train", ["--variant", variant]
    else:
        method = "audio" if variant == "reduced_ad" else "control"
        module, options = "distill", ["--method", method, "--teacher", str(teacher)]
        needs.append(teacher / "metrics.json")
    options += [*files.options, *training]
    first, last = run_dir / "config.toml", run_dir / "metrics.json"
    return Stage(_TITLES[variant], module, options, last, needs, starts=first)


def _quantization_stages(files: InstrumentFiles, variant: str) -> list[Stage]:
    """Lists the stages that turn a float model into .tflite files, and these into C."""
    run_dir = files.folder / variant
    run = ["--run", str(run_dir)]
    decoders = {fmt: run_dir / f"decoder_{fmt}.tflite" for fmt in FORMATS}
    stages = [
        Stage(
            f"{variant}, quantized",
            "quantize",
            [*run, "--dataset", str(files.dataset)],
            run_dir / "quantization.json",
            [run_dir / "metrics.json"],
        ),
        Stage(
            f"{variant}, as .tflite",
            "convert",
            run,
            decoders[FORMATS[-1]],
            [run_dir / f"decoder_{fmt}.npz" for fmt in FORMATS],
        ),
    ]
    for fmt, decoder in decoders.items():
        out = run_dir / f"c_{fmt}"
        options = [*run, "--format", fmt, "--out", str(out)]
        needs = [decoder, files.expression]
        title = f"{variant}, {fmt}, as C"
        stages.append(Stage(title, "codegen", options, out / "instruments.c", needs))
    return stages


def _firmware_stage(files: InstrumentFiles, played: str) -> Stage:
    generated, build = files.folder / played / "c_int8", files.folder / "firmware"
    options = ["--generated", str(generated), "--build-dir", str(build)]
    needs = [generated / "instruments.c"]
    return Stage(f"firmware with {played}", "firmware", options, build / "render", needs)


def _comparison_stages(
    files: InstrumentFiles, students: Sequence[str], *, rendered: bool
) -> list[Stage]:
    """Lists the stages that measure every system on held-out clips and write a page of them."""
    folder, played = files.folder, students[-1]
    out = files.page / "audio" / files.instrument  # where the page looks for what it plays
    report = out / "metrics.json"
    systems = ["--variants", "full", *students, "--mcu", played]
    options = ["--audio", str(files.held_out / files.instrument), "--out", str(out)]
    options += [*files.options, *systems, "--format", *FORMATS, "--reverb"]
    needs = [folder / variant / "metrics.json" for variant in ("full", *students)]
    needs += [folder / played / f"decoder_{fmt}.tflite" for fmt in FORMATS]
    title = "every system, rendered and measured"
    stages = [Stage(title, "evaluate", options, report, needs)]
    options = ["--audio", str(files.held_out), "--takes", str(N_HELD_OUT), *files.options]
    options += [*systems, "--out", str(files.page), *(["--rendered"] if rendered else [])]
    title = "a page to compare them"
    stages.append(Stage(title, "page", options, files.page / "index.html", [report]))
    return stages
