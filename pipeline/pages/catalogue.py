"""Takes and systems of the listening page and the listening test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.core.constants import FORMATS
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.instrument_names import instrument_label
from pipeline.evaluation.systems import LPC, LPC_NOISE, REFERENCE, System, requested_systems
from pipeline.pages import html

Source = Literal["recorded", "rendered", "composed"]
KEYS = "123456789ABCDEFGHIJKMNOPQRSTUVWXYZ"  # keys of the systems, in order; L toggles the loop


@dataclass(frozen=True)
class Take:
    """A recording or a composed phrase, played by every system.

    Attributes:
        id: Short name for files and scripts.
        title: Name for readers.
        sounds: WAV file by system, the reference first; all have the same length.
        figures: Figures of `pipeline.evaluate` by system.
    """

    id: str
    title: str
    sounds: Mapping[System, Path]
    figures: Mapping[System, Mapping[str, float | None]]


@dataclass(frozen=True)
class InstrumentSection:
    """The part of the pages about one instrument.

    Attributes:
        config: Configuration of the instrument.
        source: Whether the takes are recordings, the user's rendered audio, or phrases composed for
            the page.
        takes: Takes to choose from.
        systems: Entries of ``metrics.json`` by system.
        models: Folders of its models (see `pipeline.evaluation.model_files.model_sources`).
        missing: Reason by missing system.
    """

    config: InstrumentConfig
    source: Source
    takes: Sequence[Take]
    systems: Mapping[System, Mapping[str, Any]]
    models: str
    missing: Mapping[System, str]

    @property
    def name(self) -> str:
        """Name of the instrument for readers, within a sentence."""
        return self.config.instrument.replace("_", " ")

    @property
    def label(self) -> str:
        """Name of the instrument for readers, with a capital."""
        return instrument_label(self.config.instrument)


def page_systems(variants: Sequence[str], mcu: Sequence[str]) -> list[System]:
    """Returns all systems on the page in their order.

    These are the reference, the anchors, the float models, and the firmware with every format and
    with the learnt reverb.

    Args:
        variants: Variants whose float models play.
        mcu: Variants that the firmware plays.
    """
    models = requested_systems(variants, mcu, formats=FORMATS, reverb=True)
    return [REFERENCE, LPC, LPC_NOISE, *sorted(models, key=lambda system: system.is_firmware)]


def catalogue_json(instruments: Sequence[InstrumentSection], systems: Sequence[System]) -> str:
    """Describes the takes for the page's scripts, as JSON that can be embedded in HTML."""
    entries = [
        {
            "id": take.id,
            "instrument": instrument.label,
            "title": take.title,
            "systems": [
                {"system": system.name, "label": system.label, "key": key}
                for key, system in zip(KEYS, systems, strict=False)
                if system in take.sounds
            ],
        }
        for instrument in instruments
        for take in instrument.takes
    ]
    return html.embedded_json(entries)
