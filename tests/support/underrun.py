"""What a board plays when a block is late."""

import numpy as np
import numpy.typing as npt


def with_late_block(blocks: npt.ArrayLike, at: int) -> np.ndarray:
    """Returns the blocks played if that at `at` is rendered one block too late.

    The block before it is then played backwards, fading out, and the late one fades in.

    Args:
        blocks: Samples played without an underrun, int16, shape [n_blocks, n].
        at: Number of the late block.
    """
    whole = np.asarray(blocks, int)
    n_samples = whole.shape[1]
    step = 32768 // n_samples
    rising = step * np.arange(n_samples)
    falling = step * (n_samples - np.arange(n_samples))
    end, begin = whole[at - 1, ::-1] * falling >> 15, whole[at] * rising >> 15
    return np.concatenate([whole[:at], [end, begin], whole[at + 1 :]])
