"""Step models of a small network, int8 and 16x8."""

import pytest
from support.step_models import SMALL

from pipeline.quantization import tflite_writer


@pytest.fixture(scope="module")
def tflite(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "decoder_int8.tflite"
    path.write_bytes(tflite_writer.random_step_model(SMALL, 1, "int8"))
    return path


@pytest.fixture(scope="module")
def tflite_16x8(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "decoder_int16x8.tflite"
    path.write_bytes(tflite_writer.random_step_model(SMALL, 1, "int16x8"))
    return path
