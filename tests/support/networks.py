"""The weights of networks as arrays, without the run folder from which the pipeline reads them."""

import keras
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def tcn_weights(model: keras.Model) -> dict[str, tuple[Floats, Floats]]:
    """Returns each convolution's kernel, shape [taps, in, out], and bias, shape [out], by name."""
    weights = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv1D):
            kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
            weights[layer.name] = kernel, bias
    return weights
