"""Says which recordings the pitch tracker missed: out of its search range, or an octave off."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor

from tqdm import tqdm

from pipeline.audio.issue_log import Issue, IssueLog, list_names
from pipeline.audio.note_names import NameComparison, compare_names, note_name
from pipeline.audio.pitch import hz_to_note, note_to_hz
from pipeline.audio.recording_checks import ABOVE, BELOW, OUT_OF_RANGE_SHARE, Checks
from pipeline.audio.recordings import Recording
from pipeline.core.instrument_config import TRACKED_F0, DataConfig

LOWEST_HZ, HIGHEST_HZ = TRACKED_F0.lowest, TRACKED_F0.highest
SEMITONE = 2 ** (1 / 12)
HALF_SEMITONE = 2 ** (0.5 / 12)
OCTAVE_ERROR = "a pitch an octave or more from the note in the name"


@dataclass(frozen=True)
class OutOfRangeNote:
    """A recording of which a good part lies outside the search range.

    Attributes:
        name: Name of the recording.
        nearest_hz: Pitch that its name says, or else the pitch seen nearest to the range.
        hz: Pitch that its name says, or else the pitch farthest out that was seen.
        seconds: How long it lies outside.
        by_name_only: Whether only its name says that it lies outside.
    """

    name: str
    nearest_hz: float
    hz: float
    seconds: float
    by_name_only: bool


@dataclass(frozen=True)
class PitchReport:
    """What the pitch tracker missed in many recordings.

    Attributes:
        f0_min_hz: Lower end of the search range.
        f0_max_hz: Upper end of it.
        n_recordings: Number of recordings.
        below: Recordings that lie below the range.
        above: Recordings that lie above it.
        names: What the names of recordings say, by source; only sources whose names carry a pitch.
    """

    f0_min_hz: float
    f0_max_hz: float
    n_recordings: int
    below: list[OutOfRangeNote] = field(default_factory=list)
    above: list[OutOfRangeNote] = field(default_factory=list)
    names: dict[str, NameComparison] = field(default_factory=dict)

    @property
    def beyond(self) -> list[OutOfRangeNote]:
        """The notes that lie outside any range that can be searched."""
        return [
            note
            for note in self.below + self.above
            if not LOWEST_HZ / HALF_SEMITONE < note.nearest_hz < HIGHEST_HZ * HALF_SEMITONE
        ]

    @property
    def wider_range_hz(self) -> tuple[float, float]:
        """The search range that takes in all notes that can be tracked, a semitone to spare."""
        beyond = self.beyond
        lower = [floor(n.hz / SEMITONE) for n in self.below if n not in beyond]
        higher = [ceil(n.hz * SEMITONE) for n in self.above if n not in beyond]
        return (
            max(float(min(lower, default=self.f0_min_hz)), LOWEST_HZ),
            min(float(max(higher, default=self.f0_max_hz)), HIGHEST_HZ),
        )

    def side_lines(self) -> list[str]:
        """Says how many recordings lie below and above the range."""
        lines = []
        for side, notes, bound in (
            ("below", self.below, self.f0_min_hz),
            ("above", self.above, self.f0_max_hz),
        ):
            if notes:
                seconds = sum(note.seconds for note in notes)
                lines.append(
                    f"{len(notes)} of {self.n_recordings} recordings ({seconds:.1f} s) lie {side} "
                    f"{bound:g} Hz, where no pitch is looked for: "
                    + list_names([f"{note.name} ({note.hz:.0f} Hz)" for note in notes])
                )
        return lines

    @property
    def wider_entries(self) -> str:
        """The entries of `wider_range_hz` that differ from the range; may be empty."""
        low, high = self.wider_range_hz
        entries = [f"f0_min_hz = {low:g}"] * (low < self.f0_min_hz)
        entries += [f"f0_max_hz = {high:g}"] * (high > self.f0_max_hz)
        return " and ".join(entries)

    def range_lines(self) -> list[str]:
        """Says how many recordings lie out of range, and which range takes them in."""
        lines = self.side_lines()
        beyond = self.beyond
        if entries := self.wider_entries:
            which = f"all but {len(beyond)} of them" if beyond else "them"
            lines.append(f"{entries} under [data] would take {which} in")
        if beyond:
            lines.append(
                f"{len(beyond)} of them lie outside {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz, which is "
                f"all that can be tracked: {list_names([note.name for note in beyond])}"
            )
        return lines

    def name_lines(self) -> list[str]:
        """Says, for each source whose names carry a pitch, how many were found as named."""
        return [f"{source}: {names}" for source, names in self.names.items()]

    def add_issues(self, log: IssueLog) -> None:
        """Adds octave errors, and notes whose names alone say that they are out of range."""
        for names in self.names.values():
            for error in names.octave_errors:
                detail = f"{error.found_hz:.0f} Hz instead of {error.named_hz:.0f} Hz"
                log.add(error.name, [Issue(OCTAVE_ERROR, detail)])
        for kind, notes in ((BELOW, self.below), (ABOVE, self.above)):
            for note in notes:
                if note.by_name_only:
                    named = note_name(float(hz_to_note(note.hz)))
                    log.add(note.name, [Issue(kind, f"named {named}, {note.hz:.0f} Hz")])

    def warn(self) -> None:
        """Prints what lies out of range on stderr."""
        for line in self.range_lines():
            tqdm.write(f"warning: {line}", file=sys.stderr)


def report_pitches(checked: Iterable[tuple[Recording, Checks]], config: DataConfig) -> PitchReport:
    """Finds what the pitch tracker missed.

    Args:
        checked: Recordings with what was measured on them, as `analysis.Analysis` has it.
        config: The search range.
    """
    by_source: dict[str, dict[str, Checks]] = {}
    for recording, checks in checked:
        by_source.setdefault(recording.source, {})[recording.name] = checks
    n_recordings = sum(map(len, by_source.values()))
    report = PitchReport(config.f0_min_hz, config.f0_max_hz, n_recordings)
    for source, found in by_source.items():
        names = compare_names({name: _clear_pitch(checks) for name, checks in found.items()})
        if names:
            report.names[source] = names
        for name, checks in found.items():
            note = names.notes.get(name) if names else None
            _sort_out(report, name, checks, None if note is None else float(note_to_hz(note)))
    return report


def _clear_pitch(checks: Checks) -> float | None:
    """Returns the pitch of a recording unless most likely it is a part of one out of range."""
    is_out = max(checks.below.share, checks.above.share) > OUT_OF_RANGE_SHARE
    return None if is_out else checks.pitch_hz


def _sort_out(report: PitchReport, name: str, checks: Checks, named_hz: float | None) -> None:
    """Adds a recording to those below or above the range if its name or its sound says so."""
    for notes, seen, is_named_out in (
        (
            report.below,
            checks.below,
            named_hz is not None and named_hz < report.f0_min_hz / HALF_SEMITONE,
        ),
        (
            report.above,
            checks.above,
            named_hz is not None and named_hz > report.f0_max_hz * HALF_SEMITONE,
        ),
    ):
        is_out = seen.share > OUT_OF_RANGE_SHARE
        hz = named_hz if is_named_out else seen.farthest_hz
        nearest_hz = named_hz if is_named_out else seen.nearest_hz
        if hz and nearest_hz and (is_out or is_named_out):
            seconds = checks.sounding_seconds * (seen.share if is_out else 1.0)
            notes.append(OutOfRangeNote(name, nearest_hz, hz, seconds, by_name_only=not is_out))
