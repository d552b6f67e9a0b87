"""Inspects recordings before any training: what is there, and what is doubtful about it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio.analysis import Analysis
from pipeline.audio.beginnings import begins_within_note
from pipeline.audio.inspection_decay import decay_times
from pipeline.audio.inspection_levels import noise_floor
from pipeline.audio.inspection_pitch import (
    N_LEVELS,
    N_NOTES,
    SEVERAL_SHARE,
    Doubts,
    Notes,
    find_doubts,
    measure_notes,
    tuning_cents,
)
from pipeline.audio.instrument_measurement import Measured, measure_instrument
from pipeline.audio.issue_log import Issue, IssueLog
from pipeline.audio.level import Gains, find_gains
from pipeline.audio.pitch_report import PitchReport, report_pitches
from pipeline.audio.recording_checks import Checks, audible_frames, find_issues
from pipeline.audio.recordings import Recording
from pipeline.core.constants import FRAME_RATE, MIN_LOUDNESS_DB, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import DataConfig

OCTAVE_SHARE = 0.1  # of the checked frames; solo recordings have at most 0.05
NOISE_SHARE = 0.3
QUIETEST, LOUDEST = 5, 95  # percentiles that bound the loudness
ROOM_PERCENTILE = 25  # the shorter times: the longer ones are notes that fade by themselves
MIN_DECAYS = 5  # note ends that an estimate of the room needs
TYPICAL_FLOOR = 25  # percentile over the recordings: in some, the softest sound is no pause
LOW_RATE = SAMPLE_RATE

SEVERAL_NOTES = "several notes at once"
MOSTLY_NOISE = "more noise than pitch"
OCTAVE_DOUBT = "an ambiguous octave"
LOW_SAMPLE_RATE = f"a sample rate below {SAMPLE_RATE / 1000:g} kHz"

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RecordingReport:
    """What was measured on a recording.

    Attributes:
        recording: The recording.
        seconds: Its length, with the digital silence at its ends.
        checks: What the analysis measured.
        notes: Its notes.
        doubts: How far its pitch can be trusted.
        floor_db: Level of the noise in its pauses in dBFS; None without a pause.
        decays: RT60 of its note ends in seconds.
        begins_within_note: Whether it begins while a note sounds.
    """

    recording: Recording
    seconds: float
    checks: Checks
    notes: Notes
    doubts: Doubts
    floor_db: float | None
    decays: tuple[float, ...]
    begins_within_note: bool

    def issues(self, config: DataConfig) -> list[Issue]:
        """Names what is doubtful, with the figures; an empty list if there is nothing."""
        rate = self.checks.file.rate
        found = (
            (self.doubts.several_notes, SEVERAL_SHARE, SEVERAL_NOTES),
            (self.doubts.noise, NOISE_SHARE, MOSTLY_NOISE),
            (self.doubts.octave, OCTAVE_SHARE, OCTAVE_DOUBT),
        )
        issues = [
            Issue(kind, f"{100 * share:.0f} % of its sound")
            for share, limit, kind in found
            if share > limit
        ]
        if rate < LOW_RATE:
            issues.append(Issue(LOW_SAMPLE_RATE, f"{rate / 1000:g} kHz"))
        return find_issues(self.checks, config) + issues


@dataclass(frozen=True)
class Inspection:
    """What was measured on a set of recordings.

    Attributes:
        reports: The recordings, at least one.
        config: The search range and the thresholds that were used.
        n_duplicates: Number of recordings with the same content as another one, left out.
        pitches: What lies out of range, and how the names compare with the pitches.
        measured: The range of the notes; None if no note has a clear pitch.
        gains: The gains with which training would use them.
    """

    reports: Sequence[RecordingReport]
    config: DataConfig
    n_duplicates: int
    pitches: PitchReport
    measured: Measured | None
    gains: Gains

    @cached_property
    def seconds(self) -> float:
        """Length of all recordings."""
        return sum(report.seconds for report in self.reports)

    @cached_property
    def sounding_seconds(self) -> float:
        """Length of all audible frames."""
        return sum(report.checks.sounding_seconds for report in self.reports)

    @property
    def _solo(self) -> list[RecordingReport]:
        """The recordings without those of several notes at once, whose common pitch is no note."""
        return [report for report in self.reports if report.doubts.several_notes <= SEVERAL_SHARE]

    @property
    def pitched_seconds(self) -> float:
        """Length of all frames with a clear pitch."""
        return sum(report.notes.n_pitched for report in self.reports) / FRAME_RATE

    @cached_property
    def coverage_seconds(self) -> Doubles:
        """Sustained seconds with a clear pitch by MIDI note and loudness, shape [128, 16]."""
        total = sum((report.notes.coverage for report in self._solo), np.zeros((N_NOTES, N_LEVELS)))
        return np.asarray(total / FRAME_RATE)

    @cached_property
    def note_seconds(self) -> Doubles:
        """Sustained seconds with a clear pitch by MIDI note, shape [128]."""
        return np.asarray(self.coverage_seconds.sum(axis=1))

    @property
    def played_notes(self) -> range:
        """MIDI notes from the lowest to the highest one, without stray ones; may be empty."""
        if self.measured is None:
            return range(0)
        return range(round(self.measured.lowest), round(self.measured.highest) + 1)

    @cached_property
    def loudness_seconds(self) -> Doubles:
        """Sustained seconds by loudness in steps of 1 dB from -80 dB, shape [80]."""
        total = np.sum([report.notes.loudness for report in self.reports], axis=0)
        return np.asarray(total / FRAME_RATE)

    @cached_property
    def tuning(self) -> npt.NDArray[np.complex128]:
        """Sum of the deviations from equal temperament by note; see `inspection_pitch.Notes`."""
        return sum((report.notes.tuning for report in self._solo), np.zeros(N_NOTES, np.complex128))

    @property
    def tuning_cents(self) -> float:
        """Mean deviation from equal temperament at A4 = 440 Hz."""
        return tuning_cents(self.tuning)

    @property
    def loudness_db(self) -> tuple[float, float]:
        """Soft and loud: percentiles of the loudness of sustained sound in dB."""
        return loudness_range(self.loudness_seconds)

    @property
    def peak_db(self) -> float:
        """Highest sample of all files in dBFS."""
        peak = max(report.checks.file.peak for report in self.reports)
        return float(20 * np.log10(max(peak, 1e-9)))

    @property
    def floor_db(self) -> float | None:
        """Level of the noise in the pauses in dBFS; None if no recording has a pause."""
        floors = [report.floor_db for report in self.reports if report.floor_db is not None]
        return float(np.percentile(floors, TYPICAL_FLOOR)) if floors else None

    @cached_property
    def decays(self) -> list[float]:
        """RT60 of all note ends in seconds."""
        return [time for report in self.reports for time in report.decays]

    @property
    def room_seconds(self) -> float | None:
        """RT60 of the room at most, in seconds; None if too few note ends show it."""
        if len(self.decays) < MIN_DECAYS:
            return None
        return float(np.percentile(self.decays, ROOM_PERCENTILE))

    @property
    def formats(self) -> Counter[tuple[int, int]]:
        """Number of recordings by sample rate in Hz and number of channels."""
        files = [report.checks.file for report in self.reports]
        return Counter((file.rate, file.channels) for file in files)

    @cached_property
    def issues(self) -> IssueLog:
        """What is doubtful, by recording."""
        log = IssueLog()
        for report in self.reports:
            log.add(report.recording.name, report.issues(self.config))
        self.pitches.add_issues(log)
        return log

    def own_gains_db(self, source: str) -> list[float]:
        """Returns the gains of the recordings of a source that are measured alone."""
        own = self.gains.recordings
        recordings = [report.recording for report in self.reports]
        return [own[r.name] for r in recordings if r.source == source and r.name in own]


def loudness_range(seconds: Doubles) -> tuple[float, float]:
    """Returns soft and loud percentiles in dB of a histogram in steps of 1 dB from -80 dB."""
    share = np.cumsum(seconds) / max(float(seconds.sum()), 1e-9)
    soft, loud = (int(np.searchsorted(share, percent / 100)) for percent in (QUIETEST, LOUDEST))
    return MIN_LOUDNESS_DB + soft + 0.5, MIN_LOUDNESS_DB + loud + 0.5


def inspect_recordings(
    analyses: Sequence[Analysis], n_recordings: int, config: DataConfig
) -> Inspection:
    """Measures recordings.

    Args:
        analyses: The recordings, analysed with `config`; at least one.
        n_recordings: Number of recordings, with duplicates.
        config: The search range, and thresholds for audible and clear frames.
    """
    bar = tqdm(analyses, desc="measure", unit="recording", disable=None)
    reports = [_inspect(analysis, config) for analysis in bar]
    checked = [(report.recording, report.checks) for report in reports]
    try:
        measured = measure_instrument(analyses)
    except UserError:  # nothing has a clear pitch, and the reports say why
        measured = None
    pitches = report_pitches(checked, config)
    gains = find_gains(((take.recording, take.features) for take in analyses), config)
    return Inspection(reports, config, n_recordings - len(reports), pitches, measured, gains)


def _inspect(analysis: Analysis, config: DataConfig) -> RecordingReport:
    audio, features = analysis.audio, analysis.features
    audible = audible_frames(features, config)
    return RecordingReport(
        recording=analysis.recording,
        seconds=(len(audio) + sum(analysis.n_cut)) / SAMPLE_RATE,
        checks=analysis.checks,
        notes=measure_notes(features, audible, config.confidence_threshold),
        doubts=find_doubts(audio, features, audible),
        floor_db=noise_floor(audio),
        decays=tuple(decay_times(audio)),
        begins_within_note=begins_within_note(analysis),
    )
