"""Step models of a small network, and copies of them that are changed."""

from tensorflow.lite.tools import flatbuffer_utils

from pipeline.core.instrument_config import TcnConfig

SMALL = TcnConfig(n_blocks=2, hidden_channels=5)


def edited(tflite, folder, edit):
    """Writes a copy of a model that `edit` has changed in place."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite.read_bytes()))
    edit(model)
    path = folder / "edited.tflite"
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    return path
