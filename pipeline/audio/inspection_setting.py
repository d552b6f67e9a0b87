"""Says which search range and which shipped instrument suit recordings."""

from pipeline.audio.inspection import Inspection
from pipeline.audio.instrument_entries import choose_patch, choose_program
from pipeline.audio.instrument_measurement import Measured
from pipeline.core.instrument_config import DataConfig


def describe_setting(inspection: Inspection, name: str, *, is_instrument: bool) -> str:
    """Returns one sentence about the search range of the pitch tracker.

    Args:
        inspection: The measurements.
        name: Name of the instrument, or words that may name it, such as a folder's name.
        is_instrument: Whether the search range is that of an instrument's file; otherwise it is
            the widest one, and a range and a patch are suggested.
    """
    used = _span(inspection.config)
    if is_instrument:
        used += f", of data/instruments/{name}.toml"
    if inspection.measured is None:
        return used
    suggested = "f0_min_hz = {:g} and f0_max_hz = {:g}".format(*inspection.measured.search_hz)
    if is_instrument:
        return f"{used}; these notes need {suggested}"
    return f"new_instrument writes {suggested}; {_nearest(inspection.measured, name)}"


def _nearest(measured: Measured, name: str) -> str:
    program, _ = choose_program(name, measured.notes)
    patch = choose_patch(program, measured.notes)
    return f"{patch.reason} (patch = {patch.name!r})"


def _span(config: DataConfig) -> str:
    return f"{config.f0_min_hz:g} to {config.f0_max_hz:g} Hz"
