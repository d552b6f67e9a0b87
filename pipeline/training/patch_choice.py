"""Chooses the FM patch of a new instrument by static fits to its recordings."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.audio.analysis import Analysis
from pipeline.audio.instrument_entries import PatchChoice, choose_patch, choose_program
from pipeline.audio.instrument_measurement import Measured
from pipeline.core.instrument_config import DataConfig, InstrumentConfig
from pipeline.core.patch import Patch
from pipeline.core.patch_files import load_patch
from pipeline.model.patch_fit import (
    Fit,
    distinct_patches,
    find_places,
    fit_patches,
    harmonic_patches,
    sample_partials,
)
from pipeline.training.initial_run import nearest_pretrained

N_FRAMES = 50  # with 7 patches, 7 s on one core
MIN_PLACES = 250  # one second; less may be a single note
# Fits with the same patch to recordings of one instrument from two sources differ by up to 1.1 dB.
SIMILAR_DB = 1.0
# On saxophone samples, a patch that fits 4.2 dB better lowered the distance by 0.65 after 300 steps
# from a shipped model. Such a start itself lowers it by about 1, as much as 6 dB would; half of
# that counts, because a long training depends less on its start.
MUCH_BETTER_DB = 3.0


def choose_fitting_patch(
    name: str, measured: Measured, analyses: Sequence[Analysis]
) -> PatchChoice:
    """Chooses the patch of ``data/patches`` with which a new instrument sounds best.

    The patch with the best fit is chosen among those from whose shipped model training can start;
    if that of the nearest shipped instrument is at most `SIMILAR_DB` worse, it is chosen. A patch
    without a shipped model must be better by more than `MUCH_BETTER_DB`. If the recordings are too
    few to fit, the patch is that of the nearest shipped instrument.

    Args:
        name: Name of the instrument, or words that may name it.
        measured: What its recordings show.
        analyses: The recordings.

    Raises:
        UserError: No shipped instrument has a patch of ``data/patches``, or one of these is not
            valid.
    """
    program, _ = choose_program(name, measured.notes)
    nearest = choose_patch(program, measured.notes)
    config = InstrumentConfig(name, nearest.name, DataConfig(*measured.search_hz))
    places = find_places(analyses, config.data)
    if len(places) < MIN_PLACES:
        return replace(nearest, reason=f"{nearest.reason}; too little sound to compare patches")
    patches = distinct_patches(harmonic_patches())
    fits = fit_patches(patches, sample_partials(analyses, places, N_FRAMES))
    starts = {}
    for fit in fits:
        start = nearest_pretrained(replace(config, patch=fit.patch.name), "reduced")
        if start is not None:
            starts[fit.patch] = start.parent.name
    chosen = _choose(fits, starts, load_patch(nearest.name))
    return PatchChoice(chosen.patch.name, _reason(chosen, fits, starts))


def _choose(fits: Sequence[Fit], starts: dict[Patch, str], nearest: Patch) -> Fit:
    """Chooses a fit.

    Args:
        fits: The best first.
        starts: Shipped instrument that training can start from, by patch.
        nearest: Patch of the nearest shipped instrument.
    """
    trained = [fit for fit in fits if fit.patch in starts]
    if not trained or trained[0].error_db > fits[0].error_db + MUCH_BETTER_DB:
        return fits[0]
    limit_db = trained[0].error_db + SIMILAR_DB
    similar = [fit for fit in trained if fit.patch == nearest and fit.error_db <= limit_db]
    return (similar or trained)[0]


def _reason(chosen: Fit, fits: Sequence[Fit], starts: dict[Patch, str]) -> str:
    """Returns the figures of the choice: its error, and that of the best or of the runner-up."""
    others = [fit for fit in fits if fit is not chosen]
    text = (
        f"static fits to {len(chosen.errors_db)} frames err by {chosen.error_db:.2f} dB with "
        f"{chosen.patch.name}"
    )
    if others:
        rank = "the next one" if chosen is fits[0] else "the best one"
        text += f", by {others[0].error_db:.2f} dB with {rank}, {others[0].patch.name}"
    if chosen.patch in starts:
        text += f"; training can start from the shipped {starts[chosen.patch]}"
    return text
