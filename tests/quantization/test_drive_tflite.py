"""The README's example that runs a .tflite without the code of this repository."""

import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.constants import DEFAULT_F0_HZ, FRAME_RATE, MIN_LOUDNESS_DB
from pipeline.core.paths import MODEL_DIR, REPOSITORY
from pipeline.model.inputs import scale_features
from pipeline.quantization.step_model import import_tensorflow
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.tflite_writer import convert_run

MODEL = MODEL_DIR / "flute" / "reduced_cd" / "decoder_int8.tflite"
TIME_S = np.arange(4 * FRAME_RATE) / FRAME_RATE
F0_HZ = np.geomspace(262, 2093, len(TIME_S))
LOUDNESS_DB = -45 + 35 * np.abs(np.sin(1.4 * np.pi * TIME_S))


@pytest.fixture
def section() -> str:
    """The README's section "Drive the `.tflite` yourself"."""
    text = (REPOSITORY / "README.md").read_text()
    return re.search(r"^## Drive the `\.tflite` yourself\n(.*?)^## ", text, re.M | re.S)[1]


@pytest.fixture
def example(section, monkeypatch) -> dict[str, Any]:
    """The names that the section's code defines, primed with silence."""
    monkeypatch.chdir(REPOSITORY)
    names: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", section, re.S)[1], names)
    assert names["levels"].shape == (6,) and (names["levels"] > 0).all()
    for _ in range(28):  # primes again, after the frame that computed levels
        names["decode"](DEFAULT_F0_HZ, MIN_LOUDNESS_DB)
    return names


def decode(example: dict[str, Any]) -> np.ndarray:
    """Decodes the frames with the example's function."""
    return np.stack([example["decode"](*frame) for frame in zip(F0_HZ, LOUDNESS_DB, strict=True)])


def test_example_equals_the_streaming_decoder(example):
    decoder = StreamingDecoder(MODEL)
    silence, frames = (
        decoder.quantize_frames(scale_features(*features))
        for features in ((DEFAULT_F0_HZ, MIN_LOUDNESS_DB), (F0_HZ, LOUDNESS_DB))
    )
    decoder.prime(silence)
    np.testing.assert_array_equal(decode(example), decoder.run(frames))


def test_stated_scales_and_zero_points_are_those_of_the_model(section):
    model = read_step_model(MODEL)
    assert model.frame.scale == pytest.approx(1 / 255) and model.frame.zero_point == -128
    assert f"{model.logits.scale:.6f} * (decode(" in section
    assert f".astype(int) - {model.logits.zero_point})" in section


@pytest.mark.parametrize("path", sorted(MODEL_DIR.glob("*/reduced*/*.tflite")), ids=str)
def test_stated_positions_are_those_of_every_committed_reduced_model(path, example, section):
    model = read_step_model(path)
    assert (model.inputs["frame"], model.outputs["logits"]) == (5, 1)
    rings, rows = {}, []
    for layer in model.convolutions:
        spec, taps = layer.spec, model.inputs[layer.spec.taps_input]
        new_tap = model.outputs[spec.new_tap_output] if spec.new_tap_output else None
        rings[taps] = new_tap, spec.in_channels, spec.dilation
        n_slots = spec.n_past * spec.dilation
        rows.append((f"`{spec.name}`", taps, new_tap, spec.in_channels, spec.dilation, n_slots))
    assert rings == example["RINGS"]
    cells = [
        line.split("|")[1:-1] for line in section.splitlines() if "_conv" in line and "|" in line
    ]
    found = [tuple(cell.split()[0].rstrip(":") for cell in row) for row in cells]
    assert found == [tuple(str(cell).lower() for cell in row) for row in rows]


class DesktopInterpreter:
    """TensorFlow Lite's interpreter with the methods of the tflite-micro package."""

    def __init__(self, model: Path, **options: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated in favour of a successor
            self.lite = import_tensorflow().lite.Interpreter(str(model), **options)
        self.lite.allocate_tensors()

    def set_input(self, values: np.ndarray, position: int) -> None:
        tensor = self.lite.get_input_details()[position]
        self.lite.set_tensor(tensor["index"], values.reshape(tensor["shape"]))

    def invoke(self) -> None:
        self.lite.invoke()

    def get_output(self, position: int) -> np.ndarray:
        return self.lite.get_tensor(self.lite.get_output_details()[position]["index"])


def test_kernels_of_tensorflow_lite_differ_from_tflite_micro_in_many_frames(example, tmp_path):
    for path in (MODEL.parent / "config.toml", *MODEL.parent.glob("decoder_*.npz")):
        shutil.copy(path, tmp_path)
    model = convert_run(tmp_path)["int8"]
    primed = {taps: list(past) for taps, past in example["past"].items()}
    resolver = import_tensorflow().lite.experimental.OpResolverType.BUILTIN_REF
    expected = decode(example).astype(int)
    for options in ({"experimental_op_resolver_type": resolver}, {}):  # reference, desktop
        example["past"].update({taps: list(past) for taps, past in primed.items()})
        example["model"] = DesktopInterpreter(model, **options)
        errors = np.abs(decode(example) - expected).max(axis=1)
        assert 1 <= errors.max() <= 4
        assert 0.1 < np.mean(errors > 0) < 0.7
