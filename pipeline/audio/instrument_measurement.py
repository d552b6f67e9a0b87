"""Measures the range of an instrument's notes on recordings of it.

The pitch is tracked in the widest range that the tracker has, so nothing needs to be known about
the instrument. On samples of saxophone, flute, trumpet and violin, less than 0.2 % of the confident
time is then an octave off, but one soft trumpet note in 60 is so from its beginning to its end.
Short stretches of pitch, the outermost 0.2 % of the time, and notes far from all others that only
one recording has are therefore left out. So are recordings of chords, which repeat more slowly than
any of their notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.analysis import Analysis, analyse
from pipeline.audio.general_midi import URMP_TAGS, NoteRange, programs_named
from pipeline.audio.inspection_pitch import SEVERAL_SHARE, repeat_as_chords
from pipeline.audio.issue_log import list_names
from pipeline.audio.pitch import hz_to_note, note_to_hz
from pipeline.audio.recordings import URMP_TRACK, open_recordings
from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import MIDI_NOTE, MIN_RANGE, TRACKED_F0, DataConfig

LOWEST_HZ, HIGHEST_HZ = TRACKED_F0.lowest, TRACKED_F0.highest
WIDEST = DataConfig(f0_min_hz=LOWEST_HZ, f0_max_hz=HIGHEST_HZ)
MIN_FRAMES = 20  # 80 ms; shorter stretches of pitch may be errors of the tracker
SAME_NOTE = 0.7  # semitones between neighbouring frames of a stretch
CHORD_FRAMES = 5  # of a stretch, which tell whether it is a chord
FEW_CLEAR = 0.3  # share of the sound in steady notes; the packs above have 0.7 and more
STRAY_SHARE = 0.002  # of the time, at either end of the range
APART = 4.0  # semitones from all other notes, and
MUCH_WIDER = 2.5  # times the usual step between notes, because some packs have every sixth only
MIN_RECORDINGS = 5  # to know that a note which one of them has is an exception
MARGIN = 3.0  # semitones by which the search range is wider than the notes

# A note dies away if it is loudest early and soon 6 dB softer. So are 1 to 7 % of the notes of the
# packs above, and of those that FluidR3 plays at most 19 % on clarinet, cello, organ and harmonica,
# but 67 to 100 % on piano, guitars, mallets, harp, banjo, bass and pizzicato strings.
MIN_DECAY_FRAMES = 75  # 0.3 s; shorter notes do not show it
EARLY = 0.2  # share of the note before its loudest frame
SOFTER_DB = 6.0
SOON = 0.6  # share of what follows that is not yet softer
MIN_NOTES = 5  # to judge by
DYING_SHARE = 0.45  # of the notes of an instrument that is plucked or struck

Doubles = npt.NDArray[np.float64]


def search_range_hz(lowest: float, highest: float) -> tuple[float, float]:
    """Returns the search range for MIDI notes: `MARGIN` wider than they are, in whole Hz."""
    lowest_hz, highest_hz = note_to_hz(lowest - MARGIN), note_to_hz(highest + MARGIN)
    return max(float(np.floor(lowest_hz)), LOWEST_HZ), min(float(np.ceil(highest_hz)), HIGHEST_HZ)


@dataclass(frozen=True)
class Measured:
    """What recordings show about an instrument.

    Attributes:
        n_recordings: Number of recordings with pitched sound.
        seconds: Duration of their pitched sound.
        sounding_seconds: Duration of all sound, in all recordings.
        chords: Names of the recordings in which several notes sound at once; they are left out.
        lowest: Lowest note, a MIDI note number that may be fractional.
        highest: Highest note.
        n_doubtful: Number of notes far outside that may be an octave off, and were left out.
        dying: Share of the notes that die away while they sound; None if too few are long enough.
    """

    n_recordings: int
    seconds: float
    sounding_seconds: float
    chords: tuple[str, ...]
    lowest: float
    highest: float
    n_doubtful: int
    dying: float | None

    @property
    def search_hz(self) -> tuple[float, float]:
        """Search range of the pitch tracker for these notes."""
        return search_range_hz(self.lowest, self.highest)

    def doubts(self) -> list[str]:
        """Says why the measurement may be wrong: chords, or too little sound with a clear pitch."""
        found = []
        if self.chords:
            n = len(self.chords)
            which = "1 recording has" if n == 1 else f"{n} recordings have"
            names = list_names([name.rpartition("/")[2] for name in self.chords])
            found.append(f"{which} several notes at once, which do not count: {names}")
        if self.seconds < FEW_CLEAR * self.sounding_seconds:
            found.append(
                f"only {self.seconds:.1f} of {self.sounding_seconds:.1f} s of sound are notes with "
                "a clear pitch: check the range, or record one note at a time with less noise"
            )
        return found

    @property
    def decays(self) -> bool:
        """Whether notes die away, so that the instrument is plucked or struck."""
        return self.dying is not None and self.dying > DYING_SHARE

    @property
    def notes(self) -> NoteRange:
        """The notes, widened to an octave if there are fewer, within what phrases can use."""
        lowest, highest = round(self.lowest), round(self.highest)
        missing = max(MIN_RANGE - (highest - lowest), 0)
        lowest, highest = lowest - missing // 2, highest + (missing + 1) // 2
        bottom, top = int(MIDI_NOTE.lowest), int(MIDI_NOTE.highest)
        lowest = min(max(lowest, bottom), top - MIN_RANGE)
        return NoteRange(lowest, max(min(highest, top), lowest + MIN_RANGE), self.decays)


@dataclass(frozen=True)
class _Note:
    """A stretch of steady pitch.

    Attributes:
        pitch: Its median.
        n_frames: Its length.
        recording: Number of its recording.
        dies: Whether it dies away; None if it is too short to tell.
        is_chord: Whether several notes sound at once.
    """

    pitch: float
    n_frames: int
    recording: int
    dies: bool | None
    is_chord: bool


def analyse_folders(folders: Sequence[Path], name: str, cache: Path) -> tuple[list[Analysis], str]:
    """Analyses all recordings in some folders with the settings `WIDEST`.

    Args:
        folders: Folders, or single files.
        name: Name of the instrument, by which its tracks in a folder of URMP are recognized.
        cache: Folder that keeps the analysis of every recording.

    Returns:
        The analyses, and the instrument's abbreviation in URMP's file names if there are any.

    Raises:
        UserError: There is no usable recording.
    """
    tags = [URMP_TAGS[program] for program in programs_named(name) if program in URMP_TAGS]
    tag = tags[0] if tags else ""
    found = open_recordings(folders, replace(WIDEST, urmp_tag=tag))
    found.warn()
    is_urmp = any(URMP_TRACK.match(recording.path.name) for recording in found.recordings)
    return list(analyse(found.recordings, WIDEST, cache)), tag if is_urmp else ""


def measure_instrument(analyses: Sequence[Analysis]) -> Measured:
    """Measures an instrument on recordings.

    Args:
        analyses: The recordings, analysed with the settings `WIDEST`.

    Raises:
        UserError: No recording has a clear pitch, or all are chords.
    """
    found: list[_Note] = []
    chords: list[str] = []
    for number, analysis in enumerate(analyses):
        if analysis.checks.is_mostly_above:  # what is found there is an octave too low
            continue
        notes = _find_notes(analysis, number)
        n_chord = sum(note.n_frames for note in notes if note.is_chord)
        if n_chord > SEVERAL_SHARE * sum(note.n_frames for note in notes):
            chords.append(analysis.recording.name)
        else:
            found += notes
    if chords and not found:
        names = list_names([name.rpartition("/")[2] for name in chords])
        raise UserError(f"several notes sound at once in {names}: record one note at a time")
    if not found:
        raise UserError(
            f"no recording has a note with a clear pitch between {LOWEST_HZ:.0f} and "
            f"{HIGHEST_HZ:.0f} Hz: give solo recordings of a pitched instrument"
        )
    likely, n_doubtful = _likely(found)
    pitches = np.array([note.pitch for note in likely])
    dying = [note.dies for note in likely if note.dies is not None]
    return Measured(
        n_recordings=len({note.recording for note in likely}),
        seconds=sum(note.n_frames for note in likely) / FRAME_RATE,
        sounding_seconds=sum(analysis.checks.sounding_seconds for analysis in analyses),
        chords=tuple(chords),
        lowest=float(pitches.min()),
        highest=float(pitches.max()),
        n_doubtful=n_doubtful,
        dying=float(np.mean(dying)) if len(dying) >= MIN_NOTES else None,
    )


def _find_notes(analysis: Analysis, number: int) -> list[_Note]:
    """Cuts a recording into stretches of steady, loud and clear pitch."""
    features = analysis.features
    pitch = hz_to_note(features.f0_hz.astype(np.float64))
    loudness_db = features.loudness_db.astype(np.float64)
    clear = features.confidence >= WIDEST.confidence_threshold
    clear &= loudness_db >= loudness_db.max() - WIDEST.silence_db
    breaks = (clear[1:] != clear[:-1]) | (np.abs(np.diff(pitch)) > SAME_NOTE)
    found = []
    for frames in np.split(np.arange(len(pitch)), np.flatnonzero(breaks) + 1):
        if clear[frames[0]] and len(frames) >= MIN_FRAMES:
            some = frames[np.linspace(0, len(frames) - 1, CHORD_FRAMES).astype(int)]
            chords = repeat_as_chords(analysis.audio, some, features.f0_hz[some])
            note, dies = float(np.median(pitch[frames])), _dies_away(loudness_db[frames])
            is_chord = bool(np.median(chords) > 0.5)
            found.append(_Note(note, len(frames), number, dies, is_chord))
    return found


def _dies_away(loudness_db: Doubles) -> bool | None:
    """Whether a note dies away while it sounds; None if it is too short to tell."""
    if len(loudness_db) < MIN_DECAY_FRAMES:
        return None
    loudest = int(loudness_db.argmax())
    after = loudness_db[loudest:]
    is_loud = after >= after[0] - SOFTER_DB
    return loudest < EARLY * len(loudness_db) and float(is_loud.mean()) < SOON


def _likely(notes: list[_Note]) -> tuple[list[_Note], int]:
    """Leaves out stray notes at both ends of the range; also returns their number."""
    ordered = sorted(notes, key=lambda note: note.pitch)
    share = np.cumsum([note.n_frames for note in ordered]) / sum(n.n_frames for n in ordered)
    first = int(np.searchsorted(share, STRAY_SHARE))
    last = int(np.searchsorted(share, 1 - STRAY_SHARE))
    n_doubtful = len(ordered) - (last + 1 - first)
    ordered = ordered[first : last + 1]
    if len({note.recording for note in ordered}) < MIN_RECORDINGS:
        return ordered, n_doubtful
    played = np.unique(np.round([note.pitch for note in ordered]))
    apart = max(APART, MUCH_WIDER * float(np.median(np.diff(played)))) if len(played) > 1 else APART
    while ends := [end for end in (_outer(ordered, apart), _outer(ordered[::-1], apart)) if end]:
        for end in ends:
            ordered = [note for note in ordered if note not in end]
            n_doubtful += len(end)
    return ordered, n_doubtful


def _outer(ordered: list[_Note], apart: float) -> list[_Note]:
    """Returns the notes at the beginning of a sorted list that only one recording has."""
    for number, (note, following) in enumerate(pairwise(ordered), 1):
        if note.recording != ordered[0].recording:
            break
        if abs(following.pitch - note.pitch) > apart:
            return ordered[:number]
    return []
