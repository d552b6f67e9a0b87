"""The learnt impulse response has the same bits with and without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.core.instrument_config import TcnConfig, TrainConfig, shipped_instruments
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import RunConfig
from pipeline.model.ddx7 import Ddx7, load_model, save_model
from pipeline.model.reverb import learnt_response


@pytest.mark.parametrize("instrument", shipped_instruments())
def test_response_equals_the_keras_layers_bit_for_bit(instrument: str) -> None:
    run_dir = MODEL_DIR / instrument / "reduced_cd"
    expected = keras.ops.convert_to_numpy(load_model(run_dir).reverb.impulse_response())
    np.testing.assert_array_equal(learnt_response(run_dir), expected)


@pytest.mark.parametrize(("decay", "wet"), [(0.0, 0.0), (5.0, -5.0), (-20.0, 10.0), (12.0, -12.0)])
def test_response_equals_the_layer_for_any_weights(
    tmp_path: Path, decay: float, wet: float
) -> None:
    model = Ddx7(RunConfig("flute", "flute", "reduced", TcnConfig(2, 4), TrainConfig()))
    noise = model.reverb.get_weights()[0]
    model.reverb.set_weights([noise, np.float32(decay), np.float32(wet)])
    save_model(model, tmp_path)
    time = np.arange(16_000) / 16_000
    envelope = np.exp(-500 * np.logaddexp(0, -decay) * time)
    expected = noise.astype(np.float16) * envelope / (1 + np.exp(-wet))
    expected[0] = 1
    np.testing.assert_allclose(learnt_response(tmp_path), expected, rtol=1e-4, atol=1e-37)


def test_device_modules_import_neither_tensorflow_nor_librosa() -> None:
    subjects = ("expression", "inputs", "noise", "patches", "reverb", "topology", "upsampler")
    modules = ", ".join(f"pipeline.model.{name}" for name in subjects)
    code = f"import sys, {modules}, pipeline.audio.features; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "librosa"} & set(done.stdout.split())
