"""Draws how well patches imitate recordings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.core.files import atomic_write
from pipeline.model.patch_fit import Fit

MAX_BARS = 20


def write_chart(fits: Sequence[Fit], path: Path) -> None:
    """Writes a picture of the errors of static fits and, if there are any, of the distances.

    Args:
        fits: The patches, the best first; at most `MAX_BARS` are drawn.
        path: The file, whose suffix chooses the format.
    """
    import matplotlib.pyplot as plt  # importing it takes a second

    shown = list(fits[:MAX_BARS])[::-1]
    has_mss = any(fit.mss is not None for fit in shown)
    figure, axes = plt.subplots(
        1, 1 + has_mss, figsize=(8, 1.2 + 0.3 * len(shown)), sharey=True, squeeze=False
    )
    names = [fit.patch.name for fit in shown]
    quartiles = np.array([np.percentile(fit.errors_db, [25, 75]) for fit in shown])
    means = np.array([fit.error_db for fit in shown])
    bars = axes[0, 0]
    bars.barh(names, means, color="#3b6ea5")
    bars.hlines(range(len(shown)), quartiles[:, 0], quartiles[:, 1], color="#1c1e21")
    bars.set_xlabel("static fit: error of the partials in dB (line: half of the frames)")
    if has_mss:
        trained = [fit for fit in shown if fit.mss is not None]
        dots = axes[0, 1]
        dots.plot([f.mss for f in trained], [f.patch.name for f in trained], "o", color="#a5523b")
        dots.set_xlabel("short training: MSS, dry")
    for axis in axes[0]:
        axis.grid(axis="x", color="#dfe0dc")
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
