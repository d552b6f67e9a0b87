"""Names notes, and compares the pitch that file names carry with what was found.

Sample packs name each file after its note: ``flute_A4_15_forte_normal``, ``Cello C#3``, ``Db4``,
``piano_069_v2``. Names are also full of other letters and numbers, so the names of a whole folder
are judged together: they carry a pitch if most of them agree with the pitches that were found, up
to octaves and, for note names, to a constant interval (transposing instruments).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from statistics import median

from pipeline.audio.issue_log import list_names
from pipeline.audio.pitch import hz_to_note, note_to_hz
from pipeline.core.markdown import counted

NOTE = re.compile(r"(?<![A-Za-z0-9#♯♭])([A-Ga-g])(sharp|flat|[#♯b♭s])?(-1|\d)(?![A-Za-z0-9#♯♭])")
NUMBER = re.compile(r"(?<!\d)\d{2,3}(?!\d)")
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SEMITONES = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "s": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
LOWEST_NUMBER, HIGHEST_NUMBER = 21, 108  # the keys of a piano: other numbers are no notes
# Different notes that are found, and the share of the recordings that agree; fewer may agree by
# chance, above all numbers, which mean many things.
MIN_NOTES, MIN_NUMBERS = 3, 5
NOTES_SHARE, NUMBERS_SHARE = 0.6, 0.8
# Semitones from the tuning of the pack, which may lie between two notes. Single notes may be off by
# more: loud low notes of a saxophone are 0.8 semitones sharp.
TOLERANCE, INTONATION = 0.6, 1.0
MISTUNED = 0.75  # semitones; a pack is rather tuned off by these than transposed by a semitone


def note_name(note: float) -> str:
    """Returns the name of the note nearest to a MIDI note number, such as F#3."""
    octave, semitone = divmod(round(note), len(NAMES))
    return f"{NAMES[semitone]}{octave - 1}"


@dataclass(frozen=True)
class NamedPitch:
    """A recording whose name says another pitch than was found.

    Attributes:
        name: Name of the recording.
        note: MIDI number of the note in the name, without the pack's constant interval.
        found_hz: Pitch that was found.
        flat: Semitones by which the pack is tuned below A4 = 440 Hz.
    """

    name: str
    note: int
    found_hz: float
    flat: float

    @property
    def named_hz(self) -> float:
        """Pitch that the name says."""
        return float(note_to_hz(self.note))

    @property
    def octaves(self) -> int:
        """How many octaves higher the pitch that was found is."""
        return round(log2(self.found_hz / self.named_hz))

    @property
    def found_note(self) -> float:
        """MIDI number of the pitch that was found, in the tuning of the pack."""
        return float(hz_to_note(self.found_hz)) + self.flat

    def __str__(self) -> str:
        found = f"{note_name(self.found_note)}, {self.found_hz:.0f} Hz"
        named = f"{note_name(self.note)}, {self.named_hz:.0f} Hz"
        return f"{self.name.rpartition('/')[2]} (found {found}, not {named})"


@dataclass(frozen=True)
class NameComparison:
    """How the pitches in the names of recordings compare with what was found.

    Attributes:
        notes: MIDI number of the sounding note that each name says, by name of the recording; also
            of recordings in which no pitch was found.
        interval: Semitones by which the names are higher than what sounds, for most recordings: 0,
            2 for parts of a clarinet in B flat, 12 where octaves are counted differently.
        n_agreeing: Number of recordings that have the pitch of their name.
        octave_errors: Recordings that were found one or more octaves off.
        others: Recordings that were found at another pitch: phrases, or wrong names.
    """

    notes: dict[str, int]
    interval: int
    n_agreeing: int
    octave_errors: tuple[NamedPitch, ...]
    others: tuple[NamedPitch, ...]

    def __str__(self) -> str:
        n_compared = self.n_agreeing + len(self.octave_errors) + len(self.others)
        text = f"{self.n_agreeing} of {n_compared} files sound as named"
        if self.interval:
            side = "lower" if self.interval > 0 else "higher"
            text += f", {counted(abs(self.interval), 'semitone')} {side}"
        for strays, where in (
            (self.octave_errors, "an octave or more away"),
            (self.others, "at another pitch, as phrases are"),
        ):
            if strays:
                text += f"; {len(strays)} {where}: {list_names(list(map(str, strays)))}"
        return text


