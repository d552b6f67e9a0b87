"""Whether a GPU can train, found without loading TensorFlow where there is none."""

import os
from pathlib import Path

DEVICE_DIR = Path("/dev")
DEVICES = ("nvidia[0-9]*", "kfd", "dxg")  # of NVIDIA, of AMD, and of Windows' Linux


def has_gpu() -> bool:
    """Returns whether Keras' backend finds a GPU."""
    if not any(device for pattern in DEVICES for device in DEVICE_DIR.glob(pattern)):
        return False
    if os.environ.get("KERAS_BACKEND") == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
