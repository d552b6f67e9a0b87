"""The systems that are evaluated: recording, anchors, float models, and firmware."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.constants import FORMATS, VARIANT_LABELS, VARIANTS

FORMAT_LABELS = {"int8": "int8", "int16x8": "16x8"}
# Name, label and description of the systems without a model, by format.
MODELLESS = {
    "recording": ("reference", "Reference", "recording"),
    "lpc": ("lpc", "Anchor (LPC)", "linear prediction of the recording"),
    "lpc_noise": (
        "lpc_noise",
        "Anchor (LPC + noise)",
        "linear prediction of the recording, with noise",
    ),
}


@dataclass(frozen=True)
class System:
    """A way to play a recording.

    Attributes:
        variant: Variant of the model that plays; None for the recording and the anchors.
        format: ``float`` for a float model, one of `FORMATS` for a quantized model in the firmware;
            one of `MODELLESS` where there is no model.
        reverb: Whether the learnt reverb is played.
        live: Whether the features are those that the firmware would measure in live sound.
    """

    variant: str | None
    format: str
    reverb: bool = False
    live: bool = False

    @classmethod
    def from_name(cls, name: str) -> "System":
        """Returns the system with a name, which is that in file names and ``metrics.json``.

        Raises:
            KeyError: There is no such system.
        """
        return _BY_NAME[name]

    @property
    def name(self) -> str:
        """Name in file names and in ``metrics.json``."""
        if self.variant is None:
            return MODELLESS[self.format][0]
        if self.is_firmware:
            player = "_mcu16" if self.format == "int16x8" else "_mcu"
            return self.variant + player + ("_reverb" if self.reverb else "")
        return self.variant + ("_live" if self.live else "")

    @property
    def label(self) -> str:
        """Name for readers, such as "Reduced + CD, int8"."""
        if self.variant is None:
            return MODELLESS[self.format][1]
        words = [VARIANT_LABELS[self.variant]]
        if self.is_firmware:
            words.append(FORMAT_LABELS[self.format] + (" with reverb" if self.reverb else ""))
        return ", ".join([*words, *(["live features"] if self.live else [])])

    @property
    def domain(self) -> str:
        """Description of the sound for readers, which ``metrics.json`` contains."""
        if self.variant is None:
            return MODELLESS[self.format][2]
        if not self.reverb:
            return "dry"
        return "with the learnt reverb" + (", from live features" if self.live else "")

    @property
    def is_firmware(self) -> bool:
        """Whether the firmware plays a quantized model."""
        return self.format in FORMATS


REFERENCE = System(None, "recording")
LPC = System(None, "lpc")
LPC_NOISE = System(None, "lpc_noise")


def float_system(variant: str) -> System:
    """Returns the float model of a variant, which plays with the learnt reverb."""
    return System(variant, "float", reverb=True)


def live_system(variant: str) -> System:
    """Returns the float model of a variant, which plays from live features."""
    return System(variant, "float", reverb=True, live=True)


def firmware_systems(
    variant: str, formats: Sequence[str] = FORMATS, *, reverb: bool = False
) -> list[System]:
    """Returns the firmware with each quantized model of a variant.

    Args:
        variant: One of `VARIANTS`.
        formats: Formats of the model that is played dry.
        reverb: Also play the int8 model with the learnt reverb.
    """
    dry = [System(variant, fmt) for fmt in formats]
    return [*dry, System(variant, "int8", reverb=True)] if reverb else dry


def requested_systems(
    variants: Sequence[str],
    mcu: Sequence[str],
    *,
    formats: Sequence[str] = ("int8",),
    reverb: bool = False,
    live: bool = False,
) -> list[System]:
    """Returns the systems with a model that a command's options select, variant by variant.

    Args:
        variants: Variants whose float models play.
        mcu: Variants that the firmware plays.
        formats: Formats of the quantized models.
        reverb: Let the firmware also play the int8 models with the learnt reverb.
        live: Let the float models also play from live features.
    """
    systems: list[System] = []
    for variant in dict.fromkeys([*variants, *mcu]):
        if variant in variants:
            systems += [float_system(variant), *([live_system(variant)] if live else [])]
        if variant in mcu:
            systems += firmware_systems(variant, formats, reverb=reverb)
    return systems


_BY_NAME = {
    system.name: system
    for system in (
        REFERENCE,
        LPC,
        LPC_NOISE,
        *(float_system(variant) for variant in VARIANTS),
        *(live_system(variant) for variant in VARIANTS),
        *(s for variant in VARIANTS for s in firmware_systems(variant, reverb=True)),
    )
}
