"""The stages that take an instrument from recordings to firmware, in order, for `pipeline.run`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.constants import FORMATS, FRAME_RATE
from pipeline.core.instrument_config import TrainConfig
from pipeline.core.request import Request
from pipeline.core.stages import Stage

_TITLES = {
    "full": "the full model, the teacher",
    "reduced": "the reduced model, trained alone",
    "reduced_ad": "the reduced model, from audio distillation",
    "reduced_cd": "the reduced model, from control distillation",
    "tiny": "the tiny model, from the levels of a larger one",
}

# Seconds on two cores, measured on a run of the laptop profile, for the estimate of the time left.
_START_SECONDS = 8.0  # until a command has loaded TensorFlow
_COMPILE_SECONDS = 15.0  # of the steps with and without reverb
_SECONDS_PER_MINUTE = 2.3  # features of a minute of recordings
_CORPUS_SECONDS = 90.0
_STEP_SECONDS = 0.0155  # a training step, per second of sound in its batch
_FRAME_SECONDS = 1.5e-6  # a training step of a tiny model, per frame in its batch
_DRY_SHARE, _SPARSE_SHARE = 0.7, 0.6  # of its time without reverb, and with half of the windows
_QUANTIZE_SECONDS, _EPOCH_SECONDS = 20.0, 0.5
_TAKE_SECONDS = 5.0
_SHORT_SECONDS = 5.0  # C code, firmware, page


@dataclass(frozen=True)
class InstrumentFiles:
    """Where the stages of an instrument read and write.

    Attributes:
        instrument: Name of the instrument.
        folder: Folder of its run folders, ``runs/<instrument>``.
    """

    instrument: str
    folder: Path

    def request(self, part: str) -> Path:
        """Returns the file with one of `Request.parts`, which outdates what depends on it."""
        return self.folder / "request" / f"{part}.json"

    def record(self, makes: Path) -> Path:
        """Returns the file that says what a stage's result was made from."""
        name = "_".join(makes.relative_to(self.folder).parts)
        return self.folder / "request" / "made" / f"{name}.json"

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
    files: InstrumentFiles, request: Request, write_held_out: Callable[[], None] | None = None
) -> list[Stage]:
    """Lists the stages of an instrument.

    Args:
        files: Where they read and write.
        request: What the user asked for.
        write_held_out: Writes the clips that are evaluated, as WAV files.
    """
    stages = [_data_stage(files, request)]
    if request.learns_expression:
        stages.append(_expression_stage(files, request))
    stages += [_training_stage(files, variant, request) for variant in request.variants]
    students = [v for v in request.variants if v != "full" and request.profile.quantize_all]
    for variant in dict.fromkeys([*students, request.played]):
        stages += _quantization_stages(files, variant, request)
    stages.append(_firmware_stage(files, request.played))
    stages += _comparison_stages(files, request, write_held_out)
    return [replace(stage, record=files.record(stage.makes)) for stage in stages]


def training_seconds(config: TrainConfig, *, from_audio: bool = True) -> float:
    """Estimates how long a training takes on two cores."""
    if not from_audio:
        n_frames = config.batch_size * config.crop_frames
        return _START_SECONDS + _COMPILE_SECONDS + config.steps * n_frames * _FRAME_SECONDS
    sound = config.batch_size * config.crop_frames / FRAME_RATE
    n_dry = min(config.dry_steps, config.steps)
    n_steps = config.steps - n_dry + _DRY_SHARE * n_dry
    density = 1.0 if config.loss_density > 1 else _SPARSE_SHARE
    return _START_SECONDS + _COMPILE_SECONDS + n_steps * sound * _STEP_SECONDS * density


def _data_stage(files: InstrumentFiles, request: Request) -> Stage:
    options = [*files.options, *request.data_options]
    options += ["--audio", *map(str, request.audio)] if request.audio else []
    needs = [files.request("data"), *request.recordings]
    seconds = _START_SECONDS / 2 + _SECONDS_PER_MINUTE * request.minutes
    seconds += _CORPUS_SECONDS if request.renders_corpus else 0
    title = "clips with pitch and loudness"
    return Stage(title, "data", options, files.dataset, needs, seconds=seconds)


