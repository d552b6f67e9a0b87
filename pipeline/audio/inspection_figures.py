"""Collects the figures of an inspection for a JSON file."""

from collections.abc import Sequence
from typing import Any

from pipeline.audio.inspection import Inspection
from pipeline.audio.note_names import NamedPitch
from pipeline.audio.recordings import Found


def figures(inspection: Inspection, found: Found) -> dict[str, Any]:
    """Returns the content of ``inspection.json``: the whole, every recording, every doubt."""
    measured = inspection.measured
    return {
        "n_recordings": len(inspection.reports),
        "n_duplicates": inspection.n_duplicates,
        "seconds": round(inspection.seconds, 1),
        "sounding_seconds": round(inspection.sounding_seconds, 1),
        "search_hz": [inspection.config.f0_min_hz, inspection.config.f0_max_hz],
        "suggested_search_hz": list(measured.search_hz) if measured else None,
        "note_seconds": {
            str(note): round(float(seconds), 2)
            for note, seconds in enumerate(inspection.note_seconds)
            if seconds
        },
        "tuning_cents": round(inspection.tuning_cents, 1),
        "loudness_db": list(inspection.loudness_db),
        "gain_db": inspection.gains.sources,
        "own_gains_db": inspection.gains.recordings,
        "peak_db": round(inspection.peak_db, 1),
        "noise_floor_db": _rounded(inspection.floor_db, 1),
        "room_seconds": _rounded(inspection.room_seconds, 3),
        "recordings": {
            report.recording.name: {
                "seconds": round(report.seconds, 2),
                "sounding_seconds": round(report.checks.sounding_seconds, 2),
                "pitch_hz": _rounded(report.checks.pitch_hz, 1),
                "noise_floor_db": _rounded(report.floor_db, 1),
                "decay_seconds": [round(time, 3) for time in report.decays],
                "octave_doubt": round(report.doubts.octave, 3),
                "several_notes": round(report.doubts.several_notes, 3),
                "noise": round(report.doubts.noise, 3),
            }
            for report in inspection.reports
        },
        "notes_in_names": {
            source: {
                "agreeing": names.n_agreeing,
                "semitones_above_sound": names.interval,
                "octave_errors": _strays(names.octave_errors),
                "others": _strays(names.others),
            }
            for source, names in inspection.pitches.names.items()
        },
        "doubts": inspection.issues.by_name(),
        "passed_over": found.by_path(),
    }


def _strays(strays: Sequence[NamedPitch]) -> dict[str, dict[str, float]]:
    return {
        stray.name: {"named_hz": round(stray.named_hz, 1), "found_hz": round(stray.found_hz, 1)}
        for stray in strays
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
