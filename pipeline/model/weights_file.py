"""The weights file of a run folder, ``model.weights.h5``, read and written without Keras.

Its layout is Keras' own: a group per layer, with the layer's name as an attribute and its weights
as datasets ``0``, ``1``, ... in half precision.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write

NOISE_LAYER, REVERB_LAYER = "breath", "reverb"  # names in every weights file, so never change them
HDF5_FORMAT = ("v110", "v110")  # compact, and readable by every h5py; "latest" is not

Floats = npt.NDArray[np.float32]


def write_weights(path: Path, layers: Mapping[str, Sequence[Floats]]) -> None:
    """Writes a weights file.

    Half precision does not change the third digit of any system's MSS. The file is composed in
    memory, because HDF5 cannot recover from a full disk.

    Args:
        path: Where to write.
        layers: Weights by layer name: the noise, the reverb, and the convolutions in their order.
    """
    convolutions = [name for name in layers if name not in (NOISE_LAYER, REVERB_LAYER)]
    groups = {NOISE_LAYER: f"layers/{NOISE_LAYER}", REVERB_LAYER: f"layers/{REVERB_LAYER}"}
    for i, name in enumerate(convolutions):
        groups[name] = f"layers/functional/layers/conv1d{f'_{i}' if i else ''}"
    content = io.BytesIO()
    with h5py.File(content, "w", libver=HDF5_FORMAT) as file:
        for name, place in groups.items():
            group = file.create_group(f"{place}/vars")
            group.attrs["name"] = name
            for i, weight in enumerate(layers[name]):
                values = np.asarray(weight).astype(np.float16)
                packing = {"compression": "gzip", "shuffle": True} if values.ndim else {}
                group.create_dataset(str(i), data=values, **packing)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getvalue())


def read_weights(path: Path) -> dict[str, list[Floats]]:
    """Reads a weights file.

    Returns:
        Weights by layer name, float32.

    Raises:
        UserError: The file is missing or damaged.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: run python -m pipeline.train first")
    layers: dict[str, list[Floats]] = {}

    def collect(_: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Group) and "name" in node.attrs and "0" in node:
            weights = [node[str(i)][()].astype(np.float32) for i in range(len(node))]
            layers[str(node.attrs["name"])] = weights

    try:
        with h5py.File(path) as stored:
            stored.visititems(collect)
    except Exception as error:  # altered bytes raise almost anything inside HDF5
        raise UserError(
            f"{path} is damaged ({error}): delete it and train the model again"
        ) from None
    return layers
