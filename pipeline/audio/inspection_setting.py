"""Says which search range and which shipped instrument suit recordings."""

from pipeline.audio.inspection import Inspection
from pipeline.audio.instrument_entries import PatchChoice
from pipeline.core.instrument_config import DataConfig


def describe_setting(
    inspection: Inspection, instrument: str | None, patch: PatchChoice | None
) -> str:
    """Returns one sentence about the search range of the pitch tracker.

    Args:
        inspection: The measurements.
        instrument: Name of the instrument whose search range was used; None for the widest range,
            so that a range and a patch are suggested.
        patch: The patch to suggest; None if an instrument is given or no note has a clear pitch.
    """
    used = _span(inspection.config)
    if instrument:
        used += f", of data/instruments/{instrument}.toml"
    if inspection.measured is None:
        return used
    suggested = "f0_min_hz = {:g} and f0_max_hz = {:g}".format(*inspection.measured.search_hz)
    if patch is None:
        return f"{used}; these notes need {suggested}"
    return f"new_instrument writes {suggested} and patch = {patch.name!r}: {patch.reason}"


def _span(config: DataConfig) -> str:
    return f"{config.f0_min_hz:g} to {config.f0_max_hz:g} Hz"
