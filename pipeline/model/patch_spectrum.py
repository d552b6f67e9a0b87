"""The partials of an FM patch at constant levels, as Keras operations.

A frame is one period of the patch, which costs as much as two blocks of audio and no spectrogram.
Training compares these partials with those of recordings before it compares audio.
"""

import numpy as np
from keras import ops

from pipeline.core.constants import MAX_LEVEL
from pipeline.core.patch import Patch
from pipeline.model.static_fit import period_phases
from pipeline.model.synth import Tensor


class PatchSpectrum:
    """Computes the power of partials from operator levels.

    The stretch and the detuning of a patch, which no single period shows, are left out: partial n
    is the one that would lie at n times the pitch without them.
    """

    def __init__(self, patch: Patch, n_partials: int) -> None:
        """Prepares one period.

        Args:
            patch: The patch.
            n_partials: Number of partials to compute, below half of the samples per cycle.
        """
        self._patch = patch
        n_cycles, self._phases = period_phases(patch)
        n_samples = self._phases.shape[1]
        bins = n_cycles * np.arange(1, n_partials + 1)
        angles = 2 * np.pi * np.outer(np.arange(n_samples), bins) / n_samples
        waves = [np.cos(angles), np.sin(angles)]
        self._waves = (np.concatenate(waves, axis=1) * (2 / n_samples)).astype(np.float32)

    def __call__(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the partials, and all that is not a partial.

        Args:
            levels: Operator levels in turns, shape [..., 6].

        Returns:
            The squared amplitude of each partial, 1 for a carrier at full level, shape [...,
            n_partials], and the sum of the squared amplitudes of everything, shape [..., 1].
        """
        outputs: dict[int, Tensor] = {}
        for operator in self._patch.order:
            phase = self._phases[operator]
            for modulator in self._patch.modulators[operator]:
                phase = phase + 2 * np.pi * outputs[modulator]
            outputs[operator] = levels[..., operator : operator + 1] * ops.sin(phase)
        period = sum(outputs[carrier] for carrier in self._patch.carriers) / MAX_LEVEL
        parts = ops.matmul(period, self._waves) ** 2
        n_partials = parts.shape[-1] // 2
        offset = ops.mean(period, axis=-1, keepdims=True)  # nobody hears it
        whole = 2 * ops.mean((period - offset) ** 2, axis=-1, keepdims=True)
        return parts[..., :n_partials] + parts[..., n_partials:], whole
