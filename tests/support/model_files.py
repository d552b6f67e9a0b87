"""Reads the files of models as NumPy arrays, whose values tests can change."""

import numpy as np

from pipeline.emit.model_file import ALIGNMENT, HEADER, sealed

CHANNELS = np.dtype([("bias", "<i4", 4), ("scale", "<i4", (4, 2))])
CURVES = np.dtype(
    [("envelope", "<i2", 18), ("release", "<i2", 11), ("slope", "<i2"), ("release_slope", "<i2")]
)
N_OUTPUTS = 6  # of the decoder


class ModelFile:
    """A model's file.

    Attributes:
        header: The header, a `HEADER` array of one.
        parts: All other parts by name, in their order. The parts of layer 2 are ``channels2``,
            ``weights2`` and, if it is a residual, ``add2``.
    """

    def __init__(self, content: bytes) -> None:
        self._content = bytearray(content)
        self._place = 0
        self.parts: dict[str, np.ndarray] = {}
        self.header = self._take("header", HEADER, (1,))
        self._take_layers(*(int(self.header[name][0]) for name in ("n_channels", "n_blocks")))
        self._take("levels", "<i4", (257,))
        self._take("silence", "<i2", (self._n_silence,))
        self._take("noise", "<i2", (1152, 2))
        self._take("curves", CURVES, (int(self.header["n_curves"][0]),))
        assert self._place == len(content)

    def _take_layers(self, n_channels: int, n_blocks: int) -> None:
        n_taps = int(self.header["n_taps"][0])
        widths = [2, *[n_channels] * (2 * n_blocks - 1), N_OUTPUTS]
        shapes = [(n_taps, widths[i], widths[i + 1]) for i in range(2 * n_blocks)]
        self._n_silence = sum(n_in + n_in % 2 for _, n_in, _ in shapes)
        shapes.insert(2, (1, 2, n_channels))
        shapes.append((1, n_channels, N_OUTPUTS))
        for i, (taps, n_in, n_out) in enumerate(shapes):
            n_inputs, n_outputs = (-(-n // 8) * 8 for n in (taps * (n_in + n_in % 2), n_out))
            self._take(f"channels{i}", CHANNELS, (n_outputs // 4,))
            self._take(f"weights{i}", "<u4", (n_inputs * n_outputs // 4,))
            if i in (2, len(shapes) - 1):
                self._take(
                    f"add{i}", "<i4", (3, 3)
                )  # [first, second, sum], [zero, multiplier, shift]

    def _take(self, name: str, dtype: np.dtype | str, shape: tuple[int, ...]) -> np.ndarray:
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        part = np.frombuffer(self._content, kind, count, self._place).reshape(shape)
        self._place += -(-part.nbytes // ALIGNMENT) * ALIGNMENT
        self.parts[name] = part
        return part

    def sealed(self) -> bytes:
        """Returns the file with the checksum of its present values."""
        return sealed(bytes(self._content))
