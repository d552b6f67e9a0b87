"""The range of notes that a quantized network's input spans."""

import numpy as np
import pytest
from support.networks import tcn_weights
from tensorflow.lite.tools import flatbuffer_utils

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, load_instrument
from pipeline.core.patch_files import load_patch
from pipeline.model.inputs import prepend_context, scale_features
from pipeline.model.noise import UNTRAINED
from pipeline.model.tcn import build_tcn
from pipeline.quantization.float_network import tcn_activations
from pipeline.quantization.pitch_range import FLOAT_RANGE, PitchRange
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.tflite_writer import random_step_model
from pipeline.quantization.weights import fold_pitch_range
from pipeline.reference.device import simulate

SMALL = TcnConfig(n_blocks=2, hidden_channels=6)
OCTAVE = PitchRange(57, 69)  # 220 to 440 Hz


@pytest.fixture(scope="module")
def model():
    return random_step_model(SMALL, 4, "int8", OCTAVE)


def test_range_is_that_of_the_pitch_tracker_in_whole_notes():
    assert PitchRange.tracked(load_instrument("flute").data) == PitchRange(57, 98)
    assert PitchRange.tracked(load_instrument("piano").data) == PitchRange(34, 98)


def test_network_folded_into_a_range_has_the_same_logits():
    weights = tcn_weights(build_tcn(SMALL, seed=1))
    f0_hz = np.geomspace(221, 439, 100)
    features = prepend_context(scale_features(f0_hz, np.linspace(-80, 0, 100)), SMALL)
    folded = fold_pitch_range(weights, SMALL, OCTAVE)
    logits = tcn_activations(weights, SMALL, features)["logits"]
    found = tcn_activations(folded, SMALL, OCTAVE.narrow(features))["logits"]
    # Before the context has filled the network, rings hold zeros, which mean different notes.
    settled = SMALL.receptive_field - 1
    np.testing.assert_allclose(found[settled:], logits[settled:], atol=1e-5)


def test_an_octave_fills_the_steps_of_int8(model):
    decoder = StreamingDecoder(model)
    frames = scale_features(np.geomspace(220, 440, 13), np.full(13, -40.0))
    steps = np.diff(decoder.quantize_frames(frames)[:, 0].astype(int))
    np.testing.assert_allclose(steps, 255 / 12, atol=1)


def test_note_above_the_range_has_the_levels_of_the_highest_and_its_own_pitch(model):
    frames = np.array([[440.0, -20.0]] * 50 + [[2000.0, -20.0]] * 250, np.float32)
    played = simulate(model, load_patch("flute"), UNTRAINED, frames)
    np.testing.assert_array_equal(played.levels_q32[50:], played.levels_q32[[49]].repeat(250, 0))
    spectrum = np.abs(np.fft.rfft(played.pcm[-8000:] * np.hanning(8000)))  # 2 Hz per bin
    loudest_hz = 2.0 * np.argmax(spectrum)
    assert loudest_hz % 2000 == pytest.approx(0, abs=2)


def test_range_is_stored_in_the_model(model, tmp_path):
    path = tmp_path / "decoder.tflite"
    path.write_bytes(model)
    assert StreamingDecoder(model).pitch == read_step_model(path).pitch == OCTAVE
    assert StreamingDecoder(random_step_model(SMALL, 4, "int8")).pitch == FLOAT_RANGE


@pytest.mark.parametrize("notes", [[], [60], [69, 57], [57, 69, 70], [57, 200]])
def test_damaged_range_is_refused(model, notes):
    damaged = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    (entry,) = (entry for entry in damaged.metadata if entry.name == b"pitch_range")
    damaged.buffers[entry.buffer].data = np.array(notes, np.uint8)
    data = bytes(flatbuffer_utils.convert_object_to_bytearray(damaged))
    with pytest.raises(UserError, match="damaged range of pitch"):
        StreamingDecoder(data)
