"""Turns what recordings show about an instrument into the entries of its file."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.audio.general_midi import (
    PROGRAMS,
    USUAL_NOTES,
    NoteRange,
    nearest_program,
    programs_named,
)
from pipeline.audio.instrument_measurement import (
    DYING_SHARE,
    HIGHEST_HZ,
    LOWEST_HZ,
    MARGIN,
    Measured,
)
from pipeline.audio.pitch import note_to_hz
from pipeline.core.constants import MAX_NOTE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import (
    MIDI_NOTE,
    MIN_RANGE,
    known_instruments,
    load_instrument,
    shipped_instruments,
)
from pipeline.core.instrument_file import Entry
from pipeline.core.patch_files import known_patches, load_patch

PROGRAMS_PER_FAMILY = 8


@dataclass(frozen=True)
class PatchChoice:
    """The patch of a new instrument.

    Attributes:
        name: Name of the patch.
        reason: Why it was chosen.
    """

    name: str
    reason: str


def choose_program(name: str, notes: NoteRange) -> tuple[int, str]:
    """Chooses the General MIDI program that sounds most like an instrument.

    Args:
        name: Name of the instrument; its words decide if a program has them.
        notes: Its notes, which decide otherwise.

    Returns:
        The program, and why it was chosen.
    """
    named = programs_named(name)
    program = nearest_program(notes, named)
    usual = USUAL_NOTES[program]
    if len(named) == 1:
        return program, f"the program of this name is {PROGRAMS[program]}"
    span = f"whose usual notes, {usual.lowest} to {usual.highest}, are nearest"
    if named:
        return (
            program,
            f"of {len(named)} programs of this name {PROGRAMS[program]} is the one {span}",
        )
    kind = "plucked or struck" if usual.decays else "sustained"
    return program, (
        f"no program has this name; {PROGRAMS[program]} is the {kind} one {span}, so check it"
    )


def choose_patch(program: int, notes: NoteRange) -> PatchChoice:
    """Chooses the patch of the nearest shipped instrument.

    An instrument of the same General MIDI family is nearest, otherwise that with the nearest notes
    among those that decay or are sustained alike.

    Raises:
        UserError: No shipped instrument has a patch of ``data/patches``.
    """
    family = program // PROGRAMS_PER_FAMILY
    distances: dict[tuple[bool, float], PatchChoice] = {}
    for name in set(shipped_instruments()) & set(known_instruments()):
        config = load_instrument(name)
        if config.corpus is None or not isinstance(config.patch, str):
            continue
        other = NoteRange(config.corpus.lowest_note, config.corpus.highest_note, config.decays)
        is_kin = config.corpus.gm_program // PROGRAMS_PER_FAMILY == family
        kin = f"is in the General MIDI family of {PROGRAMS[program]}"
        likeness = kin if is_kin else f"plays {_span(other)}"
        reason = f"the nearest shipped instrument is the {name}, which {likeness}"
        distances[not is_kin, other.distance(notes)] = PatchChoice(config.patch, reason)
    if not distances:
        raise UserError(f"no shipped instrument to choose by: give --patch {known_patches()[0]}")
    return distances[min(distances)]


def given_patch(name: str) -> PatchChoice:
    """Returns the patch that a user has chosen.

    Raises:
        UserError: There is no such patch in ``data/patches``, or its file is not valid.
    """
    return PatchChoice(load_patch(name).name, "chosen by --patch")


def make_entries(
    name: str, measured: Measured, patch: PatchChoice, *, urmp_tag: str = ""
) -> list[Entry]:
    """Returns the entries of an instrument's file, with what was measured and what is allowed.

    Args:
        name: Name of the instrument.
        measured: What its recordings show.
        patch: Its patch.
        urmp_tag: Abbreviation of the instrument in URMP's file names, if it was recognized there.
    """
    notes = measured.notes
    program, reason = choose_program(name, notes)
    values: Mapping[str, tuple[object, str]] = {
        "patch": (
            patch.name,
            f"FM patch: {patch.reason}. Allowed: {', '.join(known_patches())}, or a table [patch] "
            "with routing and ratios instead of this line.",
        ),
        **_search_entries(measured),
        **(
            {"data.urmp_tag": (urmp_tag, "Part of URMP's file names that this instrument has.")}
            if urmp_tag
            else {}
        ),
        "corpus.gm_program": (
            program,
            f"General MIDI program, counted from 0, with which music is rendered: {reason}. "
            f"Allowed: 0 to {MAX_NOTE}.",
        ),
        **_note_entries(measured, notes),
    }
    return [Entry(key, value, comment) for key, (value, comment) in values.items()]


def _search_entries(measured: Measured) -> dict[str, tuple[object, str]]:
    """Describes the search range of the pitch tracker."""
    lowest_hz, highest_hz = measured.search_hz
    allowed = f"Allowed: {LOWEST_HZ:g} to {HIGHEST_HZ:g}."
    basis = f"in {measured.seconds:.0f} s of notes from {measured.n_recordings} recordings"
    doubtful = (
        f"; {measured.n_doubtful} stray notes, which may be an octave off, were left out"
        if measured.n_doubtful
        else ""
    )
    return {
        "data.f0_min_hz": (
            lowest_hz,
            f"Lowest pitch that is looked for, in Hz: {MARGIN:g} semitones below the lowest one, "
            f"{float(note_to_hz(measured.lowest)):.1f} Hz, {basis}{doubtful}. {allowed}",
        ),
        "data.f0_max_hz": (
            highest_hz,
            f"Highest pitch that is looked for, in Hz: {MARGIN:g} semitones above the highest one, "
            f"{float(note_to_hz(measured.highest)):.1f} Hz. {allowed}",
        ),
    }


def _note_entries(measured: Measured, notes: NoteRange) -> dict[str, tuple[object, str]]:
    """Describes the notes that are composed for the instrument."""
    bottom, top = int(MIDI_NOTE.lowest), int(MIDI_NOTE.highest)
    found = f"found: {measured.lowest:.1f} to {measured.highest:.1f}"
    allowed = f"Allowed: {bottom} to {top}, at least {MIN_RANGE} apart."
    if measured.dying is None:
        how = "too few of the recorded notes last for 0.3 s to tell, so check it"
    else:
        how = (
            f"{measured.dying:.0%} of the recorded notes die away, and true needs more than "
            f"{DYING_SHARE:.0%}"
        )
    return {
        "corpus.lowest_note": (
            notes.lowest,
            f"Lowest MIDI note of the music that is composed; {found}. {allowed}",
        ),
        "corpus.highest_note": (notes.highest, f"Highest MIDI note of that music. {allowed}"),
        "corpus.decays": (
            notes.decays,
            f"Whether the instrument is plucked or struck: {how}. Allowed: true or false.",
        ),
    }


def _span(notes: NoteRange) -> str:
    return (
        f"{'notes that die away, ' if notes.decays else 'notes '}{notes.lowest} to {notes.highest}"
    )
