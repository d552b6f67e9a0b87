"""Sound sets that render MIDI: their Debian packages, and the synthesizers that play them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SoundSet:
    """A sound set of Debian.

    Attributes:
        name: Its name, also that of the source that it renders.
        synthesizer: What plays it, fluidsynth or timidity; also the synthesizer's package.
        package: Debian package that contains it.
        path: What the synthesizer reads: a SoundFont, or a configuration file of TiMidity++.
    """

    name: str
    synthesizer: str
    package: str
    path: Path


_SETS = (
    SoundSet(
        "FluidR3_GM",
        "fluidsynth",
        "fluid-soundfont-gm",
        Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    ),
    SoundSet(
        "MuseScore_General",
        "fluidsynth",
        "musescore-general-soundfont",
        Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
    ),
    SoundSet(
        "TimGM6mb",
        "fluidsynth",
        "timgm6mb-soundfont",
        Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
    ),
    # Jazznet (Adegbija, "jazznet", ICASSP 2023) is rendered with this set and this synthesizer.
    SoundSet("freepats", "timidity", "freepats", Path("/etc/timidity/freepats.cfg")),
)
SOUND_SETS = {sound_set.name: sound_set for sound_set in _SETS}
DEFAULT_SOUND_SET = _SETS[0].name
