"""The layers of the TCN, stated once."""

from pipeline.core.instrument_config import TcnConfig


def ring_sources(config: TcnConfig) -> dict[str, str]:
    """Returns, per dilated convolution in order, the name of the value in its ring."""
    sources = {"block0_conv1": "frame", "block0_conv2": "block0_conv1"}
    for block in range(1, config.n_blocks):
        sources[f"block{block}_conv1"] = "block0_sum" if block == 1 else f"block{block - 1}_conv2"
        sources[f"block{block}_conv2"] = f"block{block}_conv1"
    return sources


def kernel_shapes(config: TcnConfig) -> dict[str, tuple[int, int, int]]:
    """Returns the shape [taps, in, out] of every layer's kernel."""
    last = config.n_blocks - 1
    layers = [*ring_sources(config), "block0_residual", f"block{last}_residual"]
    return {
        layer: (
            1 if layer.endswith("residual") else config.kernel_size,
            config.n_inputs
            if layer in ("block0_conv1", "block0_residual")
            else config.hidden_channels,
            config.n_outputs
            if layer in (f"block{last}_conv2", f"block{last}_residual")
            else config.hidden_channels,
        )
        for layer in layers
    }
