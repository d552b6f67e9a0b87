"""Prints which FM patch imitates recordings best, and by how much."""

from collections.abc import Sequence

from pipeline.model.patch_fit import Fit
from pipeline.pages.patch_text import summary_line


def fit_lines(fits: Sequence[Fit]) -> list[str]:
    """Returns a table of patches and a line about the best one.

    Args:
        fits: The patches, the best first, at least one.
    """
    lines = ["error of the partials in dB, distance after a short training, patch"]
    for fit in fits:
        distance = "     " if fit.mss is None else f"{fit.mss:5.2f}"
        lines.append(f"{fit.error_db:5.2f} {distance}  {summary_line(fit.patch)}")
    return [*lines, _verdict(fits)]


def _verdict(fits: Sequence[Fit]) -> str:
    best = fits[0]
    if best.mss is None:
        text = f"{best.patch.name} fits best: it errs by {best.error_db:.2f} dB"
    else:
        text = f"{best.patch.name} fits best: its distance is {best.mss:.2f}"
    for second in fits[1:2]:
        if best.mss is None:
            text += f", {second.error_db - best.error_db:.2f} dB less than {second.patch.name}"
        elif second.mss is not None:
            text += f", {second.mss - best.mss:.2f} less than that of {second.patch.name}"
    return text
