"""The state of a decoder after silence equals that of the tflite-micro package."""

import numpy as np
import pytest

from pipeline.core.constants import FORMATS
from pipeline.core.instrument_config import TcnConfig
from pipeline.emit.silent_state import frame_scaling, silent_state
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.tflite_writer import random_step_model
from pipeline.reference.frame import silent_frame


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(
    "config", [TcnConfig(2, 1, kernel_size=2), TcnConfig(3, 64), TcnConfig(4, 13, kernel_size=5)]
)
def test_silent_state_is_that_of_tflite_micro_after_long_silence(tmp_path, config, fmt):
    path = tmp_path / "decoder.tflite"
    path.write_bytes(random_step_model(config, 3, fmt))
    model = read_step_model(path)
    decoder = StreamingDecoder(path)
    frame = silent_frame(frame_scaling(model)).astype(decoder.dtype)
    decoder.run(np.tile(frame, (config.receptive_field, 1)))
    state = silent_state(model)
    assert len(state) == len(decoder.trace)
    for vector, pushed in zip(state, decoder.trace.values(), strict=True):
        np.testing.assert_array_equal(vector, pushed[-1])
