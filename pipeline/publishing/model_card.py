"""The card of a released model: `pipeline.emit.model_card`, and how to run the file."""

from pathlib import Path

from pipeline.core import markdown
from pipeline.core.constants import (
    CALIBRATED_LEVEL_DB,
    DEFAULT_F0_HZ,
    HOP_SAMPLES,
    MAX_LEVEL,
    MIN_LOUDNESS_DB,
)
from pipeline.core.files import read_json
from pipeline.core.runs import decoder_name, load_run
from pipeline.emit.model_card import model_card
from pipeline.pages.html import fill_template
from pipeline.quantization.tflite_reader import StepModel, read_step_model

SOURCES = {
    "urmp": "URMP (Li et al., 2018), a data set for research: excerpts of recordings",
    "philharmonia": "sound samples of the Philharmonia Orchestra, London: single notes",
    "FluidR3_GM": "music composed for it, rendered with the sound set FluidR3_GM (MIT)",
    "MuseScore_General": "music composed for it, rendered with MuseScore_General (MIT)",
    "TimGM6mb": "music composed for it, rendered with TimGM6mb (GPL-2)",
    "freepats": "music composed for it, rendered with freepats (GPL-2, music excepted)",
}
"""What the sources of the pretrained models are, and their licences."""


def card_text(run_dir: Path, fmt: str, file_name: str) -> str:
    """Returns the card of a run folder's quantized model, Markdown.

    Args:
        run_dir: Run folder with the model and its figures.
        fmt: Format of the model.
        file_name: Name of the ``.tflite`` file that the card lies beside.

    Raises:
        UserError: The model or its figures are missing or damaged.
    """
    metrics = read_json(run_dir / "metrics.json")
    quantization = read_json(run_dir / "quantization.json")
    model = read_step_model(run_dir / decoder_name(fmt))
    method = quantization["shipped"][fmt]
    found = quantization["methods"][fmt][method]
    sources = metrics["mss"]["test"]["sources"]
    return fill_template(
        "site/model_card.md",
        card=model_card(run_dir, fmt=fmt),
        sources="\n".join(f"- `{name}`: {_source(name)}" for name in sources),
        method=method,
        level_error=found["level_error_db"],
        mss_to_float=found["mss_to_float"],
        file=file_name,
        n_bytes=markdown.thousands(len(model.data)),
        hop=HOP_SAMPLES,
        bits=model.bits,
        frame=model.frame,
        logits=model.logits,
        lowest=model.pitch.lowest_note,
        n_semitones=model.pitch.n_semitones,
        level=CALIBRATED_LEVEL_DB,
        max_level=MAX_LEVEL,
        n_prime=load_run(run_dir).tcn.receptive_field - 1,
        f0_hz=DEFAULT_F0_HZ,
        loudness_db=MIN_LOUDNESS_DB,
        inputs=_positions("input", model.inputs),
        outputs=_positions("output", model.outputs),
        rings=_rings(model),
    )


def _source(name: str) -> str:
    return SOURCES.get(name.split("/")[0], "recordings of one's own")


def _positions(what: str, tensors: dict[str, int]) -> str:
    rows = [
        [f"`{name}`", str(at)] for name, at in sorted(tensors.items(), key=lambda pair: pair[1])
    ]
    return markdown.table([what, "position"], rows, n_numeric=1)


def _rings(model: StepModel) -> str:
    """Returns the table of the past inputs that the caller keeps, a row per convolution."""
    specs = [layer.spec for layer in model.convolutions if layer.spec.has_taps]
    rows = [
        [
            f"`{spec.taps_input}`",
            f"`{spec.new_tap_output}`" if spec.new_tap_output else "the frame",
            *map(str, (spec.in_channels, spec.n_past, spec.dilation)),
        ]
        for spec in specs
    ]
    head = ["taps", "new tap", "channels", "past inputs", "dilation in frames"]
    return markdown.table(head, rows, n_numeric=3)
