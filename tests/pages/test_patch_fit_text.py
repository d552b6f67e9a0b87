"""The patch that imitates recordings best is named, with its lead."""

from dataclasses import replace

from pipeline.core.patch_files import load_patch
from pipeline.model.patch_fit import Fit
from pipeline.pages.patch_fit_text import fit_lines

FITS = [
    Fit(load_patch("violin"), (2.0, 3.0), mss=4.5),
    Fit(load_patch("flute"), (1.0, 2.0), mss=4.75),
    Fit(load_patch("piano"), (6.0, 6.5)),
]


def test_best_patch_leads_by_its_distance_after_a_training() -> None:
    lines = fit_lines(FITS)
    assert lines[1].startswith(" 2.50  4.50  violin: ")
    assert lines[3].startswith(" 6.25        piano: ")
    assert lines[-1] == "violin fits best: its distance is 4.50, 0.25 less than that of flute"
    assert fit_lines([FITS[0], FITS[2]])[-1] == "violin fits best: its distance is 4.50"


def test_best_patch_leads_by_its_error_without_a_training() -> None:
    errors = [replace(fit, mss=None) for fit in (FITS[1], FITS[0])]
    lead = "it errs by 1.50 dB, 1.00 dB less than violin"
    assert fit_lines(errors)[-1] == f"flute fits best: {lead}"
    assert fit_lines(errors[:1])[-1] == "flute fits best: it errs by 1.50 dB"
