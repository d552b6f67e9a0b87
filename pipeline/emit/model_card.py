"""Describes a model for those who get it without this repository: its model card, Markdown.

After Mitchell et al., *Model Cards for Model Reporting* (FAT* 2019): what the model is, what it was
trained on, how it was judged, what it is for, and its limits.
"""

import hashlib
from pathlib import Path

from pipeline.core import markdown
from pipeline.core.constants import VARIANT_LABELS
from pipeline.core.files import read_json
from pipeline.core.instrument_names import instrument_label
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import RunConfig, decoder_name, load_run
from pipeline.model.patches import find_patch
from pipeline.quantization.tflite_reader import StepModel, read_step_model

_TRAINING = {
    "full": "trained on recordings",
    "reduced": "trained on recordings",
    "reduced_ad": "trained on recordings, then distilled by the teacher's audio",
    "reduced_cd": "trained on recordings, then distilled by the teacher's operator levels",
    "tiny": "distilled by the operator levels of a larger model",
}


def model_card(run_dir: Path, *, fmt: str = "int8") -> str:
    """Returns the model card of a run folder's quantized model.

    Args:
        run_dir: Run folder with a quantized model.
        fmt: Format of the model.

    Raises:
        UserError: The run folder or its model is missing or damaged.
    """
    config = load_run(run_dir)
    model = read_step_model(run_dir / decoder_name(fmt))
    variant = VARIANT_LABELS.get(config.variant, config.variant)
    title = f"{instrument_label(config.instrument)}, {variant}"
    sections = {
        "What it is": _description(config, model, fmt),
        "Training and test": _evaluation(run_dir),
        "Limits": _LIMITS.format(lowest=model.pitch.lowest_note, highest=model.pitch.highest_note),
        "Licence": _PRETRAINED if run_dir.resolve().is_relative_to(MODEL_DIR) else _OWN,
    }
    body = "\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# {title}\n\n{body}"


_LIMITS = """\
- It imitates the players, rooms and microphones of its sources, and plays one note per voice.
- Its pitch input spans notes {lowest} to {highest} (MIDI). Notes outside sound at their pitch,
  with the colour of the nearest note inside.
- Its sound ends at 8 kHz.
- Distances are measured on recordings, not judged by listeners.
"""
_PRETRAINED = "Apache-2.0. The recordings that it was trained on are not part of it.\n"
_OWN = "The code around it is Apache-2.0. Whoever trained the model decides on its licence.\n"


def _description(config: RunConfig, model: StepModel, fmt: str) -> str:
    patch, tcn = find_patch(config), config.tcn
    width = f"{tcn.n_blocks} blocks of {tcn.hidden_channels} channels, {tcn.kernel_size} taps"
    n_parameters = sum(layer.weights.size + layer.bias.size for layer in model.layers)
    rows = [
        ("input", "pitch and A-weighted loudness, 250 frames per second"),
        ("output", "levels of six FM operators, from which the firmware derives the noise; 16 kHz"),
        ("FM patch", f"{patch.name}: {patch.routing}; ratios {', '.join(map(str, patch.ratios))}"),
        ("network", f"causal TCN, {width}; {_TRAINING.get(config.variant, 'trained')}"),
        ("size", f"{markdown.thousands(n_parameters)} parameters"),
        ("cost", f"{markdown.thousands(model.n_mac)} multiply-accumulates per frame"),
        ("format", f"{fmt}, TensorFlow Lite Micro"),
        ("SHA-256 of the model", f"`{hashlib.sha256(model.data).hexdigest()}`"),
    ]
    return markdown.table(["", ""], rows)


def _evaluation(run_dir: Path) -> str:
    path = run_dir / "metrics.json"
    metrics = read_json(path) if path.is_file() else {}
    sources: dict[str, dict[str, float]] = metrics.get("mss", {}).get("test", {}).get("sources", {})
    if not sources:
        return "No figures were recorded.\n"
    rows = [
        (name, *(f"{found[key]:.2f}" for key in ("sound", "dry", "dry_loudness_db")))
        for name, found in sources.items()
        if {"sound", "dry", "dry_loudness_db"} <= found.keys()
    ]
    head = ["source", "sound distance", "MSS", "loudness error (dB)"]
    return (
        "Trained on parts of these sources. The figures are those of the float model, dry, on\n"
        "recordings of the same sources that training has not used; smaller is better.\n\n"
        + markdown.table(head, rows, n_numeric=3)
    )