def parse_note(stem: str) -> int | None:
    """Returns the MIDI number of the note name in a file name, 69 for A4.

    Sharps are ``#``, ``s`` or ``sharp``, flats are ``b`` or ``flat``. The name must stand alone:
    the A4 of "paperA4" and the B3 of "B3B4" are none.

    Args:
        stem: File name without its suffix.

    Returns:
        None if there is no note name, or if there are several different ones.
    """
    found = set()
    for letter, accidental, octave in NOTE.findall(stem):
        step = letter.upper() + accidental
        if step not in ("Es", "Bs"):  # no sharps; in German, E flat
            semitone = SEMITONES[letter.upper()] + ACCIDENTALS[accidental]
            found.add(12 * (int(octave) + 1) + semitone)
    return found.pop() if len(found) == 1 else None


def compare_names(found_hz: Mapping[str, float | None]) -> NameComparison | None:
    """Compares the pitches in the names of recordings with the pitches that were found.

    Args:
        found_hz: Pitch by name of the recording, a path of which the last part counts; None where
            no pitch was found. The recordings of one source, which are named in the same way.

    Returns:
        None if the names carry no pitch.
    """
    named = _read_names(found_hz)
    if named is None:
        return None
    center = _most_frequent(_differences(named, found_hz))
    interval = round(center) if abs(center) > MISTUNED else 0
    notes = {name: note - interval for name, note in named.items()}
    octave_errors: list[NamedPitch] = []
    others: list[NamedPitch] = []
    n_agreeing = 0
    for name, note in named.items():
        if hz := found_hz[name]:
            off = note - float(hz_to_note(hz)) - center
            if abs(off) <= INTONATION:
                n_agreeing += 1
            else:
                side = octave_errors if _is_octave(off, INTONATION) else others
                side.append(NamedPitch(name, notes[name], hz, center - interval))
    return NameComparison(notes, interval, n_agreeing, tuple(octave_errors), tuple(others))


def _read_names(found_hz: Mapping[str, float | None]) -> dict[str, int] | None:
    """Reads the names as note names or else as one of the numbers in them, if most agree."""
    stems = {name: _stem(name) for name in found_hz}
    by_name = {name: note for name, stem in stems.items() if (note := parse_note(stem)) is not None}
    if _agreeing_share(by_name, found_hz, min_notes=MIN_NOTES, transposes=True) >= NOTES_SHARE:
        return by_name
    columns: dict[int, dict[str, int]] = {}
    for name, stem in stems.items():
        for column, number in enumerate(map(int, NUMBER.findall(stem))):
            if LOWEST_NUMBER <= number <= HIGHEST_NUMBER:
                columns.setdefault(column, {})[name] = number
    for numbers in columns.values():
        share = _agreeing_share(numbers, found_hz, min_notes=MIN_NUMBERS, transposes=False)
        if share >= NUMBERS_SHARE:
            return numbers
    return None


def _stem(name: str) -> str:
    """Returns the last part of a path without its suffix."""
    last = name.rpartition("/")[2]
    stem, dot, _ = last.rpartition(".")
    return stem if dot else last


def _differences(notes: Mapping[str, int], found_hz: Mapping[str, float | None]) -> list[float]:
    """Returns the semitones by which the names are higher than what was found."""
    return [note - float(hz_to_note(hz)) for name, note in notes.items() if (hz := found_hz[name])]


def _most_frequent(differences: Sequence[float]) -> float:
    """Returns the middle of the densest semitone; the pack may be tuned between two notes."""

    def near(center: float) -> list[float]:
        return [difference for difference in differences if abs(difference - center) <= 0.5]

    return median(near(max(differences, key=lambda center: (len(near(center)), -abs(center)))))


def _is_octave(semitones: float, tolerance: float = TOLERANCE) -> bool:
    """Whether an interval is any number of octaves."""
    return abs(semitones - 12 * round(semitones / 12)) <= tolerance


def _agreeing_share(
    notes: Mapping[str, int],
    found_hz: Mapping[str, float | None],
    *,
    min_notes: int,
    transposes: bool,
) -> float:
    """Returns the share of recordings whose names agree up to octaves and a constant interval.

    Args:
        notes: MIDI number by name of the recording.
        found_hz: Pitch that was found by name of the recording.
        min_notes: With fewer different notes, the share is 0.
        transposes: Whether the interval may be anything; else it must be octaves.
    """
    if len({note for name, note in notes.items() if found_hz[name]}) < min_notes:
        return 0.0
    differences = _differences(notes, found_hz)
    center = _most_frequent(differences)
    if not (transposes or _is_octave(center)):
        return 0.0
    return sum(_is_octave(difference - center) for difference in differences) / len(differences)