def _expression_stage(files: InstrumentFiles, request: Request) -> Stage:
    needs = [files.request("expression"), files.dataset]
    title = "how notes begin, swell and fade"
    seconds = _START_SECONDS + (0 if request.renders_corpus else _CORPUS_SECONDS)
    return Stage(title, "expression", files.options, files.expression, needs, seconds=seconds)


def _training_stage(files: InstrumentFiles, variant: str, request: Request) -> Stage:
    run_dir, teacher = files.folder / variant, files.folder / request.teacher_of(variant)
    training = request.profile.training(variant, **request.changes)
    needs = [files.request(variant), files.dataset]
    if variant in ("full", "reduced"):
        module, options = "train", ["--variant", variant]
    else:
        method = "audio" if variant == "reduced_ad" else "control"
        module, options = "distill", ["--method", method, "--teacher", str(teacher)]
        options += ["--variant", "tiny"] if variant == "tiny" else []
        needs.append(teacher / "metrics.json")
    if training.start == "reduced" and "reduced" in request.variants:
        needs.append(files.folder / "reduced" / "metrics.json")
    options += [*files.options, *request.training_options, "--restart-if-changed"]
    return Stage(
        _TITLES[variant],
        module,
        options,
        run_dir / "metrics.json",
        needs,
        seconds=training_seconds(training.config, from_audio=variant != "tiny"),
    )


def _quantization_stages(files: InstrumentFiles, variant: str, request: Request) -> list[Stage]:
    """Lists the stages that turn a float model into .tflite files, and these into C."""
    run_dir, epochs = files.folder / variant, request.profile.qat_epochs
    run, report = ["--run", str(run_dir)], run_dir / "quantization.json"
    stages = [
        Stage(
            f"{variant}, quantized",
            "quantize",
            [*run, "--dataset", str(files.dataset), "--epochs", str(epochs)],
            report,
            [files.request("quantization"), run_dir / "metrics.json"],
            seconds=_QUANTIZE_SECONDS + epochs * _EPOCH_SECONDS,
            products=[run_dir / f"decoder_{fmt}.tflite" for fmt in FORMATS],
        )
    ]
    for fmt in FORMATS:
        out = run_dir / f"c_{fmt}"
        options = [*run, "--format", fmt, "--out", str(out)]
        needs = [report, run_dir / f"decoder_{fmt}.tflite", files.expression]
        title = f"{variant}, {fmt}, as C"
        stages.append(Stage(title, "codegen", options, out / "instruments.c", needs))
    return stages


def _firmware_stage(files: InstrumentFiles, played: str) -> Stage:
    generated, build = files.folder / played / "c_int8", files.folder / "firmware"
    options = ["--generated", str(generated), "--build-dir", str(build)]
    source = generated / "instruments.c"  # the table of presets, the same for other weights
    needs = [files.request("firmware"), source, files.record(source)]
    title = f"firmware with {played}"
    seconds = _SHORT_SECONDS
    return Stage(title, "firmware", options, build / "render", needs, seconds=seconds)


def _comparison_stages(
    files: InstrumentFiles, request: Request, write_held_out: Callable[[], None] | None
) -> list[Stage]:
    """Lists the stages that measure every system on held-out clips and write a page of them."""
    folder, played, takes = files.folder, request.played, request.profile.takes
    out = files.page / "audio" / files.instrument  # where the page looks for what it plays
    report = out / "metrics.json"
    systems = ["--variants", *request.variants, "--mcu", played]
    options = ["--audio", str(files.held_out / files.instrument), "--out", str(out)]
    options += ["--gain", "0"]  # clips of the data set are calibrated
    options += [*files.options, *systems, "--format", *FORMATS, "--reverb"]
    needs = [files.request("comparison")]
    needs += [folder / variant / "metrics.json" for variant in request.variants]
    source = folder / played / "c_int8" / "instruments.c"
    needs += [folder / played / "quantization.json", source, files.record(source)]
    evaluation = Stage(
        "every system, rendered and measured",
        "evaluate",
        options,
        report,
        needs,
        seconds=_START_SECONDS + takes * _TAKE_SECONDS,
        prepare=write_held_out,
    )
    options = ["--audio", str(files.held_out), "--takes", str(takes), *files.options]
    options += [*systems, "--out", str(files.page), *([] if request.audio else ["--rendered"])]
    title, page = "a page to compare them", files.page / "index.html"
    seconds = 2 * _SHORT_SECONDS
    return [evaluation, Stage(title, "page", options, page, [report], seconds=seconds)]
