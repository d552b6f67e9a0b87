"""Names of instruments: which ones of one's own are allowed, and how they are shown to readers."""

import keyword

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import known_instruments, shipped_instruments
from pipeline.core.schema import Identifier

MAX_LENGTH = 32  # the name is part of file names and of C symbols
C_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long main register restrict return short signed sizeof static struct switch "
    "typedef union unsigned void volatile while"
)
# File names that Windows reserves, with whatever suffix.
DEVICES = (
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{n}" for name in ("com", "lpt") for n in range(10)),
)


def check_name(name: str) -> None:
    """Checks the name of a new instrument, or of one that was described before.

    Raises:
        UserError: The name cannot be used, or belongs to a shipped instrument.
    """
    if not Identifier().accepts(name) or len(name) > MAX_LENGTH:
        raise UserError(
            f"{name!r} cannot be an instrument's name: give one {Identifier()}, of at most "
            f"{MAX_LENGTH} characters"
        )
    lower = name.lower()
    if keyword.iskeyword(name) or lower in (*C_KEYWORDS.split(), *DEVICES):
        raise UserError(
            f"{name!r} cannot be an instrument's name, because Python, C or Windows reserves it: "
            f"give another one, such as my_{lower}"
        )
    if lower in shipped_instruments():
        raise UserError(
            f"{name!r} is an instrument of this repository: give yours a name of its own, such as "
            f"my_{lower}"
        )
    for known in known_instruments():
        if known != name and known.lower() == lower:
            raise UserError(f"{name!r} and {known!r} differ in case only: give {known} or another")


def instrument_label(name: str) -> str:
    """Returns an instrument's name for readers: "Bass clarinet" for ``bass_clarinet``."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
