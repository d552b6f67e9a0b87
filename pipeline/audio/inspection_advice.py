"""Says what a musician can do better, from what was measured on the recordings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.audio.inspection import (
    LOW_SAMPLE_RATE,
    MOSTLY_NOISE,
    OCTAVE_DOUBT,
    QUIETEST,
    SEVERAL_NOTES,
    Inspection,
)
from pipeline.audio.instrument_measurement import search_range_hz
from pipeline.audio.issue_log import list_names
from pipeline.audio.note_names import note_name
from pipeline.audio.pitch_report import HIGHEST_HZ, LOWEST_HZ, OCTAVE_ERROR, PitchReport
from pipeline.audio.recording_checks import CLIPPED, DAMAGED, HUM, OPPOSED, UNCLEAR

LOW_PEAK_DB = -20.0  # a louder recording would lift the sound above the noise of the converter
NOISE_MARGIN_DB = 5.0  # noise must lie this much below the softest sound that counts
ROOM_SECONDS = 0.6  # RT60 of a large living room
NARROW_DB = 12.0  # from soft to loud
SHORT_NOTE_SECONDS = 1.0
MAX_MISSING = 10  # notes that are named
LONG_SECONDS = 20.0  # a recording of more than one note
FEW_SECONDS = 180.0
FEW_HELD_OUT_SECONDS = 10.0
ENOUGH_RECORDINGS = 8  # of which the validation and the test have one each
UNEVEN_SHARE = 0.0625  # half of an eighth, which the validation and the test would each have


@dataclass(frozen=True)
class Advice:
    """A sentence about what was found, and one about what to do."""

    finding: str
    remedy: str


def give_advice(
    inspection: Inspection, *, used_seconds: float, held_out_seconds: float
) -> list[Advice]:
    """Returns what to do better, the most important first; empty if nothing needs to be done.

    Args:
        inspection: The measurements.
        used_seconds: How many seconds training, validation and test would use.
        held_out_seconds: How many of them the validation or the test has, whichever has fewer.
    """
    rules = (_range_advice, _pitch_advice, _level_advice, _coverage_advice)
    found = [advice for rule in rules for advice in rule(inspection)]
    if used_seconds < FEW_SECONDS:
        is_long = inspection.seconds >= FEW_SECONDS
        found.append(
            Advice(
                f"Training would use {brief(used_seconds)} of {brief(inspection.seconds)} s",
                "mend what is named here, because the rest is silent or has no clear pitch"
                if is_long and found
                else "record more: three minutes are little, ten are good",
            )
        )
    if held_out_seconds < min(FEW_HELD_OUT_SECONDS, UNEVEN_SHARE * used_seconds):
        found.append(
            Advice(
                f"Only {brief(held_out_seconds)} s remain for the validation or the test, because "
                "no recording is shared between them",
                "record more, and in more recordings"
                if len(inspection.reports) >= ENOUGH_RECORDINGS
                else "make several recordings of a minute or less instead of one long one",
            )
        )
    return found


def _range_advice(inspection: Inspection) -> Iterator[Advice]:
    """Finds recordings that lie outside the search range."""
    pitches = inspection.pitches
    remedies = []
    if pitches.wider_entries:
        remedies.append(f"set {pitches.wider_entries} under [data] of the instrument's file")
    if beyond := pitches.beyond:
        names = list_names([note.name.rpartition("/")[2] for note in beyond])
        all_that = f"{LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz are all that can be tracked"
        remedies.append(f"leave out {names}, because {all_that}")
    if remedies:
        yield Advice("; ".join(pitches.side_lines()), " and ".join(remedies))


def _pitch_advice(inspection: Inspection) -> Iterator[Advice]:
    """Finds recordings whose pitch is doubtful, and names each once: where the cause is surest."""
    remedies = {
        SEVERAL_NOTES: "play one note at a time; let a note end before the next begins",
        MOSTLY_NOISE: "leave {them} out, or move the microphone closer to the instrument",
        OCTAVE_ERROR: _octave_remedy(inspection.pitches),
        OCTAVE_DOUBT: "listen to {them}, and leave out what squeaks or doubles the octave",
        UNCLEAR: "leave {them} out, or record one note at a time in a quieter place",
    }
    pitches = inspection.pitches
    by_kind = inspection.issues.by_kind()
    explained = {note.name for note in pitches.below + pitches.above}
    for kind, remedy in remedies.items():
        if names := [name for name in by_kind.get(kind, ()) if name not in explained]:
            explained.update(names)
            yield Advice(_with(kind, names), remedy.format(them=_them(names)))


def _octave_remedy(pitches: PitchReport) -> str:
    """Says what helps if names and pitches differ by octaves.

    A narrower search range does if the pitches found lie outside it, unless other notes need a
    wider one.
    """
    correct = "listen to {them}, and correct the name or leave {them} out"
    notes = [note for names in pitches.names.values() for note in names.notes.values()]
    if not notes or pitches.below or pitches.above:
        return correct
    low, high = search_range_hz(min(notes), max(notes))
    errors = [error for names in pitches.names.values() for error in names.octave_errors]
    if all(low <= error.found_hz <= high for error in errors):
        return correct
    return (
        f"if the names are right, set f0_min_hz = {low:g} and f0_max_hz = {high:g} under [data] of "
        "the instrument's file; otherwise correct the names"
    )


def _level_advice(inspection: Inspection) -> Iterator[Advice]:
    """Finds what the microphone, the room and the gain spoil."""
    by_kind = inspection.issues.by_kind()
    if names := by_kind.get(CLIPPED):
        yield Advice(
            _with(CLIPPED, names),
            f"lower the gain by 6 dB and record {_them(names)} again",
        )
    elif inspection.peak_db < LOW_PEAK_DB:
        yield Advice(
            f"The highest peak is {inspection.peak_db:.0f} dBFS",
            "raise the gain until loud notes peak at -6 dBFS",
        )
    if names := by_kind.get(HUM):
        yield Advice(
            _with(HUM, names),
            "keep cables away from power supplies, or use another socket or battery power",
        )
    if names := by_kind.get(DAMAGED):
        yield Advice(
            _with(DAMAGED, names),
            f"copy or export {_them(names)} again",
        )
    if names := by_kind.get(OPPOSED):
        yield Advice(
            _with(OPPOSED, names),
            "check the polarity of one microphone",
        )
    if names := by_kind.get(LOW_SAMPLE_RATE):
        yield Advice(
            _with(LOW_SAMPLE_RATE, names),
            "record at 44.1 or 48 kHz, because the brightness above half the rate is lost",
        )
    floor_db, (_, loud_db) = inspection.floor_db, inspection.loudness_db
    if floor_db is None:
        yield from _pause_advice(inspection)
    elif floor_db > loud_db - inspection.config.silence_db - NOISE_MARGIN_DB:
        yield Advice(
            f"The noise in the pauses is only {loud_db - floor_db:.0f} dB below loud notes, so it "
            "is learnt as sound",
            "find a quieter room, move closer, or switch off fans and computers",
        )
    room = inspection.room_seconds
    if room is not None and room > ROOM_SECONDS:
        yield Advice(
            f"Note ends ring for {room:.1f} s (RT60)",
            "move closer, or hang blankets; otherwise the model learns the room as its reverb",
        )


def _pause_advice(inspection: Inspection) -> Iterator[Advice]:
    """Finds what recordings without pauses lack; whole notes that are cut at their ends do not."""
    n_all = len(inspection.reports)
    n_cut = sum(report.begins_within_note for report in inspection.reports)
    if n_cut:
        yield Advice(
            f"No recording has a pause, and {n_cut} of {n_all} begin within a note",
            "leave half a second of silence before the notes, because their onsets are cut off",
        )
    elif any(report.seconds >= LONG_SECONDS for report in inspection.reports):
        yield Advice(
            "No recording has a pause, so the noise is unknown",
            "leave half a second of silence before and after the notes",
        )


def _coverage_advice(inspection: Inspection) -> Iterator[Advice]:
    """Finds notes and levels that are missing."""
    missing = missing_notes(inspection)
    if missing:
        yield Advice(
            f"Less than {SHORT_NOTE_SECONDS:g} s each of {_list_notes(missing)}",
            "record these notes, soft and loud",
        )
    soft_db, loud_db = inspection.loudness_db
    narrow = narrow_notes(inspection)
    if loud_db - soft_db < NARROW_DB:
        yield Advice(
            f"Soft and loud are only {loud_db - soft_db:.0f} dB apart",
            "play the same notes soft and loud, and swell on long ones",
        )
    elif narrow:
        yield Advice(
            f"Hardly any dynamics on {_list_notes(narrow)}",
            "play these notes soft and loud, too",
        )


def brief(seconds: float) -> str:
    """Formats a number of seconds, with a decimal below a hundred."""
    return f"{seconds:.0f}" if seconds >= 100 else f"{round(seconds, 1):g}"


def missing_notes(inspection: Inspection) -> list[int]:
    """Returns the notes within the range that hardly sound, as MIDI numbers."""
    seconds = inspection.note_seconds
    return [note for note in inspection.played_notes if seconds[note] < SHORT_NOTE_SECONDS]


def narrow_notes(inspection: Inspection) -> list[int]:
    """Returns the notes that are played at nearly one loudness, as MIDI numbers."""
    found = []
    for note, seconds in enumerate(inspection.coverage_seconds):
        if seconds.sum() >= SHORT_NOTE_SECONDS:
            share = np.cumsum(seconds) / seconds.sum()
            soft, loud = np.searchsorted(share, [QUIETEST / 100, 1 - QUIETEST / 100])
            if loud - soft < 2:  # steps of 5 dB
                found.append(note)
    return found


def _list_notes(notes: Sequence[int]) -> str:
    """Names notes, neighbours as a span: "C4, E4 to G4"."""
    spans: list[list[int]] = []
    for note in notes:
        if spans and note == spans[-1][-1] + 1:
            spans[-1].append(note)
        else:
            spans.append([note])
    texts = [
        note_name(span[0])
        if len(span) == 1
        else f"{note_name(span[0])}{' to ' if len(span) > 2 else ' and '}{note_name(span[-1])}"
        for span in spans
    ]
    if len(texts) > MAX_MISSING:
        texts = [*texts[:MAX_MISSING], f"{len(texts) - MAX_MISSING} more"]
    return ", ".join(texts)


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _with(kind: str, names: Sequence[str]) -> str:
    """Says how many recordings have an issue, and names the files of the first ones."""
    noun = "recording" if len(names) == 1 else "recordings"
    files = list_names([name.rpartition("/")[2] for name in names])
    return f"{len(names)} {noun} with {kind.partition(':')[0]}: {files}"
