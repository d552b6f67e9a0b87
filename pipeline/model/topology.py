"""The layers of the TCN, from which everything that handles the network is derived.

The network is a chain of blocks. A block is two causal convolutions of the same dilation, which
doubles from block to block. The first and the last block change the number of channels, so there a
1x1 convolution of the block's input, the residual, is added to the output of the second. The code
that builds, converts, quantizes, reads or compiles the network walks the layers of `topology`.

A *value* is an array of one vector per frame. The output of a layer, after its ReLU if it has one,
is a value with the layer's name. Three values are not the output of a layer: ``frame``, the input;
``block0_sum``, the sum at the end of the first block; and ``logits``, the sum at the end of the
last. These names are stored in model files, so they must not change.
"""

from dataclasses import dataclass
from typing import Literal

from pipeline.core.instrument_config import TcnConfig

FRAME = "frame"
LOGITS = "logits"


@dataclass(frozen=True)
class Sum:
    """The addition of a convolution's output and the output of the residual that follows it.

    Attributes:
        name: Name of the sum, which is a value.
        addend: The convolution, by name.
    """

    name: str
    addend: str


@dataclass(frozen=True)
class LayerSpec:
    """A layer of the network.

    Attributes:
        name: Name of the layer and of its output.
        kind: ``conv``, or ``residual`` for a 1x1 convolution whose output is added to another.
        block: Number of its block, from 0.
        taps: Number of frames that an output depends on.
        dilation: Distance between taps in frames.
        in_channels: Size of an input vector.
        out_channels: Size of an output vector.
        relu: Whether a ReLU follows.
        source: Name of the value that the layer reads.
        sum: For a residual, the addition that follows it.
    """

    name: str
    kind: Literal["conv", "residual"]
    block: int
    taps: int
    dilation: int
    in_channels: int
    out_channels: int
    relu: bool
    source: str
    sum: Sum | None = None

    @property
    def kernel_shape(self) -> tuple[int, int, int]:
        """Shape of the kernel, [taps, in, out]."""
        return self.taps, self.in_channels, self.out_channels

    @property
    def has_ring(self) -> bool:
        """Whether the aot engine keeps inputs of the layer in a ring buffer.

        Without taps it holds the current input alone, which a residual may read later.
        """
        return self.kind == "conv"

    @property
    def has_taps(self) -> bool:
        """Whether the layer reads past inputs, which the step model is given."""
        return self.taps > 1

    @property
    def n_past(self) -> int:
        """Number of past inputs that an output depends on."""
        return self.taps - 1

    @property
    def taps_input(self) -> str:
        """Name of the step model's input for the layer's past inputs."""
        return f"{self.name}_taps"

    @property
    def new_tap_output(self) -> str | None:
        """Name of the step model's output for the layer's current input; None for the frame."""
        return f"{self.name}_new_tap" if self.has_taps and self.source != FRAME else None

    @property
    def has_folded_bias(self) -> bool:
        """Whether quantization moves the bias into the layer that the output is added to."""
        return self.sum is not None and self.sum.name == LOGITS


def topology(config: TcnConfig) -> tuple[LayerSpec, ...]:
    """Returns the layers of a network in the order in which they run."""
    layers: list[LayerSpec] = []
    last = config.n_blocks - 1
    source, channels = FRAME, config.n_inputs
    for block in range(config.n_blocks):
        block_source, block_channels = source, channels
        for name, out_channels, relu in (
            (f"block{block}_conv1", config.hidden_channels, True),
            (
                f"block{block}_conv2",
                config.n_outputs if block == last else config.hidden_channels,
                block != last,
            ),
        ):
            layers.append(
                LayerSpec(
                    name=name,
                    kind="conv",
                    block=block,
                    taps=config.kernel_size,
                    dilation=2**block,
                    in_channels=channels,
                    out_channels=out_channels,
                    relu=relu,
                    source=source,
                )
            )
            source, channels = name, out_channels
        if block in (0, last):
            addition = Sum(LOGITS if block == last else f"block{block}_sum", addend=source)
            layers.append(
                LayerSpec(
                    name=f"block{block}_residual",
                    kind="residual",
                    block=block,
                    taps=1,
                    dilation=1,
                    in_channels=block_channels,
                    out_channels=channels,
                    relu=False,
                    source=block_source,
                    sum=addition,
                )
            )
            source = addition.name
    return tuple(layers)


def kernel_shapes(config: TcnConfig) -> dict[str, tuple[int, int, int]]:
    """Returns every kernel's shape [taps, in, out] by layer, in the order of the weight archives.

    The archives hold the convolutions first and then the residuals.
    """
    layers = sorted(topology(config), key=lambda layer: not layer.has_ring)
    return {layer.name: layer.kernel_shape for layer in layers}
